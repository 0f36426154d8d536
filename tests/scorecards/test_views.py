"""The HTTP side of scorecards."""

import pytest

from portal_backend.core import clock
from scorecards.schemas import ScorecardSchema
from scorecards.scorecard import read, update
from tests.scorecards.conftest import REF
from tests.scorecards.known_checks import judge_by_known
from tests.scorecards.samples import DAY, NOW

PATH = "/api/services/component/default/shakespeare/scorecard"


@pytest.fixture
def judging(judging, app):
    """The checks that the sample company has evidence for, whatever else the default catalogue asks."""
    return judge_by_known(judging, app)


@pytest.fixture
def judged(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    update(session, company.judging, None, NOW)
    session.commit()
    return company


def test_a_scorecard_is_read_whatever_the_case_of_its_path(judged, client):
    answer = client.get("/api/services/Component/Default/SHAKESPEARE/scorecard")
    assert answer.status_code == 200
    card = answer.json
    assert (card["ref"], card["level"], card["evaluated_at"]) == (REF, "L3", "2026-11-22T12:00:00Z")
    assert [axis["axis"] for axis in card["axes"]] == [
        "architecture",
        "observability",
        "emergency",
        "capacity",
        "change",
        "performance",
    ]
    assert {word for word, count in card["counts"].items() if count} == {"pass"}
    assert card["counts"]["pass"] == 25
    (fact,) = next(one for one in card["results"] if one["check"] == "cap.limits")["facts"]
    assert fact == {
        "key": "runtime.resources.set",
        "state": "fresh",
        "value": True,
        "unit": "",
        "display": "yes",
        "source": "prometheus",
        "simulated": False,
        "observed_at": "2026-11-22T12:00:00Z",
        "valid_until": fact["valid_until"],
    }


def test_the_answer_leaves_nothing_out_of_the_scorecard(judged, client, session):
    card = read(session, judged.judging, REF, NOW)
    answer = client.get(PATH).json

    def keys(value, path=""):
        if isinstance(value, dict):
            return {path} | {key for name, inner in value.items() for key in keys(inner, f"{path}.{name}")}
        if isinstance(value, list):
            return {key for inner in value for key in keys(inner, f"{path}[]")}
        return {path}

    assert keys(card) == keys(answer)
    assert set(ScorecardSchema().fields) == set(card)


def test_evidence_that_went_stale_since_shows_in_the_answer(judged, client, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 30 * DAY))
    card = client.get(PATH).json
    assert card["level"] == "L0"
    assert card["coverage"] < 10
    assert card["next_steps"]


def test_an_unchanged_scorecard_is_answered_by_its_etag_alone(judged, client):
    etag = client.get(PATH).headers["ETag"]
    assert client.get(PATH, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("name", ["nobody", "ink"])
def test_what_is_no_service_is_not_found(judged, client, name):
    answer = client.get(f"/api/services/component/default/{name}/scorecard")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert f"component:default/{name}" in answer.json["detail"]


def test_changes_are_paged(judged, client):
    first = client.get(f"{PATH}/changes?limit=20").json
    rest = client.get(f"{PATH}/changes?limit=20&cursor={first['next_cursor']}").json
    seen = [one["check"] for one in first["items"] + rest["items"]]
    assert len(seen) == len(set(seen)) == 25
    assert rest["next_cursor"] is None
    assert first["items"][0]["cause"] == "first_judged"


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}?depth=2",
        f"{PATH}/changes?limit=0",
        f"{PATH}/changes?limit=201",
        f"{PATH}/changes?cursor=x",
        f"{PATH}/changes?cursor=InRlc3QiZZ",
        f"{PATH}/changes?page=2",
        "/api/scorecards/checks?axis=change",
    ],
)
def test_an_unknown_or_bad_parameter_is_refused(judged, client, path):
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.json["errors"]


def test_changes_of_what_is_no_service_are_not_found(judged, client):
    assert client.get("/api/services/component/default/nobody/scorecard/changes").status_code == 404


def test_the_checks_are_listed_with_their_rules(judged, client):
    answer = client.get("/api/scorecards/checks").json
    assert len(answer["items"]) == 25
    assert answer["highest_level"] == "L3"
    (check,) = [one for one in answer["items"] if one["id"] == "chg.cfr"]
    assert check["rule"] == {
        "fact": "deploys.change_failure_rate_30d",
        "operator": "lessThanInclusive",
        "value": 0.15,
    }
    assert check["facts"] == ["deploys.change_failure_rate_30d", "deploys.count_30d"]
    assert client.get("/api/scorecards/checks/chg.cfr").json == check


def test_an_unknown_check_is_not_found(judged, client):
    assert client.get("/api/scorecards/checks/no.such").status_code == 404
