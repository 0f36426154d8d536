"""The incident view as a page: what somebody reads on a phone who was just paged."""

import re
from datetime import timedelta

import pytest

from engagements import support
from engagements.support import SupportRecord
from engagements.tiers import Tier
from tests.engagements.conftest import MANAGER, NOW, ref
from tests.engagements.incident_view.conftest import entity

PAGE = "/pages/component/default/globe/incident"
ERRORS = {"alert": "GlobeErrors", "severity": "page", "runbook_url": "https://wiki.example/globe-errors"}

pytestmark = pytest.mark.usefixtures("company")


@pytest.fixture
def read(client):
    """Return the text of the page's sections, by heading, and the whole of its HTML."""

    def get():
        answer = client.get(PAGE)
        assert answer.status_code == 200, answer.text
        sections = re.findall(r'<section class="card">(.*?)</section>', answer.text, re.DOTALL)
        found = {re.search(r'id="(\w+)"', one)[1]: plain(one) for one in sections}
        return found, answer.text

    return get


def plain(html):
    return " ".join(re.sub(r"<[^>]*>", "", html).split())


def test_it_answers_what_fires_who_carries_the_pager_what_changed_and_what_to_do(
    sources_up, happened, observe, observe_catalog, read
):
    observe_catalog()
    observe({"globe": {"slo.availability.target": 0.999, "slo.availability.budget_left": -0.2}})
    sources_up()
    happened(
        ("globe", "alert.fired", 12, ERRORS),
        ("globe", "deploy.finished", 18, "globe deployed 1a2b3c4d", {"revision": "1a2b3c4d"}),
        ("rose", "alert.fired", 15, {"alert": "RoseDown"}),
        ("rose", "deploy.rolled_back", 300, "rose rolled back"),
        ("globe", "engagement.phase_entered", 9000, "The engagement went from analysis to improvement."),
    )
    sections, html = read()
    assert '<p class="headline bad"><b>1 open for 12 minutes: GlobeErrors; globe deployed 1a2b3c4d' in html
    assert "GlobeErrors page" in sections["alerts"]
    assert "since 2026-11-22 09:48, 12 minutes" in sections["alerts"]
    assert "The pager is carried by its developers (bards)." in sections["on_call"]
    assert '<a href="https://wiki.example/globe-errors">Runbook of GlobeErrors</a>' in html
    here, upstream = sections["changes"].split("Of what it depends on")
    assert "suspect globe deployed 1a2b3c4d" in here
    assert "18 minutes ago, 6 minutes before the first alert" in here
    assert "suspect" not in upstream
    assert "rose rolled back (rose)" in upstream
    assert "alerting rose T0 1 open: RoseDown." in sections["dependencies"]
    assert '<a href="/pages/component/default/rose/incident">rose</a>' in html
    assert "1 depend on it: fortune." in sections["dependencies"]
    assert "120 % of the error budget is used. availability unknown latency unknown" in sections["slo"]
    assert '<a href="mailto:globe@example.org">' in html
    assert "The engagement went from analysis to improvement." in sections["support"]


def test_what_nobody_knows_is_told_as_unknown_with_what_to_do(sources_up, happened, read):
    sources_up(prometheus=timedelta(hours=5), argocd=None)
    sections, html = read()
    assert '<p class="headline stale"><b>Nothing is known to fire, but the sources' in html
    assert "Nothing is known to be open. Muted now: unknown." in sections["alerts"]
    assert "Alerts and incidents stale" in sections["alerts"]
    assert "portal sources check prometheus" in sections["alerts"]
    assert "Changed lately unknown" in sections["changes"]
    assert "No change of this service is known." in sections["changes"]
    assert "Who is on call at this moment is unknown" in sections["on_call"]
    assert "How much of the error budget is used is unknown." in sections["slo"]
    assert re.search(r"Not known: .*objectives and error budget.*changed lately", plain(html))
    assert "May have changed since: alerts and incidents" in plain(html)


def test_a_dependency_that_is_no_service_says_whom_to_ask(catalog_of, sources_up, read, page):
    ledger = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Resource",
        "metadata": {"name": "ledger", "title": "Book"},
    }
    catalog_of(
        entity("globe", dependsOn=["resource:default/ledger", "resource:default/gone"]),
        ledger | {"spec": {"type": "database", "owner": "players"}},
    )
    sources_up()
    found = {one["ref"]: one for one in page()["dependencies"]["items"]}
    known, unknown = found["resource:default/ledger"], found["resource:default/gone"]
    assert (known["title"], known["owner"], known["is_service"]) == ("Book", "group:default/players", False)
    assert known["cause"]["action"] == "Ask its owner, group:default/players."
    assert (unknown["title"], unknown["owner"]) == (None, None)
    assert unknown["sentence"] == "resource:default/gone is not in the catalog."
    section = read()[0]["dependencies"]
    assert "unknown Book resource:default/ledger is no service" in section
    assert "Ask its owner, group:default/players." in section
    assert "unknown resource:default/gone resource:default/gone is not in the catalog. Register it" in section


def test_who_looks_after_it_lately_is_told_newest_first_and_three_at_most(sources_up, happened, session, page):
    sources_up()
    record = SupportRecord(ref("globe"), Tier.CONSULTATION, NOW - timedelta(hours=1), "mia")
    support.adopt(session, [record], MANAGER, NOW)
    session.commit()
    happened(*[("globe", "service.owner_changed", minutes, f"owner {minutes}") for minutes in (300, 200, 100)])
    told = page()["service"]["last_events"]
    assert [one["kind"] for one in told] == ["tier.changed", "service.owner_changed", "service.owner_changed"]
    assert [one["summary"] for one in told[1:]] == ["owner 100", "owner 200"]


def test_nothing_that_was_told_is_run(sources_up, happened, read):
    sources_up()
    happened(
        ("globe", "alert.fired", 12, "<script>alert(1)</script>", {"alert": "<img src=x>", "cause": "<b>"}),
        ("globe", "deploy.finished", 18, "<i>deployed</i>"),
    )
    html = read()[1]
    assert "<script>" not in html
    assert "<img" not in html
    assert "<i>deployed" not in html
    assert "&lt;i&gt;deployed" in html


def test_a_page_of_no_service_is_a_404(client):
    answer = client.get("/pages/component/default/none/incident")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
