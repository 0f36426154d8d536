"""Scorecards kept in the database: what is written, when it is judged again, and why a level moved."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import event, func, select

from portal_backend.core.errors import NotFound
from scorecards import facts
from scorecards.checks.catalogue import load_catalogue
from scorecards.loading import dependents_of
from scorecards.models import Scorecard, ScorecardChange
from scorecards.scorecard import (
    awaiting_evidence,
    due,
    due_for_sources,
    forget,
    read,
    standings,
    update,
)
from scorecards.timeline import list_changes
from tests.scorecards.conftest import QUILL, REF, SHAKESPEARE
from tests.scorecards.known_checks import judge_by_known, only_known
from tests.scorecards.samples import DAY, GOOD, MINUTE, NOW, SOURCE_OF

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def judging(judging, app):
    """The checks that the sample company has evidence for, whatever else the default catalogue asks."""
    return judge_by_known(judging, app)


def kept(session, ref=REF):
    session.expire_all()
    return session.get(Scorecard, ref)


def result(card, check):
    return next(one for one in card["results"] if one["check"] == check)


def test_a_service_in_good_order_is_kept_at_the_highest_level_with_its_columns(company, session):
    moved = update(session, company.judging, None, NOW)
    card = kept(session)
    assert (card.level, card.percent, card.coverage, card.required_level) == ("L3", 100.0, 100.0, "L3")
    assert card.next_step is None
    assert (card.observability_level, card.observability_percent, card.observability_coverage) == ("L3", 100.0, 100.0)
    assert {(change.ref, change.from_level, change.to_level, change.cause) for change in moved} == {
        (REF, None, "L3", "first_judged"),
        (QUILL, None, "L0", "first_judged"),
    }


def test_libraries_and_resources_have_no_scorecard(company, session):
    update(session, company.judging, None, NOW)
    assert set(session.scalars(select(Scorecard.entity_ref))) == {REF, QUILL}
    with pytest.raises(NotFound, match="no service component:default/ink"):
        read(session, company.judging, "component:default/ink", NOW)


def test_the_answer_holds_every_result_with_its_check_and_the_state_of_the_sources(company, session):
    update(session, company.judging, None, NOW)
    card = read(session, company.judging, REF, NOW)
    assert len(card["results"]) == 25
    found = result(card, "arch.deps_slo")
    assert found["sentence"] == "The weakest dependency promises 99.99 %; this service promises 99.95 %."
    assert found["level"] == "L2"
    assert found["guide"] == "docs/checks.md#arch-deps-slo"
    assert [source["name"] for source in card["sources"]] == ["prometheus", "openslo", "grafana", "argocd"]
    assert card["summary"].startswith("At L3 (ready for SRE support): it meets the L3 that T1 asks for. 25 checks pass")


def test_a_failing_check_lowers_the_level_says_what_to_do_and_what_it_gains(company, session):
    update(session, company.judging, None, NOW)
    changed = company.observe({"dashboard.metrics": ["http_requests_total"]}, now=LATER)
    (moved,) = update(session, company.judging, changed, LATER)
    assert (moved.from_level, moved.to_level, moved.cause) == ("L3", "L1", "service_changed")
    assert moved.checks == ("obs.slo.on_dashboard",)
    assert moved.sentence == "Fell from L3 to L1 by obs.slo.on_dashboard: the service changed."
    card = read(session, company.judging, REF, LATER)
    found = result(card, "obs.slo.on_dashboard")
    assert found["sentence"] == (
        "The dashboard lacks metrics that the SLO rests on: http_request_duration_seconds_bucket."
    )
    assert found["remedy"][0] == "Add a panel for each metric named here to the service's dashboard."
    assert found["gain"] == {
        "sentence": "A pass gains 20 points on observability and lifts the service to L3.",
        "axis_points": 20.0,
        "overall_points": 5.3,
        "bars_level": "L2",
        "others_on_axis": 0,
        "others_overall": 0,
        "axis_level": "L3",
        "overall_level": "L3",
    }
    assert card["distance"] == 2
    assert "lifts the service to L3" in card["next_steps"][0]["sentence"]
    changed = company.observe(
        {"dashboard.metrics": ["http_requests_total", "http_request_duration_seconds_bucket"]}, now=LATER + MINUTE
    )
    (back,) = update(session, company.judging, changed, LATER + MINUTE)
    assert back.sentence == "Rose from L1 to L3 by obs.slo.on_dashboard: the service changed."


def test_judging_again_on_the_same_evidence_writes_no_document_and_no_change(company, session):
    update(session, company.judging, None, NOW)
    session.commit()
    rows = session.scalar(select(func.count()).select_from(ScorecardChange))
    statements = []

    def note(conn, cursor, statement, parameters, context, executemany):
        statements.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert update(session, company.judging, None, NOW + MINUTE) == []
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert not [one for one in statements if one.startswith("INSERT")]
    assert kept(session).evaluated_at == NOW + MINUTE
    assert session.scalar(select(func.count()).select_from(ScorecardChange)) == rows


def test_the_number_of_statements_does_not_grow_with_the_number_of_services(company, session):
    def count(refs):
        statements = []

        def note(conn, cursor, statement, parameters, context, executemany):
            statements.append(statement)

        event.listen(session.get_bind(), "before_cursor_execute", note)
        try:
            update(session, company.judging, refs, NOW)
        finally:
            event.remove(session.get_bind(), "before_cursor_execute", note)
        return len(statements)

    few = count(None)
    documents = [
        SHAKESPEARE.replace("name: shakespeare", f"name: s{i}").replace("title: Shakespeare", f"title: S{i}")
        for i in range(60)
    ]
    company.write("many.yaml", "---".join(documents))
    session.query(Scorecard).delete()
    assert count(None) <= few + 1


def test_a_source_that_goes_dark_costs_the_level_as_lost_evidence_and_not_as_a_fault_of_the_service(company, session):
    update(session, company.judging, None, NOW)
    company.touch("prometheus", failure_kind="unreachable", failure_message="connection refused")
    after = NOW + 10 * DAY
    assert due(session, company.judging, after) == [QUILL, REF]
    (fallen,) = [change for change in update(session, company.judging, [REF], after) if change.ref == REF]
    assert fallen.cause == "evidence_lost"
    assert "evidence was lost, nothing is known to be worse" in fallen.sentence
    card = read(session, company.judging, REF, after)
    assert result(card, "cap.autoscale")["status"] == "unknown"
    assert "connection refused" in result(card, "cap.autoscale")["sentence"]
    assert card["coverage"] < 50
    assert kept(session).awaits_evidence


def test_the_same_value_observed_again_after_an_outage_brings_the_level_back(company, session):
    update(session, company.judging, None, NOW)
    later = NOW + 4 * DAY
    update(session, company.judging, None, later)
    assert kept(session).level == "L0"
    assert awaiting_evidence(session, [REF, QUILL]) == {REF, QUILL}
    company.write("shakespeare.yaml", SHAKESPEARE, later)
    changed = company.observe({key: GOOD[key] for key in GOOD if SOURCE_OF[key] != "catalog"}, now=later)
    company.observe({"slo.availability.target": 0.9999}, QUILL, now=later)
    assert changed == {REF}
    back = [change for change in update(session, company.judging, changed, later) if change.ref == REF]
    assert [(change.to_level, change.cause) for change in back] == [("L3", "evidence_gained")]


def test_a_reader_never_sees_a_pass_whose_evidence_has_gone_stale_meanwhile(company, session):
    update(session, company.judging, None, NOW)
    before = read(session, company.judging, REF, NOW)
    after = read(session, company.judging, REF, before["valid_until"] + timedelta(seconds=1))
    assert read(session, company.judging, REF, before["valid_until"])["level"] == "L3"
    assert after["level"] != "L3"
    assert after["evaluated_at"] == before["valid_until"] + timedelta(seconds=1)
    assert kept(session).level == "L3"


def test_a_reader_learns_of_a_failing_source_at_once(company, session):
    company.session.execute(facts.EntityFacts.__table__.delete().where(facts.EntityFacts.source == "grafana"))
    update(session, company.judging, None, NOW)
    company.touch("grafana", failure_kind="credentials", failure_message="401: token expired")
    assert due_for_sources(session, company.judging, NOW) == [QUILL, REF]
    found = result(read(session, company.judging, REF, NOW), "obs.slo.on_dashboard")
    assert "credentials: 401: token expired" in found["sentence"]
    assert found["causes"][0]["party"] == "portal_operators"


def test_a_failure_that_only_counts_on_is_no_new_failure(company, session):
    company.touch("grafana", failure_kind="timeout", failure_message="timed out after 10.1 s")
    update(session, company.judging, None, NOW)
    company.touch("grafana", failure_message="timed out after 10.4 s")
    assert due_for_sources(session, company.judging, NOW) == []


def test_a_dependency_that_lowers_its_promise_fails_the_service_that_depends_on_it(company, session):
    update(session, company.judging, None, NOW)
    changed = company.observe({"slo.availability.target": 0.99}, QUILL, now=LATER)
    assert changed == {QUILL}
    dependents = dependents_of(session, company.judging, changed)
    moved = {change.ref: change for change in update(session, company.judging, changed | dependents, LATER)}
    assert (moved[REF].to_level, moved[REF].checks) == ("L1", ("arch.deps_slo",))


def test_a_dependency_that_the_catalog_lacks_is_named(company, session):
    company.write("shakespeare.yaml", SHAKESPEARE.replace("component:quill", "component:gone"), NOW + MINUTE)
    update(session, company.judging, [REF], NOW + MINUTE)
    found = result(read(session, company.judging, REF, NOW + MINUTE), "arch.deps_slo")
    assert found["status"] == "unknown"
    assert "component:default/gone is not in the catalog" in found["sentence"]


def test_an_annotation_that_is_removed_is_known_to_be_gone_at_once(company, session):
    update(session, company.judging, None, NOW)
    text = "".join(line for line in SHAKESPEARE.splitlines(True) if "design-doc" not in line)
    company.write("shakespeare.yaml", text, LATER)
    (fallen,) = update(session, company.judging, [REF], LATER)
    assert (fallen.to_level, fallen.cause, fallen.checks) == ("L0", "service_changed", ("arch.design_doc",))


def test_a_changed_rule_is_told_apart_from_a_changed_service(company, session, tmp_path):
    update(session, company.judging, None, NOW)
    (tmp_path / "org.yaml").write_text(
        "overrides: [{check: arch.redundancy, change: {thresholds: {replicas: 30, zones: 2}}}]"
    )
    catalogue = only_known(load_catalogue([tmp_path / "org.yaml"], company.judging.specs))
    judging = replace(company.judging, catalogue=catalogue)
    assert due(session, judging, NOW) == [QUILL, REF]
    (fallen,) = update(session, judging, [REF], NOW + MINUTE)
    assert (fallen.to_level, fallen.cause) == ("L1", "rule_changed")
    assert due(session, judging, NOW) == [QUILL]


def test_changes_of_verdicts_are_kept_with_their_causes_latest_first(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    page = list_changes(session, company.judging, REF, None, 1)
    (latest,) = page.items
    assert (latest["check_id"], latest["from_status"], latest["to_status"]) == ("arch.redundancy", "pass", "fail")
    assert (latest["cause"], latest["at"]) == ("service_changed", LATER)
    assert latest["sentence"] == "Replicas: 1; at least 3 are asked for."
    rest = list_changes(session, company.judging, REF, page.next_cursor, 200)
    assert {one["check_id"] for one in rest.items} == set(company.judging.catalogue.checks)
    assert {one["cause"] for one in rest.items} == {"first_judged"}
    assert rest.next_cursor is None


def test_of_two_fresh_sources_the_one_configured_first_counts_and_the_other_steps_in(company, session):
    update(session, company.judging, None, NOW)
    company.session.execute(facts.EntityFacts.__table__.delete().where(facts.EntityFacts.source == "openslo"))
    specs = company.judging.specs
    facts.store(session, "openslo", [facts.Fact(REF, "slo.latency.target", 0.9, NOW)], specs, NOW)
    facts.store(session, "prometheus", [facts.Fact(REF, "slo.latency.target", 0.95, NOW)], specs, NOW)
    card = read(session, company.judging, REF, LATER)
    update(session, company.judging, [REF], LATER)
    card = read(session, company.judging, REF, LATER)
    (used,) = result(card, "obs.slo.latency")["facts"]
    assert (used["source"], used["value"]) == ("prometheus", 0.95)
    company.configure("openslo", "prometheus", "grafana", "argocd")
    update(session, company.judging, [REF], LATER)
    (used,) = result(read(session, company.judging, REF, LATER), "obs.slo.latency")["facts"]
    assert (used["source"], used["value"]) == ("openslo", 0.9)


def test_simulated_evidence_is_marked_wherever_it_is_used(company, session):
    company.configure("prometheus", "openslo", "grafana", "argocd", simulated=True)
    update(session, company.judging, None, NOW)
    card = read(session, company.judging, REF, NOW)
    assert "prometheus" in card["simulated_sources"]
    assert all(fact["simulated"] for fact in result(card, "cap.limits")["facts"])
    assert not any(fact["simulated"] for fact in result(card, "arch.design_doc")["facts"])


def test_a_service_that_left_the_catalog_leaves_no_scorecard_but_its_history(company, session):
    update(session, company.judging, None, NOW)
    forget(session, [REF])
    assert kept(session) is None
    assert facts.readings(session, [REF]) == {REF: {}}
    assert list_changes(session, company.judging, REF, None, 50).items


def test_a_service_that_became_a_library_loses_its_scorecard(company, session):
    update(session, company.judging, None, NOW)
    company.write("shakespeare.yaml", SHAKESPEARE.replace("type: service", "type: library"), LATER)
    update(session, company.judging, [REF], LATER)
    assert kept(session) is None


def test_standings_tell_the_distance_from_the_required_level(company, session):
    update(session, company.judging, None, NOW)
    both = {one["ref"]: (one["level"], one["required_level"], one["distance"]) for one in standings(session, None)}
    assert both == {REF: ("L3", "L3", 0), QUILL: ("L0", "L3", 3)}


def test_what_is_stored_of_a_service_is_small_enough_to_keep_many(company, session):
    update(session, company.judging, None, NOW)
    stored = len(kept(session).document) + len(orjson.dumps(kept(session).statuses))
    assert stored < 100 * len(company.judging.catalogue.checks)
