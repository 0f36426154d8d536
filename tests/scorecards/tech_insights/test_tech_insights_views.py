"""The Tech Insights API, route by route."""

import pytest

from plugins.contract import Fact
from portal_backend.core import clock
from scorecards.facts import store
from scorecards.quick_loading import looks_around
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import DAY, MINUTE, NOW
from tests.scorecards.tech_insights.conftest import MANY, MOUNT, ONE, by_id


def test_the_checks_are_listed_in_tech_insights_form(judged, client):
    checks = client.get(f"{MOUNT}/checks").json
    assert len(checks) == len(judged.judging.catalogue.checks)
    (check,) = [one for one in checks if one["id"] == "chg.cfr"]
    assert check["type"] == "json-rules-engine"
    assert check["factIds"] == ["deploys.change_failure_rate_30d", "deploys.count_30d"]
    assert check["rule"]["conditions"] == {
        "all": [{"fact": "deploys.change_failure_rate_30d", "operator": "lessThanInclusive", "value": 0.15}]
    }
    assert check["failureMetadata"]["solution"]
    assert check["metadata"]["axis"] == "change"


def test_every_rule_has_a_group_at_its_root(judged, client):
    """json-rules-engine refuses a rule whose root is a bare condition."""
    for check in client.get(f"{MOUNT}/checks").json:
        assert len(check["rule"]["conditions"].keys() & {"all", "any", "not"}) == 1


def test_every_id_of_a_check_leads_to_a_schema_that_declares_its_facts(judged, client):
    schemas = {schema["id"]: schema for schema in client.get(f"{MOUNT}/fact-schemas").json}
    for check in client.get(f"{MOUNT}/checks").json:
        for fact in check["factIds"]:
            assert schemas[fact][fact]["type"] in {"integer", "float", "string", "boolean", "datetime", "set"}


def test_a_run_on_one_entity_says_what_failed_and_why(judged, client):
    results = client.post(ONE, json={"checks": ["chg.cfr", "cap.limits"]}).json
    assert [(one["check"]["id"], one["result"]) for one in results] == [("cap.limits", True), ("chg.cfr", False)]
    failed = results[1]
    fact = failed["facts"]["deploys.change_failure_rate_30d"]
    assert (fact["value"], fact["type"]) == (0.4, "float")
    assert fact["metadata"]["source"] == "argocd"
    assert fact["metadata"]["observed_at"] == "2026-11-22T12:00:00Z"
    assert failed["check"]["metadata"]["status"] == "fail"
    assert "40" in failed["check"]["metadata"]["sentence"]
    assert failed["check"]["metadata"]["solution"]
    (condition,) = failed["check"]["rule"]["conditions"]["all"]
    assert (condition["factResult"], condition["valueResult"], condition["result"]) == (0.4, 0.15, False)
    assert failed["check"]["rule"]["conditions"]["priority"] == 1


@pytest.mark.parametrize("body", [{}, {"checks": None}])
def test_without_checks_all_run_that_apply(judged, client, body):
    card = client.get("/api/services/component/default/shakespeare/scorecard").json
    applying = {one["check"]: one["status"] for one in card["results"] if one["status"] != "not_applicable"}
    assert len(applying) > 20
    told = by_id(client.post(ONE, json=body).json)
    assert {check: result["check"]["metadata"]["status"] for check, result in told.items()} == applying
    assert {check: result["result"] for check, result in told.items()} == {
        check: status in {"pass", "inherited"} for check, status in applying.items()
    }


def test_no_checks_have_no_results(judged, client):
    assert client.post(ONE, json={"checks": []}).json == []
    assert client.post(MANY, json={"entities": [REF], "checks": []}).json == [{"entity": REF, "results": []}]


def test_a_check_that_there_is_not_is_not_found(judged, client):
    answer = client.post(ONE, json={"checks": ["nope"]})
    assert answer.status_code == 404
    assert answer.json["error"] == {
        "name": "NotFoundError",
        "message": "Tech insight check with id 'nope' is not registered.",
    }
    assert answer.json["request"] == {"method": "POST", "url": "/checks/run/default/component/shakespeare"}


@pytest.mark.parametrize("name", ["nobody", "ink", "%F0%9F%8E%AD"])
def test_what_is_no_service_has_no_results(judged, client, name):
    answer = client.post(f"{MANY}/default/component/{name}", json={})
    assert (answer.status_code, answer.json) == (200, [])


def test_one_and_many_give_the_same_verdicts_and_facts(judged, client):
    one = by_id(client.post(ONE, json={}).json)
    ((entity, results),) = [each.values() for each in client.post(MANY, json={"entities": [REF]}).json]
    many = by_id(results)
    assert entity == REF
    assert one.keys() == many.keys()
    for check, result in one.items():
        del result["check"]["metadata"]["sentence"]
        assert result == many[check]


def test_checks_that_look_at_no_other_service_read_none_and_say_the_same(judged, client, statements):
    """A service is loaded with those around it only where a check looks there."""
    all_of_it = by_id(client.post(ONE, json={}).json)
    alone = [check.id for check in judged.judging.catalogue.checks.values() if not looks_around(check)]
    counts = []
    for asked in (alone, list(judged.judging.catalogue.checks)):
        statements.clear()
        told = by_id(client.post(ONE, json={"checks": asked}).json)
        assert told == {check: result for check, result in all_of_it.items() if check in asked}
        counts.append(len(statements))
    assert 20 < len(alone) < len(judged.judging.catalogue.checks)
    assert counts[0] < counts[1]


def test_an_unknown_verdict_is_shown_and_is_no_pass(judged, client, session):
    client.post(MANY, json={"entities": [QUILL]})
    results = client.post(MANY, json={"entities": [QUILL], "checks": ["chg.cfr"]}).json[0]["results"]
    (result,) = results
    assert result["result"] is False
    assert result["check"]["metadata"]["status"] == "unknown"
    assert result["facts"] == {}
    assert result["check"]["rule"]["conditions"]["all"][0]["result"] is None


def test_what_went_stale_since_it_was_stored_is_no_pass_any_more(judged, client, monkeypatch):
    before = client.post(MANY, json={"entities": [REF], "checks": ["cap.limits"]}).json[0]["results"][0]
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 30 * DAY))
    after = client.post(MANY, json={"entities": [REF], "checks": ["cap.limits"]}).json[0]["results"][0]
    assert (before["result"], after["result"]) == (True, False)
    assert after["check"]["metadata"]["status"] == "unknown"
    assert after["facts"]["runtime.resources.set"]["metadata"]["state"] == "stale"


def test_entities_are_answered_in_the_order_asked_and_texts_echoed_as_sent(judged, client):
    asked = [
        "Component:Default/Quill",
        {"kind": "Component", "namespace": "Default", "name": "Shakespeare"},
        "component:default/nobody",
        "rubbish",
        {"kind": "Component", "metadata": {"name": "quill"}, "spec": {"type": "service"}},
        "component:quill",
    ]
    answer = client.post(MANY, json={"entities": asked, "checks": ["cap.limits"]}).json
    assert [one["entity"] for one in answer] == [
        "Component:Default/Quill",
        REF,
        "component:default/nobody",
        "rubbish",
        QUILL,
        "component:quill",
    ]
    assert [len(one["results"]) for one in answer] == [1, 1, 0, 0, 1, 1]


def test_an_unknown_check_is_the_error_of_each_entity_of_a_bulk_run(judged, client):
    answer = client.post(MANY, json={"entities": [REF, "x"], "checks": ["nope"]})
    assert answer.status_code == 200
    assert [one["entity"] for one in answer.json] == [REF, "x"]
    assert all(one["error"]["name"] == "NotFoundError" and one["results"] == [] for one in answer.json)


def test_no_entities_stand_for_every_service(judged, client):
    answer = client.post(MANY, json={"entities": []}).json
    assert [one["entity"] for one in answer] == [QUILL, REF]


def test_no_entities_and_nothing_judged_is_an_empty_list(client):
    assert client.post(MANY, json={"entities": []}).json == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MANY, {}),
        (MANY, {"entities": None}),
        (MANY, {"entities": "component:default/x"}),
        (MANY, {"entities": [None]}),
        (MANY, {"entities": [7]}),
        (MANY, {"entities": [{"kind": "component"}]}),
        (MANY, {"entities": [{"kind": 1, "name": []}]}),
        (MANY, {"entities": ["component:default/a\0b"]}),
        (MANY, {"entities": ["x" * 10_000]}),
        (MANY, {"entities": [], "checks": "chg.cfr"}),
        (MANY, {"entities": [], "checks": [1]}),
        (MANY, {"entities": [], "more": 1}),
        (ONE, {"checks": {"a": 1}}),
        (ONE, {"check": []}),
        (ONE, []),
        (ONE, "text"),
    ],
)
def test_a_bad_body_is_an_input_error(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json["error"]["name"] == "InputError"


@pytest.mark.parametrize("spelling", ["ids=slo.count&ids=x", "ids[]=slo.count", "ids%5B0%5D=slo.count&ids%5B1%5D=x"])
def test_lists_of_ids_come_in_three_spellings(judged, client, spelling):
    assert [one["id"] for one in client.get(f"{MOUNT}/fact-schemas?{spelling}").json] == ["slo.count"]
    answer = client.get(f"{MOUNT}/facts/latest?entity=component:default/shakespeare&{spelling}").json
    assert list(answer) == ["slo.count"]


def test_a_fact_schema_has_the_fact_beside_its_id(judged, client):
    (schema,) = client.get(f"{MOUNT}/fact-schemas?ids=slo.availability.target").json
    assert (schema["id"], schema["version"]) == ("slo.availability.target", "1.0.0")
    assert schema["slo.availability.target"]["type"] == "float"
    assert schema["slo.availability.target"]["metadata"]["unit"] == "ratio"
    assert client.get(f"{MOUNT}/fact-schemas?ids=nothing").json == []


def test_latest_facts_tell_when_they_were_observed(judged, client):
    query = "entity=Component:Default/Shakespeare&ids[0]=slo.count&ids[1]=deps.hard.min_slo_target&ids[2]=nope"
    answer = client.get(f"{MOUNT}/facts/latest?{query}").json
    assert answer["slo.count"] == {
        "id": "slo.count",
        "entity": {"namespace": "default", "kind": "component", "name": "shakespeare"},
        "timestamp": "2026-11-22T12:00:00Z",
        "version": "1.0.0",
        "facts": {"slo.count": 2},
        "state": "fresh",
        "source": "openslo",
    }
    assert answer["deps.hard.min_slo_target"]["facts"] == {"deps.hard.min_slo_target": 0.9999}
    assert "nope" not in answer


def test_a_stale_fact_says_so(judged, client, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 30 * DAY))
    answer = client.get(f"{MOUNT}/facts/latest?entity={REF}&ids=slo.count").json
    assert (answer["slo.count"]["facts"], answer["slo.count"]["state"]) == ({"slo.count": 2}, "stale")


def test_nothing_known_is_an_empty_object(judged, client):
    assert client.get(f"{MOUNT}/facts/latest?entity=component:default/nobody&ids=slo.count").json == {}
    span = "startDatetime=2020-01-01&endDatetime=2020-02-01"
    assert client.get(f"{MOUNT}/facts/range?entity={REF}&ids=slo.count&{span}").json == {}


def test_a_range_has_every_change_within_both_ends(judged, client, session):
    for days, count in ((3, 3), (2, 4), (1, 4), (0, 5)):
        fact = Fact(REF, "slo.count", count, NOW + (4 - days) * MINUTE)
        store(session, "openslo", [fact], judged.judging.specs, NOW + 5 * MINUTE)
    session.commit()
    path = f"{MOUNT}/facts/range?entity={REF}&ids=slo.count&startDatetime=2026-11-22T12:01:00Z"
    rows = client.get(f"{path}&endDatetime=2026-11-22T12:04:00.000Z").json["slo.count"]
    assert [row["facts"]["slo.count"] for row in rows] == [3, 4, 5]
    assert [row["timestamp"] for row in rows] == [f"2026-11-22T12:0{minute}:00Z" for minute in (1, 2, 4)]
    rows = client.get(f"{path}&endDatetime=2026-11-22T12:02:00%2B00:00").json["slo.count"]
    assert [row["facts"]["slo.count"] for row in rows] == [3, 4]


def test_without_ids_facts_are_unprocessable(judged, client):
    for path in (f"latest?entity={REF}", f"range?entity={REF}&startDatetime=x"):
        answer = client.get(f"{MOUNT}/facts/{path}")
        assert (answer.status_code, answer.json) == (422, {"error": "Failed to parse ids from request"})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "startDateTime"),
        ("startDatetime=soon&endDatetime=2026-11-22", "startDateTime"),
        ("startDatetime=2026-11-22", "endDateTime"),
        ("startDatetime=2026-11-22&endDatetime=9999-99-99", "endDateTime"),
        ("startDatetime=0001-01-01T00:00:00%2B23:59&endDatetime=2026-11-22", "startDateTime"),
    ],
)
def test_a_bad_time_is_unprocessable(judged, client, query, field):
    answer = client.get(f"{MOUNT}/facts/range?entity={REF}&ids=slo.count&{query}")
    assert answer.status_code == 422
    assert answer.json == {"message": "Failed to parse datetime from request", "field": field, "value": None}


@pytest.mark.parametrize("query", ["ids=a", "ids=a&entity=", "ids=a&entity=checkout", "ids=a&entity=c:d/e&more=1"])
def test_a_bad_entity_or_parameter_is_an_input_error(client, query):
    answer = client.get(f"{MOUNT}/facts/latest?{query}")
    assert answer.status_code == 400
    assert answer.json["error"]["name"] == "InputError"


def test_what_the_database_cannot_hold_names_nothing(judged, client):
    answer = client.get(f"{MOUNT}/facts/latest", query_string={"entity": "component:default/a\0b", "ids": "slo\0"})
    assert answer.status_code < 500
    assert client.post(f"{MANY}/default/component/a%00b", json={}).status_code < 500
    assert client.get(f"{MOUNT}/fact-schemas?ids=%00").status_code == 400
