"""The incident view by HTTP: what somebody sees who was just paged."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy import event as sqlalchemy_event

from engagements import support
from engagements.incident_view.schemas import IncidentViewSchema
from engagements.support import SupportRecord
from engagements.tiers import Tier
from plugins.contract import FactSpec, FactType
from portal_backend.core.quick_reading import Reader
from tests.engagements.conftest import MANAGER, NOW, ref
from tests.engagements.incident_view.conftest import PAGE

SECTIONS = ("alerts", "slo", "changes", "dependencies", "on_call", "runbooks", "similar", "owner")
ERRORS = {"alert": "GlobeErrors", "severity": "page", "runbook_url": "https://wiki.example/globe-errors"}

pytestmark = pytest.mark.usefixtures("company")


def test_row_37_one_page_has_all_that_an_incident_needs(sources_up, happened, observe, observe_catalog, page):
    observe_catalog()
    observe({"globe": {"slo.availability.target": 0.999, "slo.availability.budget_left": -0.2}})
    sources_up()
    happened(
        ("globe", "alert.fired", 12, ERRORS),
        ("globe", "deploy.finished", 18, "globe deployed 1a2b3c4d", {"revision": "1a2b3c4d"}),
        ("rose", "alert.fired", 15, {"alert": "RoseDown"}),
        ("rose", "deploy.rolled_back", 20, "rose rolled back"),
    )
    body = page()
    assert [(one["name"], one["age_seconds"], one["severity"]) for one in body["alerts"]["open"]] == [
        ("GlobeErrors", 720, "page")
    ]
    assert body["slo"]["budget_used_ratio"] == pytest.approx(1.2)
    here = body["changes"]["here"][0]
    assert (here["revision"], here["seconds_before_first_alert"], here["suspect"]) == ("1a2b3c4d", 360, True)
    assert [(one["entity_ref"], one["kind"]) for one in body["changes"]["upstream"]] == [
        (ref("rose"), "deploy.rolled_back")
    ]
    assert [(one["ref"], one["condition"]) for one in body["dependencies"]["items"]] == [
        (ref("rose"), "alerting"),
        ("resource:default/ledger", "unknown"),
        (ref("swan"), "quiet"),
    ]
    assert body["dependencies"]["dependents"] == {"count": 1, "refs": [ref("fortune")]}
    assert body["runbooks"]["items"][0] == {
        "title": "Runbook of GlobeErrors",
        "url": "https://wiki.example/globe-errors",
        "of": "GlobeErrors",
    }
    assert body["owner"]["contact"] == "globe@example.org"
    assert [link["url"] for link in body["owner"]["links"]] == ["https://chat.example/globe"]
    assert body["service"]["tier"] == "documentation"
    assert body["headline"].startswith("1 open for 12 minutes: GlobeErrors; globe deployed 1a2b3c4d 18 minutes ago")
    assert "component:default/rose upstream has open alerts" in body["headline"]


def test_the_answer_has_the_shape_that_is_documented(sources_up, happened, observe, page):
    observe({"globe": {"slo.availability.target": 0.999}, "swan": {"slo.availability.budget_left": 0.5}})
    sources_up()
    happened(
        ("globe", "alert.fired", 500, ERRORS), ("globe", "alert.resolved", 470, ERRORS),
        ("globe", "deploy.rolled_back", 475, "globe rolled back"), ("globe", "slo.breached", 480, "breached"),
        ("globe", "postmortem.published", 400, "Postmortem", {"cause": "GlobeErrors"}),
        ("globe", "alert.fired", 12, ERRORS), ("swan", "deploy.finished", 20),
    )  # fmt: skip
    body = page()
    shown = IncidentViewSchema().dump(IncidentViewSchema().load(body))
    assert shown == body


@pytest.mark.parametrize("section", SECTIONS)
def test_without_anything_observed_each_section_says_why_and_what_to_do(page, section):
    found = page()[section]
    assert found["state"] in {"fresh", "unknown"}
    if found["state"] == "unknown":
        assert found["cause"]["sentence"]
        assert found["cause"]["action"]
    else:
        assert section in {"owner", "runbooks"}


def test_a_dead_source_makes_only_its_own_sections_unknown(sources_up, happened, page):
    sources_up(argocd=None)
    happened(("globe", "alert.fired", 12, ERRORS))
    body = page()
    assert (body["alerts"]["state"], body["changes"]["state"]) == ("fresh", "unknown")
    assert "argocd has never succeeded (unreachable: connection refused)" in body["changes"]["cause"]["sentence"]
    assert "portal sources check argocd" in body["changes"]["cause"]["action"]
    assert "changes" in body["sections_unknown"]


def test_what_a_failing_source_said_last_is_shown_as_stale(sources_up, happened, page):
    sources_up(prometheus=timedelta(hours=5))
    happened(("globe", "alert.fired", 400, ERRORS))
    body = page()
    assert (body["alerts"]["state"], body["alerts"]["observed_at"]) == ("stale", "2026-11-22T05:00:00Z")
    assert [one["name"] for one in body["alerts"]["open"]] == ["GlobeErrors"]
    assert "failing since its last success" in body["alerts"]["cause"]["sentence"]


def test_silence_of_a_failing_source_is_not_called_quiet(sources_up, page):
    sources_up(prometheus=timedelta(hours=5))
    body = page()
    conditions = {one["ref"]: (one["condition"], one["cause"]) for one in body["dependencies"]["items"]}
    assert conditions[ref("swan")][0] == "unknown"
    assert "prometheus" in conditions[ref("swan")][1]["sentence"]
    assert body["headline"] == "Nothing is known to fire, but the sources that would tell are not all up."


def test_a_source_that_nobody_reads_any_more_is_stale_without_having_failed(sources_up, page, session):
    from sqlalchemy import update

    from plugins.models import Source

    sources_up()
    session.execute(update(Source).values(last_success_at=NOW - timedelta(minutes=16)))
    session.commit()
    found = page()["alerts"]
    assert found["state"] == "stale"
    assert "was last read at" in found["cause"]["sentence"]
    assert "portal worker" in found["cause"]["action"]


def test_simulated_sources_are_marked_everywhere_they_are_used(session, happened, observe, page):
    observe({"globe": {"slo.availability.target": 0.999}})
    happened(("globe", "alert.fired", 12, ERRORS), simulated=True)
    body = page()
    assert body["slo"]["simulated"] is True
    assert body["alerts"]["open"][0]["simulated"] is True


def test_alerts_that_ended_are_not_open(sources_up, happened, page):
    sources_up()
    happened(
        ("globe", "alert.fired", 60, {"alert": "A"}),
        ("globe", "alert.resolved", 50, {"alert": "A"}),
        ("globe", "alert.fired", 40, {"alert": "A"}),
        ("globe", "alert.fired", 30, {"alert": "B"}),
        ("globe", "alert.resolved", 20, {"alert": "B"}),
        ("globe", "incident.opened", 38, {"incident": "P1", "title": "Globe is slow"}),
    )
    body = page()["alerts"]
    assert [(one["kind"], one["name"]) for one in body["open"]] == [("incident", "Globe is slow"), ("alert", "A")]
    assert [one["name"] for one in body["ended_last"]] == ["B", "A"]


def test_events_that_arrive_late_still_close_what_they_end(sources_up, happened, page):
    sources_up()
    happened(("globe", "alert.resolved", 20, {"alert": "A"}))
    happened(("globe", "alert.fired", 30, {"alert": "A"}))
    assert page()["alerts"]["open"] == []


def test_what_was_corrected_counts_no_more(sources_up, happened, page):
    sources_up()
    happened(("globe", "alert.fired", 30, {"alert": "A"}))
    happened(("globe", "event.corrected", 10, {"corrects": 1}))
    assert page()["alerts"]["open"] == []


def test_an_alert_that_fired_longer_ago_than_is_read_is_not_claimed_to_be_open(sources_up, happened, page):
    sources_up()
    happened(("globe", "alert.fired", 5000, {"alert": "A"}), ("globe", "alert.resolved", 4999, {"alert": "A"}))
    happened(*(("globe", "alert.resolved", n, {"alert": "B"}) for n in range(100, 200)))
    assert page()["alerts"]["open"] == []


def test_what_a_live_source_says_is_laid_beside_the_history(sources_up, happened, observe, page, session):
    observe({"globe": {"alerts.firing.names": ["GlobeErrors", "GlobeSlow"]}})
    sources_up()
    happened(("globe", "alert.fired", 12, ERRORS), ("globe", "alert.fired", 9, {"alert": "GlobeFull"}))
    found = {one["name"]: (one["confirmed"], one["since"] is not None) for one in page()["alerts"]["open"]}
    assert found == {"GlobeErrors": (True, True), "GlobeFull": (False, True), "GlobeSlow": (True, False)}


def test_similar_troubles_here_and_elsewhere_with_what_mended_them(sources_up, happened, page):
    sources_up()
    stated = {**ERRORS, "mended_by": "Drained the zone"}
    happened(
        ("globe", "alert.fired", 3000, ERRORS),
        ("globe", "deploy.finished", 2995, "globe deployed a fix"),
        ("globe", "deploy.rolled_back", 2990, "globe rolled back"),
        ("globe", "alert.resolved", 2980, ERRORS),
        ("swan", "alert.fired", 2000, ERRORS),
        ("swan", "alert.resolved", 1990, stated),
        ("fortune", "alert.fired", 9000, {"alert": "Other"}),
        ("fortune", "alert.resolved", 8990, {"alert": "Other"}),
        ("globe", "postmortem.published", 2000, "What we learnt"),
        ("globe", "alert.fired", 12, ERRORS),
    )
    found = page()["similar"]
    assert (found["count_here"], found["count_elsewhere"], found["median_seconds"]) == (1, 1, 900)
    first, second = found["items"]
    assert (first["entity_ref"], first["lasted_seconds"]) == (ref("globe"), 1200)
    assert first["mended_by"] == {
        "basis": "came_before_the_end",
        "sentence": "globe rolled back",
        "by": "argocd",
        "seconds_before_end": 600,
    }
    assert first["postmortem"]["summary"] == "What we learnt"
    assert second["mended_by"]["basis"] == "stated"
    assert second["mended_by"]["sentence"] == "Drained the zone"
    assert second["postmortem"] is None


def test_incidents_of_the_same_cause_are_similar(sources_up, happened, page):
    sources_up()
    happened(
        ("swan", "incident.opened", 900, {"incident": "P1", "title": "Swan", "cause": "expired certificate"}),
        ("swan", "incident.resolved", 880, {"incident": "P1", "title": "Swan", "cause": "expired certificate"}),
        ("globe", "incident.opened", 5, {"incident": "P2", "title": "Globe", "cause": "expired certificate"}),
    )
    found = page()["similar"]
    assert (found["patterns"], found["count_elsewhere"]) == (["expired certificate"], 1)


@pytest.mark.parametrize(
    ("tier", "events", "carried_by"),
    [
        (Tier.DOCUMENTATION, [], "development"),
        (Tier.CONSULTATION, [], "development"),
        (Tier.PLATFORM, [], "split"),
        (Tier.FULL_SRE, [], "sre"),
        (Tier.FULL_SRE, [("globe", "pager.returned", 600)], "development"),
        (Tier.FULL_SRE, [("globe", "pager.returned", 600), ("globe", "pager.resumed", 300)], "sre"),
    ],
)
def test_who_carries_the_pager_follows_from_the_support(session, sources_up, happened, page, tier, events, carried_by):
    sources_up()
    record = SupportRecord(ref("globe"), tier, NOW - timedelta(days=50), "mia", "framework", "active")
    support.adopt(session, [record], MANAGER, NOW)
    happened(*events)
    assert page()["on_call"]["pager"]["carried_by"] == carried_by


def test_the_split_of_a_platform_service_is_shown_alert_by_alert(session, sources_up, happened, page):
    sources_up()
    support.adopt(session, [SupportRecord(ref("globe"), Tier.PLATFORM, NOW, "mia", "framework", "x")], MANAGER, NOW)
    routes = {"GlobeErrors": "service_function", "NodeDown": "platform_infra"}
    happened(("globe", "oncall.split_changed", 600, {"split_set": {"routes": routes}}))
    assert page()["on_call"]["pager"]["routes"] == routes


@pytest.mark.parametrize("name", ["nowhere", "globe%00"])
def test_what_is_no_service_is_a_404(client, name):
    assert client.get(f"/api/services/component/default/{name}/incident-view").status_code == 404


def test_a_parameter_is_a_400(client):
    assert client.get(f"{PAGE}?since=2026-01-01").status_code == 400


@pytest.mark.parametrize("path", [PAGE, "/pages/component/default/globe/incident"])
def test_one_round_of_queries_answers_however_much_there_is(path, sources_up, happened, observe, client, monkeypatch):
    observe({"globe": {"slo.availability.target": 0.999}})
    sources_up()
    happened(("globe", "alert.fired", 12, ERRORS), ("globe", "alert.fired", 900, ERRORS))
    happened(("globe", "alert.resolved", 800, ERRORS), ("globe", "deploy.finished", 20))
    assert asked(path, client, monkeypatch) == (1, 0)
    happened(*(("rose", "deploy.finished", n, f"d{n}") for n in range(300)))
    happened(*((name, "alert.fired", n * 10 + 5, ERRORS) for n in range(100, 200) for name in ("globe", "swan")))
    happened(*((name, "alert.resolved", n * 10, ERRORS) for n in range(100, 200) for name in ("globe", "swan")))
    assert asked(path, client, monkeypatch) == (1, 0)


def asked(path, client, monkeypatch):
    """Return how many rounds of queries a page took, and how many statements went another way."""
    rounds, statements, attempt = [], [], Reader.attempt

    def count_round(reader, *work):
        rounds.append(1)
        return attempt(reader, *work)

    def count_statement(_connection, _cursor, statement, *_):
        statements.append(statement)

    sqlalchemy_event.listen(Engine, "before_cursor_execute", count_statement)
    with monkeypatch.context() as patched:
        patched.setattr(Reader, "attempt", count_round)
        assert client.get(path).status_code == 200
    sqlalchemy_event.remove(Engine, "before_cursor_execute", count_statement)
    return len(rounds), len(statements)


def test_a_page_after_the_database_was_restarted_is_answered(session, client):
    assert client.get(PAGE).status_code == 200
    if session.get_bind().dialect.name == "postgresql":
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        session.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        session.commit()
    assert [client.get(PAGE).status_code for _ in range(3)] == [200, 200, 200]


def test_the_page_is_of_use_while_two_of_three_sources_are_dark(sources_up, happened, observe, page):
    observe({"globe": {"slo.availability.target": 0.999, "slo.availability.budget_left": 0.1}}, age=timedelta(hours=99))
    sources_up(prometheus=timedelta(hours=9), argocd=None)
    happened(
        ("globe", "alert.fired", 600, ERRORS), ("globe", "deploy.finished", 610, "globe deployed 1a2b3c4d"),
        ("rose", "alert.fired", 620, {"alert": "RoseDown"}), ("swan", "alert.fired", 5000, ERRORS),
        ("swan", "alert.resolved", 4990, {**ERRORS, "mended_by": "Drained the zone"}),
    )  # fmt: skip
    body = page()
    dark = {*body["sections_unknown"], *body["sections_stale"]}
    assert dark >= {"alerts", "slo", "changes", "dependencies"}
    assert not dark & {"owner", "runbooks", "similar"}
    assert all(body[name]["cause"]["sentence"] and body[name]["cause"]["action"] for name in dark)
    assert [one["name"] for one in body["alerts"]["open"]] == ["GlobeErrors"]
    assert body["changes"]["here"][0]["suspect"] is True
    assert {one["ref"]: one["condition"] for one in body["dependencies"]["items"]}[ref("rose")] == "alerting"
    assert body["similar"]["items"][0]["mended_by"]["sentence"] == "Drained the zone"
    assert body["slo"]["budget_used_ratio"] == pytest.approx(0.9)
    assert body["on_call"]["pager"]["carried_by"] == "development"


def test_an_incident_has_the_severity_that_was_said_last(sources_up, happened, page):
    sources_up()
    happened(
        ("globe", "incident.opened", 30, {"incident": "P1", "title": "Globe is slow"}),
        ("globe", "incident.opened", 20, {"incident": "P2", "title": "Globe is down", "severity": "sev2"}),
        ("globe", "incident.severity_changed", 10, {"incident": "P1", "severity": "sev3"}),
        ("globe", "incident.severity_changed", 9, {"incident": "P2", "severity": "sev1"}),
    )
    found = [(one["name"], one["severity"]) for one in page()["alerts"]["open"]]
    assert found == [("Globe is down", "sev1"), ("Globe is slow", "sev3")]


def test_what_ends_after_its_twin_still_runs(sources_up, happened, page):
    """Two instances of one alert: the end of one is not taken for the end of the other."""
    sources_up()
    happened(
        ("swan", "alert.fired", 5000, {"alert": "A"}), ("swan", "alert.resolved", 4990, {"alert": "A"}),
        ("globe", "alert.fired", 40, {"alert": "A", "fingerprint": "1"}),
        ("globe", "alert.fired", 39, {"alert": "A", "fingerprint": "2"}),
        ("globe", "alert.resolved", 30, {"alert": "A", "fingerprint": "2"}),
        ("globe", "alert.fired", 20, {"alert": "B"}),
    )  # fmt: skip
    body = page()
    assert [one["name"] for one in body["alerts"]["open"]] == ["B", "A"]
    assert body["similar"]["patterns"] == ["A", "B"]
    assert body["similar"]["count_elsewhere"] == 1


def test_who_is_on_call_now_is_named_while_a_source_knows(company, app, judging, observe, page, monkeypatch):
    spec = FactSpec("oncall.now", FactType.SET, "", "Who is on call now", timedelta(hours=1))
    monkeypatch.setitem(judging.specs, spec.key, spec)
    assert page()["on_call"]["names"] == []
    observe({"globe": {"oncall.now": ["rosalind", "orlando"]}})
    assert page()["on_call"]["names"] == ["orlando", "rosalind"]
    observe({"globe": {"oncall.now": ["celia"]}}, age=timedelta(minutes=1))
    assert page()["on_call"]["names"] == ["celia"]
