"""Support: moved by people, adopted from before, rebuilt from the history."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from engagements import circumstances, history, rebuilding, support
from engagements.history import NewEvent
from engagements.models import Support
from engagements.support import SupportRecord, SupportState
from engagements.tiers import Cause, Circumstances, Tier
from portal_backend.core.db import db
from portal_backend.core.errors import Conflict, NotAllowed, NotFound, PreconditionFailed
from portal_backend.core.principal import Role
from tests.engagements.conftest import MANAGER, NOW, component, ref, somebody

GLOBE = ref("globe")
DEV_LEAD = somebody(Role.DEV_LEAD, name="will")
FREE_HOURS = Circumstances(owner="group:default/bards", consultation_hours_used=0, lifecycle="ga")


@pytest.fixture(autouse=True)
def globe(catalog_of):
    catalog_of(component("globe"), component("rose"))


def state(session, name="globe"):
    return support.current(session, [ref(name)])[ref(name)]


def ask(session, wanted=Tier.CONSULTATION, who=DEV_LEAD, given=FREE_HOURS, now=NOW, **more):
    return support.move(session, GLOBE, wanted, "we need advice", who, given, now, **more)


def record(name="globe", **more):
    values = {"tier": Tier.CONSULTATION, "since": NOW - timedelta(days=90), "decided_by": "mia", **more}
    return SupportRecord(ref(name), **values)


FULL = {
    "tier": Tier.FULL_SRE,
    "engagement_model": "simple_prr",
    "phase": "active",
    "evidence": {"prr_completed_at": "2026-01-01T00:00:00Z"},
    "usage_forecast_rps": 200.0,
}


def test_every_service_has_the_documentation_tier_until_somebody_moves_it(session):
    assert state(session) == SupportState(GLOBE)
    assert (state(session).tier, state(session).since, state(session).version) == (Tier.DOCUMENTATION, None, 0)


def test_the_documentation_tier_is_had_since_the_registration(session):
    assert support.read(session, GLOBE).since is None
    registered = NewEvent(GLOBE, "service.registered", NOW - timedelta(days=9), "catalog", "r1", "Registered")
    history.record(session, [registered], NOW)
    assert support.read(session, GLOBE).since == NOW - timedelta(days=9)
    ask(session)
    assert support.read(session, GLOBE) == state(session)


def test_a_move_is_told_in_the_history_and_seen_in_the_table(session):
    moved = ask(session)
    assert (moved.tier, moved.since, moved.version, moved.origin) == (Tier.CONSULTATION, NOW, 1, "portal")
    assert state(session) == moved
    event = history.read(session, GLOBE).items[0]
    assert (event.kind, event.actor, event.source, event.occurred_at) == ("tier.changed", "will", "portal", NOW)
    assert (event.details["from"], event.details["state"]["tier"]) == ("documentation", "consultation")
    assert event.details["roles"] == ["dev_lead"]
    assert "we need advice" in event.summary


def test_an_administrator_is_told_as_one(session):
    ask(session, who=somebody(Role.ADMINISTRATOR))
    assert history.read(session, GLOBE).items[0].details["roles"] == ["administrator"]


def test_a_move_to_the_present_tier_changes_nothing(session):
    first = ask(session)
    assert ask(session, now=NOW + timedelta(hours=1)) == first
    assert len(history.read(session, GLOBE).items) == 1


def test_a_refused_move_names_every_guard_and_leaves_no_trace(session):
    given = replace(FREE_HOURS, consultation_hours_used=40)
    with pytest.raises(Conflict) as refused:
        ask(session, who=somebody(Role.SRE), given=given)
    assert [fault.path for fault in refused.value.faults] == ["development_agrees", "consultation_hours"]
    session.rollback()
    assert state(session) == SupportState(GLOBE)
    assert history.read(session, GLOBE).items == []


def test_a_missing_role_alone_is_not_allowed(session):
    with pytest.raises(NotAllowed):
        ask(session, who=somebody(Role.DEV), given=replace(FREE_HOURS, dev_lead_consent="will"))


def test_a_stale_version_is_refused(session):
    ask(session, if_match=0)
    with pytest.raises(PreconditionFailed):
        ask(session, wanted=Tier.DOCUMENTATION, if_match=0)
    assert ask(session, wanted=Tier.DOCUMENTATION, if_match=1).version == 2


def test_a_completed_onboarding_and_disengagement_move_the_phase_too(session):
    sre_lead = somebody(Role.SRE_LEAD)
    from datetime import date

    onboarded = replace(FREE_HOURS, cause=Cause.ONBOARDED, prr_completed_on=date(2026, 9, 1))
    taken = ask(session, Tier.FULL_SRE, sre_lead, onboarded)
    assert (taken.tier, taken.phase) == (Tier.FULL_SRE, "active")
    back = ask(session, Tier.DOCUMENTATION, sre_lead, replace(onboarded, cause=Cause.DISENGAGED))
    assert (back.tier, back.phase) == (Tier.DOCUMENTATION, "disengaged")


def test_two_people_who_move_at_once_do_not_overwrite_each_other(app, session):
    session.commit()
    barrier, results = threading.Barrier(2), []

    def move():
        with app.app_context():
            engine = db.engine
        barrier.wait(10)
        try:
            with Session(engine) as own, own.begin():
                results.append(ask(own, if_match=0).version)
        except PreconditionFailed:
            results.append("refused")

    threads = [threading.Thread(target=move) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results, key=str) == [1, "refused"]
    assert [event.sequence for event in history.read(session, GLOBE).items] == [1]


def test_what_held_before_is_adopted_once(session):
    records = [record(**FULL), record("rose")]
    report = support.adopt(session, records, MANAGER, NOW)
    assert (report.recorded, report.unchanged, report.refused) == ([GLOBE, ref("rose")], [], [])
    adopted = state(session)
    assert (adopted.tier, adopted.phase, adopted.usage_forecast_rps) == (Tier.FULL_SRE, "active", 200.0)
    assert adopted.since == NOW - timedelta(days=90)
    again = support.adopt(session, records, MANAGER, NOW + timedelta(days=1))
    assert (again.recorded, again.unchanged) == ([], [GLOBE, ref("rose")])
    event = history.read(session, GLOBE).items
    assert [(e.source, e.actor, e.details["decided_by"]) for e in event] == [("import", "mia", "mia")]


def test_a_changed_record_is_adopted_again_and_the_old_one_after_it_too(session):
    for wanted in (FULL, {}, FULL):
        assert support.adopt(session, [record(**wanted)], MANAGER, NOW).recorded == [GLOBE]
    assert (state(session).tier, state(session).version) == (Tier.FULL_SRE, 3)


def test_what_people_decided_here_stands_against_an_import(session):
    support.adopt(session, [record()], MANAGER, NOW)
    ask(session, wanted=Tier.DOCUMENTATION)
    same = support.adopt(session, [record()], MANAGER, NOW)
    assert (same.unchanged, same.refused) == ([GLOBE], [])
    other = support.adopt(session, [record(**FULL), record("rose")], MANAGER, NOW)
    assert other.recorded == [ref("rose")]
    assert [fault.path for fault in other.refused] == [GLOBE]
    assert state(session).tier is Tier.DOCUMENTATION


def test_a_service_that_the_catalog_does_not_know_is_refused(session):
    report = support.adopt(session, [record("nowhere"), record()], MANAGER, NOW)
    assert ([fault.path for fault in report.refused], report.recorded) == ([ref("nowhere")], [GLOBE])


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SRE_MANAGER, Role.ADMINISTRATOR}))
def test_only_sre_managers_and_administrators_import(session, role):
    with pytest.raises(NotAllowed):
        support.adopt(session, [record()], somebody(role), NOW)


def test_the_support_can_be_rebuilt_from_the_history(session):
    support.adopt(session, [record(**FULL), record("rose")], MANAGER, NOW)
    support.move(session, ref("rose"), Tier.DOCUMENTATION, "enough", DEV_LEAD, FREE_HOURS, NOW)
    before = support.current(session, [GLOBE, ref("rose")])
    assert rebuilding.verify(session) == []
    session.execute(delete(Support).where(Support.entity_ref == GLOBE))
    session.execute(update(Support).where(Support.entity_ref == ref("rose")).values(tier="platform"))
    session.add(Support(**{**support.row_of(SupportState(ref("ghost"))), "since": NOW}))
    session.flush()
    assert rebuilding.verify(session) == [ref("ghost"), GLOBE, ref("rose")]
    assert rebuilding.rebuild(session) == [ref("ghost"), GLOBE, ref("rose")]
    assert rebuilding.verify(session) == []
    assert support.current(session, [GLOBE, ref("rose")]) == before


def consultation(name, hours, when, number):
    return NewEvent(ref(name), "consultation.held", when, "portal", f"c{number}", "Advice", details={"hours": hours})


def test_the_hours_of_all_services_of_the_team_in_this_quarter_count(session, judging):
    october, september = NOW.replace(month=10, day=1, hour=0), NOW.replace(month=9, day=30)
    history.record(
        session,
        [
            consultation("globe", 6, NOW, 1),
            consultation("rose", 2.5, october, 2),
            consultation("rose", 30, september, 3),
            consultation("elsewhere", 30, NOW, 4),
        ],
        NOW,
    )
    found = circumstances.gather(session, judging, GLOBE, "will", NOW)
    assert (found.consultation_hours_used, found.owner, found.lifecycle) == (8.5, "group:default/bards", "ga")
    assert found.dev_lead_consent == "will"


def test_an_advice_without_hours_leaves_the_sum_unknown(session, judging):
    history.record(session, [consultation("globe", None, NOW, 1)], NOW)
    assert circumstances.gather(session, judging, GLOBE, "", NOW).consultation_hours_used is None


def test_circumstances_that_nobody_reports_are_unknown(session, judging):
    found = circumstances.gather(session, judging, GLOBE, "", NOW)
    assert (found.conformance_passed, found.oncall_split_agreed, found.framework_supported) == (None, None, None)
    assert set(found.capabilities.values()) == {None}
    history.record(session, [NewEvent(GLOBE, "oncall.split_changed", NOW, "portal", "s", "Split")], NOW)
    assert circumstances.gather(session, judging, GLOBE, "", NOW).oncall_split_agreed is True


def test_circumstances_of_what_is_no_service_are_not_found(session, judging):
    with pytest.raises(NotFound):
        circumstances.gather(session, judging, ref("nowhere"), "", NOW)
