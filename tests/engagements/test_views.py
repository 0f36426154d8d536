"""HTTP: the service list, moves of the tier, history and triage."""

import pytest

from engagements import history, support
from engagements.history import NewEvent
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage_lists.refresh import refresh
from portal_backend.core import auth, clock
from portal_backend.core.principal import Principal, Role
from tests.engagements.conftest import MANAGER, NOW, component, ref

GLOBE = "/api/services/component/default/globe"


@pytest.fixture(autouse=True)
def company(catalog_of, session, judging):
    catalog_of(
        component("globe", annotations={"criticality": "T1"}, tags=["web"]),
        component("rose", owner="players"),
        component("site", kind="website"),
    )
    support.adopt(session, [SupportRecord(ref("rose"), Tier.FULL_SRE, NOW, "mia", "early", "active")], MANAGER, NOW)
    events = [
        NewEvent(ref("globe"), kind, NOW.replace(hour=hour), source, f"e{hour}", f"Event {hour}")
        for hour, (kind, source) in enumerate([("deploy.finished", "argocd")] * 3 + [("alert.fired", "prometheus")] * 2)
    ]
    history.record(session, events, NOW)
    refresh(session, judging, None, clock.now())
    session.commit()


@pytest.fixture
def acting(monkeypatch):
    """Let requests come from somebody with these roles."""

    def be(*roles):
        somebody = Principal("ann", frozenset(roles), frozenset({"*"}))
        monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", somebody)

    return be


def test_the_list_is_filtered_sorted_and_counted(client):
    body = client.get("/api/services?criticality=T1&sort=-change.percent&include_total=true").json
    assert [item["ref"] for item in body["items"]] == ["component:default/globe"]
    assert (body["total"], body["next_cursor"]) == (1, None)
    assert client.get("/api/services").json["total"] is None


def test_a_repeated_parameter_widens_and_dotted_ones_work(client):
    body = client.get("/api/services?tier=full_sre&tier=documentation&change.level=none&q=o").json
    assert [item["name"] for item in body["items"]] == ["globe", "rose"]


def test_pages_follow_their_cursor(client):
    first = client.get("/api/services?limit=1").json
    second = client.get("/api/services", query_string={"limit": 1, "cursor": first["next_cursor"]}).json
    assert [first["items"][0]["name"], second["items"][0]["name"]] == ["globe", "rose"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("sort=colour", "sort"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=x", "cursor"),
        ("tier=premium", "tier"),
        ("level=L9", "level"),
        ("change.level=high", "change.level"),
        ("criticality=T7", "criticality"),
        ("q=%00", "q"),
        ("tag=%00", "tag"),
        ("owner=%00", "owner"),
        ("phase=%00", "phase"),
    ],
)
def test_what_the_list_does_not_know_is_a_400_that_names_it(client, query, field):
    answer = client.get(f"/api/services?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert any(field in error["field"] for error in answer.json["errors"]), answer.json


def test_one_service_in_any_case(client):
    body = client.get("/api/services/Component/DEFAULT/Globe").json
    assert (body["ref"], body["support"]["tier"], body["support"]["version"]) == (ref("globe"), "documentation", 0)


@pytest.mark.parametrize(
    "path", ["component/default/nowhere", "component/default/site", "group/default/bards", "component/default/a%00b"]
)
@pytest.mark.parametrize("below", ["", "/history", "/tier"])
def test_what_is_no_service_is_a_404(client, path, below):
    assert client.get(f"/api/services/{path}{below}").status_code == 404


def test_the_history_is_filtered_and_paged(client):
    whole = client.get(f"{GLOBE}/history").json
    assert [event["source_event_id"] for event in whole["items"]] == ["e4", "e3", "e2", "e1", "e0"]
    assert whole["items"][0]["occurred_at"] == "2026-11-22T04:00:00Z"
    deploys = client.get(f"{GLOBE}/history?kind=deploy.finished&source=argocd&since=2026-11-22T01:00:00Z").json
    assert [event["source_event_id"] for event in deploys["items"]] == ["e2", "e1"]
    first = client.get(f"{GLOBE}/history?limit=3").json
    rest = client.get(f"{GLOBE}/history", query_string={"limit": 3, "cursor": first["next_cursor"]}).json
    assert [event["source_event_id"] for event in rest["items"]] == ["e1", "e0"]


@pytest.mark.parametrize(
    "query", ["kind=deploy", "since=yesterday", "since=2026-11-22T01:00:00", "page=2", "cursor=e30"]
)
def test_a_faulty_history_query_is_a_400(client, query):
    assert client.get(f"{GLOBE}/history?{query}").status_code == 400


def test_a_move_answers_the_new_support_with_its_tag(client, acting):
    acting(Role.DEV_LEAD)
    tag = client.get(f"{GLOBE}/tier").headers["ETag"]
    answer = client.post(f"{GLOBE}/tier", json={"tier": "consultation", "reason": "we grow"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json["tier"], answer.json["version"]) == (200, "consultation", 1)
    assert answer.headers["ETag"] == '"1"'
    assert client.get(f"{GLOBE}/tier").headers["ETag"] == '"1"'
    event = client.get(f"{GLOBE}/history?kind=tier.changed").json["items"][0]
    assert (event["actor"], event["details"]["state"]["tier"]) == ("ann", "consultation")


def test_a_move_on_ground_that_shifted_is_a_412(client, acting):
    acting(Role.DEV_LEAD)
    wish = {"tier": "consultation", "reason": "we grow"}
    assert client.post(f"{GLOBE}/tier", json=wish, headers={"If-Match": '"7"'}).status_code == 412
    assert client.post(f"{GLOBE}/tier", json=wish, headers={"If-Match": "seven"}).status_code == 400
    assert client.post(f"{GLOBE}/tier", json=wish, headers={"If-Match": "*"}).status_code == 200


def test_a_refused_move_is_a_409_with_every_guard(client, acting):
    acting(Role.SRE)
    answer = client.post(f"{GLOBE}/tier", json={"tier": "full_sre", "reason": "please"})
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert [error["field"] for error in answer.json["errors"]] == ["way", "role", "review_completed"]
    platform = client.post(f"{GLOBE}/tier", json={"tier": "platform", "reason": "please"}).json["errors"]
    assert len(platform) == 7


def test_a_move_that_only_lacks_the_role_is_a_403(client, acting):
    acting(Role.DEV)
    body = {"tier": "consultation", "reason": "please", "consented_by": "will"}
    assert client.post(f"{GLOBE}/tier", json=body).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"tier": "consultation"}, {"tier": "x", "reason": "y"}, {"tier": "consultation", "reason": ""},
             {"tier": "consultation", "reason": "y", "colour": "red"}, {"tier": "consultation", "reason": "a\0b"}],
)  # fmt: skip
def test_a_faulty_wish_is_a_400(client, body):
    answer = client.post(f"{GLOBE}/tier", json=body)
    assert answer.status_code == 400
    assert answer.json["errors"]


def test_triage_answers_both_lists_or_the_one_asked_for(client):
    both = client.get("/api/engagements/triage").json
    assert [row["ref"] for row in both["onboard"]["items"]] == [ref("globe")]
    assert [row["ref"] for row in both["hand_back"]["items"]] == [ref("rose")]
    assert list(client.get("/api/engagements/triage?direction=hand_back").json) == ["hand_back"]
    row = both["onboard"]["items"][0]
    assert row["value"] == pytest.approx(sum(term["points"] for term in row["terms"]))
    assert [reason["rule"] for reason in row["reasons"]] == ["R1", "R2", "value"]
    assert row["cost"]["sre_quarters"] == [4, 9]
    assert row["next_act"]
    rules = both["hand_back"]["items"][0]["rules"]
    assert [rule["id"] for rule in rules] == ["D1", "D2", "D3", "D4", "D5"]
    assert all(
        {"state", "value", "threshold", "observed_at", "source", "cause"} <= set(rule["terms"][0]) for rule in rules
    )


@pytest.mark.parametrize(
    "query", ["direction=sideways", "limit=0", "cursor=e30", "direction=onboard&cursor=e30", "top=3"]
)
def test_a_faulty_triage_query_is_a_400(client, query):
    assert client.get(f"/api/engagements/triage?{query}").status_code == 400


def test_whoever_guesses_a_field_wrong_is_told_those_that_there_are(client):
    body = {"service": "component:default/globe", "staffing": {"devs": 2}}
    answer = client.post("/api/engagements", json=body)
    assert answer.status_code == 400
    said = {fault["field"]: fault["message"] for fault in answer.json["errors"]}
    assert said["service"].startswith("Unknown field; there are ")
    assert "entity_ref" in said["service"]
    assert "developers" in said["staffing.devs"]
    (fault,) = client.get("/api/engagements?colour=red").json["errors"]
    assert fault["message"].startswith("Unknown field; there are ")
    assert "service" in fault["message"]
