"""Campaigns: checks that a part of the fleet is to pass by a day, and how far it is."""

from dataclasses import replace
from threading import Thread

import pytest
from sqlalchemy import select

from engagements.models import HistoryEvent, Support
from portal_backend import exception_events
from portal_backend.core import auth
from portal_backend.core.principal import Principal, Role
from scorecards.campaigns.models import CampaignDay
from scorecards.campaigns.progress import Member, Stand, add_up, stand_of
from scorecards.judging import init_app
from scorecards.scorecard import update
from tests.scorecards.exceptions.conftest import QUILL, SHAKESPEARE
from tests.scorecards.samples import DAY, NOW

ALL = "/api/scorecards/campaigns"
SRE = [Role.SRE_LEAD]
SHAKESPEARE_REF, QUILL_REF = "component:default/shakespeare", "component:default/quill"
PLAN = {
    "title": "Limits everywhere",
    "reason": "A neighbour without limits starved the checkout in October.",
    "owner": "group:default/sre",
    "checks": ["cap.limits"],
    "due_on": "2026-12-31",
}
MORE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: inkwell, tags: [batch]}
spec: {type: service, lifecycle: production, owner: scribes, system: writing}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: writing}
spec: {owner: scribes}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: scribes}
spec: {type: team, children: []}
"""


def plan(call, name="limits", roles=SRE, headers=None, **changes):
    return call("sue", roles, "put", f"{ALL}/{name}", {**PLAN, **changes}, **(headers or {}))


def read(call, name="limits"):
    return call("x", [], "get", f"{ALL}/{name}").json


def services(call, query="", name="limits"):
    items = call("x", [], "get", f"{ALL}/{name}/services{query}").json["items"]
    return {one["ref"]: one["stand"] for one in items}


def exempt(call, path="component/default/quill", roles=SRE, method="put", name="limits", **changes):
    body = {"reason": "It is switched off in January.", "until": "2027-01-31T00:00:00Z", **changes}
    given = (body,) if method == "put" else ()
    return call("sue", roles, method, f"{ALL}/{name}/exemptions/{path}", *given)


@pytest.fixture
def fleet(call, judged, session):
    """A third service, of another team."""
    judged.write("more.yaml", MORE)
    update(session, judged.judging, None, NOW)
    session.commit()
    return call


def test_progress_counts_who_passes_who_fails_and_who_cannot_be_judged(fleet, judged, session):
    judged.observe({"runtime.resources.set": False}, QUILL_REF)
    update(session, judged.judging, None, NOW)
    session.commit()
    assert plan(fleet).status_code == 200
    told = read(fleet)
    assert told["state"] == "planned"
    progress = told["progress"]
    assert progress["total"] == {"done": 1, "open": 1, "unknown": 1, "exempt": 0, "percent": 33.3}
    assert progress["teams"] == [
        {"owner": "group:default/bards", "done": 1, "open": 1, "unknown": 0, "exempt": 0, "percent": 50.0},
        {"owner": "group:default/scribes", "done": 0, "open": 0, "unknown": 1, "exempt": 0, "percent": 0.0},
    ]
    assert (progress["days_left"], progress["overdue"], progress["as_of"]) == (39, False, "2026-11-22T12:00:00Z")
    assert services(fleet) == {QUILL_REF: "open", "component:default/inkwell": "unknown"}
    assert services(fleet, "?stand=done") == {SHAKESPEARE_REF: "done"}
    assert services(fleet, "?owner=group:default/scribes") == {"component:default/inkwell": "unknown"}


@pytest.mark.parametrize(
    ("target", "refs"),
    [
        ({}, {"shakespeare", "quill", "inkwell"}),
        ({"owner": ["Bards"]}, {"shakespeare", "quill"}),
        ({"system": ["writing"]}, {"inkwell"}),
        ({"tag": ["batch", "nothing"]}, {"inkwell"}),
        ({"tag": ["GO"]}, {"shakespeare"}),
        ({"criticality": ["T1"]}, {"shakespeare", "quill"}),
        ({"criticality": ["T1"], "tag": ["go"]}, {"shakespeare"}),
        ({"ref": ["quill", "component:default/inkwell"]}, {"quill", "inkwell"}),
        ({"tier": ["full_sre"]}, {"quill"}),
        ({"tier": ["documentation"]}, {"shakespeare", "inkwell"}),
        ({"owner": ["group:default/nobody"]}, set()),
    ],
)
def test_the_target_says_which_services_are_meant(fleet, session, target, refs):
    session.add(
        Support(entity_ref=QUILL_REF, tier="full_sre", since=NOW, evidence={}, reason="", origin="portal", version=1)
    )
    session.commit()
    assert plan(fleet, target=target).status_code == 200
    every = services(fleet, "?stand=open&stand=unknown&stand=done&stand=exempt")
    assert set(every) == {f"component:default/{name}" for name in refs}


def test_an_exempt_service_leaves_both_sides_of_the_share_until_its_end(fleet, session, at):
    plan(fleet)
    assert exempt(fleet).status_code == 200
    assert read(fleet)["progress"]["total"] == {"done": 1, "open": 0, "unknown": 1, "exempt": 1, "percent": 50.0}
    listed = fleet("x", [], "get", f"{ALL}/limits/exemptions").json["items"]
    assert [(one["ref"], one["granted_by"], one["until"]) for one in listed] == [
        (QUILL_REF, "sue", "2027-01-31T00:00:00Z")
    ]
    at(NOW + 70 * DAY)
    assert services(fleet)[QUILL_REF] == "unknown"
    at(NOW)
    assert [exempt(fleet, method="delete").status_code for _ in range(2)] == [204, 204]
    assert services(fleet)[QUILL_REF] == "unknown"
    query = select(HistoryEvent.kind).where(HistoryEvent.entity_ref == QUILL_REF, HistoryEvent.kind.like("campaign.%"))
    assert list(session.scalars(query)) == ["campaign.exempted", "campaign.exemption_ended"]


def test_an_exemption_takes_a_reason_an_end_and_somebody_who_may(fleet):
    plan(fleet)
    assert exempt(fleet, roles=[Role.SRE]).status_code == 403
    assert exempt(fleet, reason="no").status_code == 400
    assert exempt(fleet, until="2026-11-22T12:00:00Z").status_code == 400
    assert exempt(fleet, until="2027-05-21T12:00:01Z").status_code == 400
    assert exempt(fleet, path="component/default/ink").status_code == 404
    assert exempt(fleet, name="nothing").status_code == 404
    first, second = exempt(fleet), exempt(fleet)
    assert first.json == second.json


def test_waived_checks_exempt_and_checks_that_do_not_apply_leave_out():
    def member(exempt=False, **statuses):
        return Member("component:default/a", "group:default/b", statuses, exempt)

    checks = ["one", "two"]
    assert stand_of(member(one="pass", two="inherited"), checks) is Stand.DONE
    assert stand_of(member(one="pass", two="waived"), checks) is Stand.EXEMPT
    assert stand_of(member(one="fail", two="waived"), checks) is Stand.OPEN
    assert stand_of(member(one="fail", two="unknown"), checks) is Stand.OPEN
    assert stand_of(member(one="pass"), checks) is Stand.UNKNOWN
    assert stand_of(member(one="pass", two="not_applicable"), checks) is Stand.DONE
    assert stand_of(member(True, one="fail", two="fail"), checks) is Stand.EXEMPT
    assert stand_of(member(True, one="not_applicable", two="not_applicable"), checks) is Stand.NOT_APPLICABLE
    assert add_up([member(one="not_applicable", two="not_applicable")], checks).total.percent is None


def test_a_campaign_runs_from_plan_to_close(fleet):
    plan(fleet)
    states = [fleet("sue", SRE, "post", f"{ALL}/limits/start").json["state"] for _ in range(2)]
    assert states == ["active", "active"]
    assert fleet("sue", SRE, "post", f"{ALL}/limits/close", {}).status_code == 400
    body = {"reason": "All but two services have limits."}
    closed = [fleet("sue", SRE, "post", f"{ALL}/limits/close", body) for _ in range(2)]
    assert [(one.json["state"], one.headers["ETag"]) for one in closed] == [("closed", '"3"')] * 2
    assert fleet("sue", SRE, "post", f"{ALL}/limits/start").status_code == 409
    assert plan(fleet, title="Other").status_code == 409
    assert exempt(fleet).status_code == 409
    assert [one["name"] for one in fleet("x", [], "get", f"{ALL}?state=closed").json["items"]] == ["limits"]
    assert fleet("x", [], "get", f"{ALL}?state=active").json["items"] == []


def test_an_active_campaign_past_its_day_with_something_left_is_overdue(fleet, at):
    plan(fleet, due_on="2026-11-22")
    fleet("sue", SRE, "post", f"{ALL}/limits/start")
    assert (read(fleet)["progress"]["days_left"], read(fleet)["progress"]["overdue"]) == (0, False)
    at(NOW + DAY)
    assert (read(fleet)["progress"]["days_left"], read(fleet)["progress"]["overdue"]) == (-1, True)
    mine = [fleet("x", [], "get", f"{url}/campaigns").json["items"][0] for url in (QUILL, SHAKESPEARE)]
    assert [(one["stand"], one["overdue"]) for one in mine] == [("unknown", True), ("done", False)]


def test_progress_is_kept_a_point_a_day(fleet, judged, session, at, app):
    plan(fleet)
    fleet("sue", SRE, "post", f"{ALL}/limits/start")
    at(NOW + DAY)
    with app.app_context():
        exception_events.upkeep()
    judged.observe({"runtime.resources.set": True}, QUILL_REF, NOW + DAY)
    update(session, judged.judging, [QUILL_REF], NOW + DAY)
    session.commit()
    with app.app_context():
        exception_events.upkeep()
    days = fleet("x", [], "get", f"{ALL}/limits/history").json["items"]
    assert [(one["day"], one["done"], one["unknown"]) for one in days] == [("2026-11-22", 1, 2), ("2026-11-23", 1, 2)]
    at(NOW + DAY + DAY / 12)
    with app.app_context():
        exception_events.upkeep()
    days = fleet("x", [], "get", f"{ALL}/limits/history?since=2026-11-23").json["items"]
    assert [(one["day"], one["done"], one["percent"]) for one in days] == [("2026-11-23", 2, 66.7)]
    session.expire_all()
    assert len(session.scalars(select(CampaignDay)).all()) == 2


def test_a_service_sees_the_running_campaigns_that_it_takes_part_in(fleet):
    plan(fleet)
    plan(fleet, "signals", title="Signals", checks=["obs.golden", "cap.limits"], due_on="2026-12-01")
    plan(fleet, "others", target={"owner": ["scribes"]})
    for name in ("limits", "signals", "others"):
        fleet("sue", SRE, "post", f"{ALL}/{name}/start")
    items = fleet("x", [], "get", f"{QUILL}/campaigns").json["items"]
    assert [(one["campaign"], one["stand"], one["days_left"]) for one in items] == [
        ("signals", "unknown", 9),
        ("limits", "unknown", 39),
    ]
    assert [(one["check"], one["status"], one["title"]) for one in items[0]["lacking"]] == [
        ("obs.golden", "unknown", "Four golden signals are exported"),
        ("cap.limits", "unknown", "Requests and limits are set"),
    ]
    assert {(one["reason"], one["asked_by"], one["overdue"]) for one in items} == {
        (PLAN["reason"], "group:default/sre", False)
    }
    assert [one["stand"] for one in fleet("x", [], "get", f"{SHAKESPEARE}/campaigns").json["items"]] == ["done", "done"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"checks": []}, "checks"),
        ({"checks": ["cap.limits", "no.such"]}, "checks[1]"),
        ({"checks": ["cap.limits"] * 21}, "checks"),
        ({"due_on": "2026-11-21"}, "due_on"),
        ({"due_on": "soon"}, "due_on"),
        ({"reason": "why"}, "reason"),
        ({"owner": "group:"}, "owner"),
        ({"target": {"owner": ["group:"]}}, "target.owner[0]"),
        ({"target": {"criticality": ["T9"]}}, "target.criticality[0]"),
        ({"target": {"colour": ["red"]}}, "target.colour"),
        ({"target": {"tag": ["nul\0"]}}, "target.tag[0]"),
        ({"state": "active"}, "state"),
    ],
)
def test_a_plan_with_faults_is_refused_with_the_field_at_fault(call, changes, field):
    answer = plan(call, **changes)
    assert answer.status_code == 400, answer.json
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


def test_a_plan_is_replaced_by_whoever_saw_it_last(call):
    assert plan(call).headers["ETag"] == '"1"'
    assert plan(call).headers["ETag"] == '"1"'
    assert plan(call, title="New", headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert plan(call, title="Newer", headers={"If-Match": '"1"'}).status_code == 412
    assert plan(call, roles=[Role.DEV_LEAD]).status_code == 403
    assert call("sue", [Role.DEV], "post", f"{ALL}/limits/start").status_code == 403
    assert plan(call, "Upper").status_code == 400
    assert call("x", [], "get", f"{ALL}/nothing").status_code == 404
    assert call("x", [], "get", f"{ALL}/nothing/history").status_code == 404


def test_a_reader_is_told_when_progress_moved_though_the_plan_did_not(fleet, judged, session):
    plan(fleet)
    tag = fleet("x", [], "get", f"{ALL}/limits").headers["ETag"]
    assert fleet("x", [], "get", f"{ALL}/limits", **{"If-None-Match": tag}).status_code == 304
    judged.observe({"runtime.resources.set": True}, QUILL_REF)
    update(session, judged.judging, [QUILL_REF], NOW)
    session.commit()
    assert fleet("x", [], "get", f"{ALL}/limits", **{"If-None-Match": tag}).status_code == 200
    assert plan(fleet, title="New", headers={"If-Match": tag}).status_code == 200


def test_a_check_that_the_catalogue_no_longer_has_holds_nobody_back(fleet, judged, app):
    plan(fleet, checks=["cap.limits", "er.drill"])
    assert services(fleet)[SHAKESPEARE_REF] == "unknown"
    checks = {key: check for key, check in judged.judging.catalogue.checks.items() if key != "er.drill"}
    init_app(app, replace(judged.judging, catalogue=replace(judged.judging.catalogue, checks=checks)))
    assert SHAKESPEARE_REF not in services(fleet)
    assert read(fleet)["progress"]["dropped_checks"] == ["er.drill"]
    assert read(fleet)["checks"] == ["cap.limits", "er.drill"]


def test_two_plan_at_once_and_both_are_told_what_stands(call, app, session, monkeypatch):
    call("sue", SRE, "get", ALL)
    monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", Principal("sue", frozenset(SRE), frozenset({"*"})))
    answers = []

    def send(title: str) -> None:
        body = {**PLAN, "title": title}
        answers.append(app.test_client().put(f"{ALL}/limits", json=body, headers={"If-Match": '"0"'}).status_code)

    threads = [Thread(target=send, args=(title,)) for title in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 412, 412]


def test_lists_are_paged_without_gap(fleet):
    for number in range(3):
        plan(fleet, f"campaign-{number}")

    def every(path, key):
        seen, cursor = [], ""
        while cursor is not None:
            joint = "&" if "?" in path else "?"
            page = fleet("x", [], "get", f"{path}{joint}limit=1{cursor and '&cursor='}{cursor}").json
            seen += [one[key] for one in page["items"]]
            cursor = page["next_cursor"]
        return seen

    assert every(ALL, "name") == ["campaign-0", "campaign-1", "campaign-2"]
    stands = "?stand=unknown&stand=done"
    assert every(f"{ALL}/campaign-0/services{stands}", "ref") == [
        "component:default/inkwell",
        "component:default/quill",
        "component:default/shakespeare",
    ]
    assert fleet("x", [], "get", f"{ALL}/campaign-0/services?cursor=WzFd").status_code == 400
    assert fleet("x", [], "get", f"{ALL}/campaign-0/services?stand=lost").status_code == 400
