"""The GitLab connector against a server double that checks each request with GitLab's own document."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plugins.connectors.gitlab import CONNECTOR
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.fakes.gitlab import GitLab
from tests.fakes.server import Fault, html
from tests.plugins.connectors.reading import ended, joined, told_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REF, PATH = "component:default/checkout", "acme/shop/checkout"
TARGET = Target(REF, "checkout", {"gitlab.com/project-slug": PATH})


def context(fake: GitLab, targets=(TARGET,), cursor: str | None = None, **options: Any) -> PullContext:
    auth = SourceAuth(header="PRIVATE-TOKEN", value=Secret("${GITLAB_TOKEN}"))
    client = SourceClient(fake.url, auth, Limits(attempts=1))
    return PullContext("gitlab", client, CONNECTOR.options_schema().load(options), targets, NOW, cursor)


def pull(fake: GitLab, **parts: Any) -> Batch:
    return joined(CONNECTOR, context(fake, **parts))


def values(fake: GitLab, **parts: Any) -> dict[str, Any]:
    return {fact.key: fact.value for fact in pull(fake, **parts).facts if fact.ref == REF}


def pipeline(status: str, at: datetime = NOW - DAY) -> dict[str, Any]:
    return ended("status", status, at)


def test_a_projects_settings_show_what_a_change_needs(gitlab):
    settings = {"only_allow_merge_if_pipeline_succeeds": True, "approvals_before_merge": 1}
    gitlab.add(PATH, settings=settings, protected=["main"], files=[".gitlab/CODEOWNERS"])
    found = values(gitlab)
    for key in ("branch.protected", "reviews_required", "checks_required", "codeowners.present"):
        assert found[f"repo.{key}"] is True, key


@pytest.mark.parametrize(("pattern", "protected"), [("ma*", True), ("*", True), ("release/*", False)])
def test_a_branch_may_be_protected_by_a_pattern(gitlab, pattern, protected):
    gitlab.add(PATH, protected=["stable", pattern])
    assert values(gitlab)["repo.branch.protected"] is protected


def test_an_empty_project_has_no_branch_to_tell_of(gitlab):
    gitlab.add(PATH, settings={"empty_repo": True, "default_branch": None, "approvals_before_merge": "2"})
    found = values(gitlab)
    assert (found["deploys.count_30d"], found["repo.reviews_required"]) == (0, True)
    assert not found.keys() & {"repo.branch.protected", "repo.codeowners.present", "ci.enabled"}


def test_a_part_that_is_switched_off_or_hidden_is_unknown_and_the_rest_is_told(gitlab):
    gitlab.add(PATH, protected=["main"])
    for path in ("deployments", "releases", "pipelines"):
        gitlab.faults.append(Fault(403, '{"message": "403 Forbidden"}', path=f"/api/v4/projects/{PATH}/{path}"))
    batch = pull(gitlab)
    found = {fact.key: fact.value for fact in batch.facts}
    assert found == {"repo.branch.protected": True, "repo.codeowners.present": False}
    scopes = ["deployments", "releases", "pipelines"]
    assert [fault.scope for fault in batch.faults] == [f"{PATH}: {scope}" for scope in scopes]


def test_what_an_edition_or_a_token_does_not_tell_is_unknown(gitlab):
    gitlab.add(PATH)
    gitlab.forbidden.add(PATH)
    found = values(gitlab)
    assert not found.keys() & {"repo.reviews_required", "repo.checks_required", "repo.branch.protected"}
    gitlab.forbidden.clear()
    assert values(gitlab)["repo.branch.protected"] is False


def test_pipelines_on_the_default_branch_are_what_ci_is_judged_by(gitlab):
    pipelines = [pipeline("success"), pipeline("failed", NOW - 2 * DAY), pipeline("canceled")]
    gitlab.add(PATH, pipelines=[*pipelines, pipeline("success", NOW - 40 * DAY)])
    found = values(gitlab)
    assert found["ci.enabled"] is True
    assert found["ci.tests_last_at"] == "2026-11-21T12:00:00Z"
    assert found["ci.success_ratio_30d"] == 0.5
    gitlab.add(PATH, pipelines=[pipeline("success", NOW - 40 * DAY)])
    found = values(gitlab)
    assert found["ci.tests_last_at"] == "2026-10-13T12:00:00Z"
    assert "ci.success_ratio_30d" not in found
    gitlab.add(PATH)
    assert values(gitlab)["ci.enabled"] is False


def test_deployments_make_the_four_dora_measures(gitlab):
    project = gitlab.add(PATH)
    gitlab.deploy(PATH, NOW - 20 * DAY, "a" * 40)
    gitlab.deploy(PATH, NOW - 10 * DAY, "b" * 40, name="eu", tier="production")
    gitlab.deploy(PATH, NOW - 9 * DAY, "a" * 40)
    gitlab.deploy(PATH, NOW - 8 * DAY, "c" * 40, "failed")
    gitlab.deploy(PATH, NOW - 7 * DAY, "c" * 40, "canceled")
    gitlab.deploy(PATH, NOW - HOUR, "d" * 40, "running")
    gitlab.deploy(PATH, NOW - DAY, "e" * 40, name="staging")
    gitlab.deploy(PATH, NOW - 40 * DAY, "0" * 40)
    project["commits"]["a" * 40, "b" * 40] = [NOW - 10 * DAY - 2 * HOUR, NOW - 10 * DAY - 4 * HOUR]
    found = values(gitlab)
    assert (found["deploys.count_30d"], found["deploys.failed_30d"], found["deploys.rolled_back_30d"]) == (3, 1, 1)
    assert found["deploys.change_failure_rate_30d"] == 0.5
    assert found["deploys.lead_time_median_30d"] == 3 * 3600
    assert "deploys.automated_ratio_30d" not in found


def test_where_tiers_are_hidden_the_names_count_and_a_fault_says_so(gitlab):
    gitlab.add(PATH)
    gitlab.deploy(PATH, NOW - 2 * DAY, "a" * 40, name="eu", tier="production")
    gitlab.deploy(PATH, NOW - DAY, "b" * 40)
    gitlab.faults.append(Fault(403, '{"message": "403 Forbidden"}', path=f"/api/v4/projects/{PATH}/environments"))
    batch = pull(gitlab)
    assert [fact.value for fact in batch.facts if fact.key == "deploys.count_30d"] == [1]
    assert [fault.scope for fault in batch.faults] == [f"{PATH}: tiers of environments"]


def test_events_are_the_same_at_every_pull_and_lead_times_are_asked_for_once(gitlab):
    project = gitlab.add(PATH)
    gitlab.deploy(PATH, NOW - 3 * DAY, "a" * 40)
    gitlab.deploy(PATH, NOW - 2 * DAY, "b" * 40)
    project["commits"]["a" * 40, "b" * 40] = [NOW - 3 * DAY]
    first = pull(gitlab)
    assert [event.kind for event in first.events] == ["deploy.finished", "deploy.finished"]
    gitlab.requests.clear()
    again = pull(gitlab, cursor=first.cursor)
    assert [event.source_event_id for event in again.events] == [event.source_event_id for event in first.events]
    assert not [path for path in gitlab.paths() if path.endswith("/compare")]
    assert values(gitlab, cursor=first.cursor)["deploys.lead_time_median_30d"] == 24 * 3600


def test_more_deployments_than_a_page_are_read(gitlab):
    gitlab.add(PATH)
    for number in range(130):
        gitlab.deploy(PATH, NOW - timedelta(hours=number + 1), f"{number:040x}")
    assert values(gitlab)["deploys.count_30d"] == 130


def test_a_project_that_is_gone_keeps_no_other_from_being_read(gitlab):
    gitlab.add(PATH)
    gone = Target("component:default/gone", "gone", {"gitlab.com/project-slug": "acme/gone"})
    batch = pull(gitlab, targets=(TARGET, gone))
    assert {fact.ref for fact in batch.facts} == {REF}
    assert [fault.scope for fault in batch.faults] == ["repository acme/gone"]


def test_the_check_tells_a_hidden_project_from_a_wrong_token(gitlab):
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(gitlab))
    assert failed.value.kind is FailureKind.PERMISSION
    gitlab.add(PATH)
    assert "GitLab 17.5.1 answers; 1 projects" in CONNECTOR.check(context(gitlab))
    gitlab.token = "another"
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(gitlab))
    assert failed.value.kind is FailureKind.CREDENTIALS


def test_projects_that_are_all_hidden_are_told_from_an_address_that_is_wrong(gitlab):
    targets = [Target(f"component:default/{n}", str(n), {"gitlab.com/project-slug": f"acme/{n}"}) for n in range(15)]
    with pytest.raises(PullFailed, match="shows the credentials no repository that was asked for") as failed:
        pull(gitlab, targets=tuple(targets), requests_per_run=10)  # more are named than a run may ask for
    assert failed.value.kind is FailureKind.PERMISSION
    gitlab.faults.append(Fault(404, times=20))
    with pytest.raises(PullFailed, match="api/v4/version answered 404") as failed:
        pull(gitlab, targets=tuple(targets))
    assert failed.value.kind is FailureKind.MISCONFIGURED


def test_a_token_without_the_scope_is_told_in_gitlabs_own_words(gitlab):
    gitlab.add(PATH)
    said = (
        '{"error": "insufficient_scope", "error_description": "The request requires higher privileges", "scope": "api"}'
    )
    gitlab.faults.append(Fault(403, said, times=20))
    with pytest.raises(PullFailed, match=r"\(The request requires higher privileges\)") as failed:
        pull(gitlab)
    assert failed.value.kind is FailureKind.PERMISSION


@pytest.mark.parametrize("question", ["", "/protected_branches/main", "/repository/files/CODEOWNERS"])
def test_an_object_of_another_kind_tells_nothing(gitlab, question):
    gitlab.add(PATH, protected=["main"], files=["CODEOWNERS"])
    good = values(gitlab)
    gitlab.faults.append(Fault(200, '{"status": "ok"}', path=f"/api/v4/projects/{PATH}{question}"))
    if question:
        told = values(gitlab)
        assert len(told) == len(good) - 1
        assert told.items() < good.items()
    else:
        with pytest.raises(PullFailed, match="answered an object without id"):
            values(gitlab)


@pytest.mark.parametrize("fault", [html(), Fault(200, "[]")])
def test_an_answer_of_another_shape_is_a_bad_answer(gitlab, fault):
    gitlab.faults.append(fault)
    with pytest.raises(PullFailed) as failed:
        pull(gitlab)
    assert failed.value.kind is FailureKind.BAD_ANSWER


def test_an_empty_page_that_names_another_is_not_the_last(gitlab):
    gitlab.add(PATH)
    gitlab.deploy(PATH, NOW - DAY, "a" * 40)
    path = f"/api/v4/projects/{PATH.replace('/', '%2F')}/deployments"
    query = "updated_after=2026-10-23T12%3A00%3A00Z&order_by=updated_at&sort=desc&per_page=100&page=1"
    more = {"Link": f'<{gitlab.url}{path}?{query}>; rel="next"'}
    gitlab.faults.append(Fault(200, "[]", more, path=f"/api/v4/projects/{PATH}/deployments"))
    assert values(gitlab)["deploys.count_30d"] == 1


VULNERABLE = "deps.vuln.critical_over_30d"


def told_of_vulnerabilities(gitlab: GitLab) -> tuple[Any, list[str]]:
    return told_of(pull(gitlab, vulnerabilities=True), VULNERABLE, "vulnerabilities")


def test_critical_vulnerabilities_of_dependencies_and_images_are_counted_over_all_pages(gitlab):
    gitlab.add(PATH)
    gitlab.scanners[PATH] = ["DEPENDENCY_SCANNING"]
    gitlab.graphql_page = 2
    for days in (31, 40, 50, 29, 1):
        gitlab.vulnerability(PATH, NOW - days * DAY)
    gitlab.vulnerability(PATH, NOW - 90 * DAY, "HIGH")
    gitlab.vulnerability(PATH, NOW - 90 * DAY, kind="SECRET_DETECTION")
    assert told_of_vulnerabilities(gitlab) == (3, [])
    assert gitlab.paths().count("/api/graphql") == 2
    assert VULNERABLE not in values(gitlab)


def test_a_project_that_is_scanned_and_sound_has_none_and_one_that_nothing_scans_is_unknown(gitlab):
    gitlab.add(PATH)
    gitlab.scanners[PATH] = ["SAST", "CONTAINER_SCANNING"]
    assert told_of_vulnerabilities(gitlab) == (0, [])
    gitlab.scanners[PATH] = ["SAST"]
    nobody_knows = "neither dependency nor container scanning runs there: nobody knows of its vulnerabilities"
    assert told_of_vulnerabilities(gitlab) == (None, [nobody_knows])


def test_vulnerabilities_that_the_token_may_not_see_are_told_from_a_missing_scanner(gitlab):
    gitlab.add(PATH)
    gitlab.vulnerability(PATH, NOW - 90 * DAY)
    found, (message,) = told_of_vulnerabilities(gitlab)
    assert found is None
    assert "may not read this" in message
    gitlab.scanners[PATH] = ["DEPENDENCY_SCANNING"]
    gitlab.faults.append(Fault(200, '{"errors": [{"message": "Timeout on vulnerabilities"}]}', path="/api/graphql"))
    assert told_of_vulnerabilities(gitlab) == (None, ["api/graphql: Timeout on vulnerabilities"])


@pytest.mark.parametrize(
    "body",
    [
        '{"data": {"project": null}}',
        '{"data": null}',
        "[]",
        '{"data": {"project": {"securityScanners": null, "vulnerabilities": null}}}',
        '{"data": {"project": {"vulnerabilities": {"nodes": [null], "pageInfo": {"hasNextPage": true}}}}}',
    ],
)
def test_an_answer_without_a_project_or_a_list_is_no_sound_project(gitlab, body):
    gitlab.add(PATH)
    gitlab.scanners[PATH] = []
    gitlab.faults.append(Fault(200, body, path="/api/graphql"))
    found, messages = told_of_vulnerabilities(gitlab)
    assert (found, len(messages)) == (None, 1)
