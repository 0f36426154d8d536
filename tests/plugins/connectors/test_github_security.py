"""What GitHub's scanners say, against a server double: found, sound, not set up, or not to be seen."""

from typing import Any

import pytest

from plugins.contract import Target
from tests.fakes.github import GitHub
from tests.fakes.server import Fault
from tests.plugins.connectors.github_pulls import DAY, NOW, SLUG, pull, values
from tests.plugins.connectors.reading import told_of


def test_vulnerabilities_are_read_by_organisation_and_only_of_what_is_watched(github):
    slugs = ["acme/checkout", "acme/search", "acme/Billing", "acme/unwatched"]
    for slug in slugs:
        github.add(slug)
    targets = [
        Target(f"component:default/{slug[5:].lower()}", slug[5:], {"github.com/project-slug": slug}) for slug in slugs
    ]
    github.watched.add("acme/search")
    for created, severity in ((NOW - 31 * DAY, "critical"), (NOW - 29 * DAY, "critical"), (NOW - 90 * DAY, "high")):
        github.alert("acme/checkout", created, severity)
        github.alert("acme/checkout", created, severity)
    github.alert("acme/billing", NOW - DAY, "low")
    assert "/orgs/acme/repos" not in github.paths()
    batch = pull(github, targets=targets, vulnerabilities=True)
    found = {fact.ref: fact.value for fact in batch.facts if fact.key == "deps.vuln.critical_over_30d"}
    assert found == {
        "component:default/checkout": 2,
        "component:default/search": 0,
        "component:default/billing": 0,
    }
    assert github.paths().count("/orgs/acme/dependabot/alerts") == 4


def test_vulnerabilities_that_the_token_may_not_see_are_unknown(github):
    github.add(SLUG)
    github.faults.append(Fault(403, '{"message": "Resource not accessible"}', path="/orgs/acme/dependabot/alerts"))
    batch = pull(github, vulnerabilities=True)
    assert "deps.vuln.critical_over_30d" not in {fact.key for fact in batch.facts}
    assert [fault.scope for fault in batch.faults] == ["vulnerabilities of acme"]


FINDINGS = "code.vuln.critical_over_30d"


def told_of_findings(github: GitHub) -> tuple[Any, list[str]]:
    return told_of(pull(github, code_scanning=True), FINDINGS, "code scanning")


def test_critical_findings_of_code_scanning_are_counted_over_all_pages(github):
    github.add(SLUG)
    for days in (31, 40, 50, 29, 1, 2, 3):
        github.finding(SLUG, NOW - days * DAY)
    github.finding(SLUG, NOW - 90 * DAY, "high")
    assert told_of_findings(github) == (3, [])
    assert github.paths().count(f"/repos/{SLUG}/code-scanning/alerts") == 2
    assert FINDINGS not in values(github)


def test_sound_code_is_told_from_code_that_nothing_scans(github):
    github.add(SLUG)
    nobody_knows = "code scanning is not set up there: nobody knows of its findings"
    assert told_of_findings(github) == (None, [nobody_knows])
    not_bought = '{"message": "Advanced Security must be enabled for this repository to use code scanning."}'
    github.faults.append(Fault(403, not_bought, path=f"/repos/{SLUG}/code-scanning"))
    assert told_of_findings(github) == (None, [nobody_knows])
    github.findings[SLUG] = []
    assert told_of_findings(github) == (0, [])


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, '{"message": "Resource not accessible by personal access token"}', "Resource not accessible"),
        (404, '{"message": "Not Found"}', "the token may not see it"),
    ],
)
def test_findings_that_the_token_may_not_see_are_unknown_for_that_reason(github, status, body, words):
    github.add(SLUG)
    github.faults.append(Fault(status, body, path=f"/repos/{SLUG}/code-scanning"))
    found, (message,) = told_of_findings(github)
    assert found is None
    assert words in message
