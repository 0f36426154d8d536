"""Two at once, the same again, a process that dies in the middle: history and state agree, nothing happens twice."""

import threading

import pytest
from sqlalchemy import delete, update
from sqlalchemy import event as listening
from sqlalchemy.orm import Session

from engagements import history, support
from engagements.lifecycle import idempotency, rebuilding, transitions
from engagements.lifecycle.models import Engagement, OnCallSplit, ServiceRevision
from engagements.lifecycle.states import Wish
from portal_backend.core.db import db
from portal_backend.core.errors import PreconditionFailed
from portal_backend.core.principal import Principal, Role
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE, REQUEST, START

MIA = Principal("mia", frozenset({Role.SRE_MANAGER}), frozenset({"*"}))
ACCEPT = {"to": "accepted", "sre_team": "sre"}


@pytest.fixture
def one(world):
    return steps.ask_for_review(world)


def test_the_same_transition_again_gives_the_same_answer_and_no_second_event(world, one):
    key = {"Idempotency-Key": "k-1"}
    first = world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers=key)
    assert first.status_code == 200
    world.moved("sally", one, "engagement")
    events = len(world.history())
    again = world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers=key)
    assert (again.status_code, again.json, again.headers["ETag"]) == (200, first.json, first.headers["ETag"])
    other = world.ask("mia", "POST", f"{one}/transitions", {**ACCEPT, "reason": "x"}, headers=key)
    assert (other.status_code, other.json["errors"][0]["field"]) == (409, "Idempotency-Key")
    assert world.state(one)[0] == "engagement"
    assert len(world.history()) == events


def test_without_a_key_what_holds_already_changes_nothing(world, one):
    accepted = world.moved("mia", one, "accepted", sre_team="sre")
    assert world.moved("mia", one, "accepted", sre_team="sre")["version"] == accepted["version"]


def test_who_asks_again_for_another_team_is_told_that_it_has_one(world, one):
    world.moved("mia", one, "accepted", sre_team="sre")
    other = world.ask("mia", "POST", f"{one}/transitions", {"to": "accepted", "sre_team": "others"})
    assert (other.status_code, other.json["errors"][0]["field"]) == (409, "sre_team")
    assert "another team is named when it starts" in other.json["detail"]


def test_a_request_that_was_refused_may_be_tried_again_under_its_key(world, one):
    key = {"Idempotency-Key": "k-2"}
    assert world.ask("mia", "POST", f"{one}/transitions", {"to": "accepted"}, headers=key).status_code == 409
    world.done("mia", "POST", f"{one}/transitions", ACCEPT, headers=key)
    assert world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers={"Idempotency-Key": ""}).status_code == 400


def test_a_request_for_an_engagement_is_taken_once_under_its_own_id(world):
    first = world.done("dora", "POST", "/api/engagements", {**REQUEST, "id": "globe-2026"})
    assert world.done("dora", "POST", "/api/engagements", {**REQUEST, "id": "globe-2026"}) == first
    assert world.ask("sam", "POST", "/api/engagements", {**REQUEST, "id": "globe-2026"}).status_code == 409
    assert world.ask("dora", "POST", "/api/engagements", {**REQUEST, "id": "Globe 2026"}).status_code == 400


def test_whoever_saw_another_version_is_refused(world, one):
    seen = world.ask("sam", "GET", one)
    tag = {"If-Match": seen.headers["ETag"]}
    world.done("dora", "PATCH", f"{one}/request", {"reason": "another"})
    assert world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers=tag).status_code == 412
    assert world.ask("dora", "PATCH", f"{one}/request", {"reason": "a third"}, headers=tag).status_code == 412
    assert world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers={"If-Match": "new"}).status_code == 400
    fresh = {"If-Match": world.ask("sam", "GET", one).headers["ETag"]}
    assert world.ask("mia", "POST", f"{one}/transitions", ACCEPT, headers=fresh).status_code == 200


def at_once(app, act, count=2):
    """Let several act at the same time, each in a session and a transaction of their own; return what came of it."""
    with app.app_context():
        engine = db.engine
    barrier, results = threading.Barrier(count), []

    def run(number):
        barrier.wait(20)
        try:
            with app.app_context(), Session(engine) as own, own.begin():
                results.append(act(own, number))
        except PreconditionFailed:
            results.append("refused")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def test_of_two_who_move_at_once_on_the_same_version_one_is_refused(app, world, session, one, judging):
    def accept(own, number):
        who = Principal(f"mia-{number}", MIA.roles, MIA.scopes)
        return transitions.make(
            own, judging, one, Wish("accepted", sre_team="group:default/sre"), who, START, 1
        ).version

    assert sorted(at_once(app, accept), key=str) == [2, "refused"]
    kinds = [event.kind for event in history.read(session, GLOBE).items]
    assert kinds.count("engagement.accepted") == 1


def test_two_engagements_that_start_at_once_are_not_given_the_same_room(app, world, session, one, judging):
    from tests.engagements.lifecycle.conftest import put_team

    swan = world.done("dora", "POST", "/api/engagements", {**REQUEST, "entity_ref": "component:default/swan"})["id"]
    for each in (one, swan):
        world.moved("mia", each, "accepted", sre_team="sre")
    put_team(session, 2.0)

    def start(own, number):
        from portal_backend.core.errors import Conflict

        try:
            return transitions.make(own, judging, (one, swan)[number], Wish("engagement"), MIA, START).state.value
        except Conflict as error:
            return [fault.path for fault in error.faults]

    assert sorted(at_once(app, start), key=str) == [["room"], "engagement"]


def test_the_same_key_at_once_acts_once(app, world, session, one):
    done = []

    def act(own, number):
        def once():
            done.append(number)
            return {"by": number}, 200

        return idempotency.once(own, "mia", "k", "digest", START, once)

    answers = at_once(app, act)
    assert (len(done), answers[0]) == (1, answers[1])


class Died(Exception):
    """The process ended."""


def test_a_process_that_dies_between_two_writes_leaves_nothing(world, session, judging):
    """Kill the transition with the most writes, the takeover with its change of tier, after each of its statements."""
    one = to_the_eve_of_the_takeover(world)
    before, ada = (
        (world.state(one), len(world.history())),
        Principal("ada", frozenset({Role.ADMINISTRATOR}), frozenset()),
    )
    deaths = 0
    while dies_after(
        session, deaths + 1, lambda own: transitions.make(own, judging, one, Wish("active"), ada, world.now)
    ):
        deaths += 1
        assert (world.state(one), len(world.history())) == before
        assert world.tier()["tier"] == "documentation"
        assert rebuilding.verify(session) == []
        session.rollback()
    assert deaths >= 6
    assert rebuilding.verify(session) == []
    assert support.current(session, [GLOBE])[GLOBE].tier == "full_sre"


def to_the_eve_of_the_takeover(world):
    one = steps.to_engagement(world)
    steps.agree(world, one)
    world.moved("sam", one, "analysis")
    steps.analyse(world, one)
    world.moved("sam", one, "improvement")
    steps.plan(world, one)
    world.moved("sally", one, "training")
    steps.train(world, one)
    world.moved("sally", one, "onboarding")
    steps.transfer(world, one, "shared")
    steps.spin_and_shadow(world, one)
    steps.back_up(world, one)
    return one


def dies_after(session, write, act):
    """Let an act die after so many writes; return whether it had so many."""
    count, engine = 0, session.get_bind()

    def die(_connection, _cursor, statement, *_rest):
        nonlocal count
        count += statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        if count == write:
            raise Died

    listening.listen(engine, "after_cursor_execute", die)
    try:
        with Session(engine) as own, own.begin():
            act(own)
    except Died:
        return True
    finally:
        listening.remove(engine, "after_cursor_execute", die)
    return False


def test_everything_is_made_again_from_the_history(world, session):
    one = steps.to_active(world)
    world.done("dora", "PUT", "/api/services/component/default/globe/revision", {"revision": "2"})
    split = {"routes": {"HostDown": "platform_infra"}}
    world.done("pia", "PUT", "/api/services/component/default/globe/oncall-split", split)
    world.moved("sally", one, "disengaging", outcome="importance_fell", reason="replaced")
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    world.no_lessons(one)
    world.moved("mia", one, "disengaged", forced=True)
    two = steps.ask_for_review(world)
    assert rebuilding.verify(session) == []
    shown = {each: world.show(each) for each in (one, two)}
    session.execute(update(Engagement).where(Engagement.id == one).values(state="active", sre_team="nobody"))
    session.execute(delete(Engagement).where(Engagement.id == two))
    session.execute(delete(ServiceRevision))
    session.execute(update(OnCallSplit).values(routes={}))
    session.commit()
    found = [str(each) for each in rebuilding.verify(session)]
    assert found[0] in {
        f"engagement {one} differs from its history in sre_team, state.",
        f"engagement {two} is missing; the history has it.",
    }
    assert len(found) == 4
    rebuilding.rebuild(session)
    session.commit()
    assert rebuilding.verify(session) == []
    assert {each: world.show(each) for each in (one, two)} == shown


def test_what_is_in_no_history_is_removed(world, session, one):
    row = session.get(Engagement, one)
    values = {column.name: getattr(row, column.name) for column in Engagement.__table__.columns}
    session.add(Engagement(**{**values, "id": "forged", "entity_ref": "component:default/rose"}))
    session.commit()
    assert [str(each) for each in rebuilding.rebuild(session)] == ["engagement forged is not in the history."]
    session.commit()
    assert session.get(Engagement, "forged") is None
