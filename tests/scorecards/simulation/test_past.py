"""What a changed catalogue would have said over past weeks: judged by the facts as they were then."""

from datetime import timedelta

import pytest

from portal_backend.core import clock
from portal_backend.core.errors import InvalidInput
from scorecards.scorecard import read, update
from scorecards.simulation.history import simulate_past
from tests.scorecards.conftest import OTHERS, QUILL, REF, SHAKESPEARE, SOURCES
from tests.scorecards.known_checks import judge_by_known, only_known
from tests.scorecards.samples import DAY, GOOD, NOW, SOURCE_OF
from tests.scorecards.simulation.test_simulation import STRICTER, changed
from tests.scorecards.test_timeline import waive

WEEK = timedelta(weeks=1)
END = NOW + 3 * WEEK
POST = "/api/scorecards/simulate/past"


@pytest.fixture
def judging(judging, app):
    """Only checks that the sample service shows something of."""
    return judge_by_known(judging, app)


@pytest.fixture
def weeks(company, session):
    """Three weeks: one replica for one of them, all else as it was; what was judged each week is returned."""
    judged = [_judged(company, session, NOW)]
    for number, replicas in ((1, 1), (2, 5), (3, 5)):
        _observe_all(company, NOW + number * WEEK, replicas)
        judged.append(_judged(company, session, NOW + number * WEEK))
    session.commit()
    return judged


def _observe_all(company, now, replicas):
    for name in SOURCES:
        company.touch(name, last_attempt_at=now, last_success_at=now)
    company.write("others.yaml", OTHERS, now)
    company.write("shakespeare.yaml", SHAKESPEARE, now)
    measured = {key: value for key, value in GOOD.items() if SOURCE_OF[key] != "catalog"}
    measured |= {
        key: clock.format_time(now - DAY)
        for key, value in measured.items()
        if isinstance(value, str) and "T" in value and key.endswith("_at")
    }
    company.observe({**measured, "runtime.replicas": replicas}, now=now)
    company.observe({"slo.availability.target": 0.9999}, QUILL, now)


def _judged(company, session, now):
    update(session, company.judging, None, now)
    card = read(session, company.judging, REF, now)
    return card["level"], {axis["axis"]: axis["level"] for axis in card["axes"]}, card["percent"]


def past(company, changes, refs=(REF,), weeks=4):
    pair = (company.judging.catalogue, only_known(changed(company, changes)) if changes else company.judging.catalogue)
    return simulate_past(company.session, company.judging, pair, refs, weeks, END)


def test_each_week_stands_as_it_was_judged_then(company, weeks):
    effect = past(company, {})
    assert [point.at for point in effect.points] == [NOW, NOW + WEEK, NOW + 2 * WEEK, END]
    told = [
        (
            *point.before.levels,
            {axis.value: next(iter(levels)) for axis, levels in point.before.axes.items()},
            point.before.percent,
        )
        for point in effect.points
    ]
    assert told == weeks
    assert len({level for level, *_ in weeks}) == 2
    assert all(point.before == point.after for point in effect.points)
    assert effect.summary == "No service of 1 would have stood at another level in any of 4 weeks."


def test_a_changed_threshold_is_put_beside_what_was_week_by_week(company, weeks):
    effect = past(company, STRICTER)
    assert [(point.lower, point.higher) for point in effect.points] == [(1, 0), (1, 0), (1, 0), (1, 0)]
    assert [dict(point.after.levels) for point in effect.points] == [{"L0": 1}] * 4
    assert effect.summary == (
        "Of 1 services, 1 would have stood lower in the first of 4 weeks and 1 in the last; at worst 1."
    )
    assert effect.versions[0] != effect.versions[1]


def test_before_anything_was_observed_nothing_passes(company, weeks):
    first = past(company, {}, weeks=6).points[0]
    assert first.at == NOW - 2 * WEEK
    assert dict(first.before.levels) == {"L0": 1}
    assert first.before.percent == 0


def test_what_was_never_observed_again_grows_stale(company, session):
    update(session, company.judging, None, NOW)
    effect = simulate_past(
        session, company.judging, (company.judging.catalogue, company.judging.catalogue), [REF], 2, NOW + 8 * WEEK
    )
    assert [dict(point.before.levels) for point in effect.points] == [{"L0": 1}, {"L0": 1}]


def test_a_waiver_counts_in_the_weeks_in_which_it_was_in_force(company, session, weeks):
    before = past(company, {}).points
    waive(session, "arch.redundancy", NOW + 10 * DAY)
    session.commit()
    after = past(company, {}).points
    assert before[1].before.levels == {"L1": 1}
    assert after[1].before.levels == {"L3": 1}
    assert after[2] == before[2]


def test_only_a_year_can_be_looked_back_on(company):
    with pytest.raises(InvalidInput, match="1 to 52 weeks"):
        past(company, {}, weeks=53)


def test_over_http_the_weeks_come_with_what_is_not_known(company, weeks, client, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(END))
    answer = client.post(POST, json={**STRICTER, "weeks": 2, "refs": [REF]})
    assert answer.status_code == 200, answer.json
    assert [point["lower"] for point in answer.json["points"]] == [1, 1]
    assert answer.json["points"][-1]["before"]["axes"].keys() >= {"capacity", "change"}
    assert any("one a day" in text for text in answer.json["not_known"])
    assert client.post(POST, json={"weeks": 0}).status_code == 400
    assert client.post(POST, json={"weeks": 2, "overrides": [{"check": "no.such"}]}).status_code == 400
