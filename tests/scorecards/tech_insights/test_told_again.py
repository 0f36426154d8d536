"""What a run reads, and what of its answers is told again without being judged anew."""

import pytest

from portal_backend.core import clock
from portal_backend.core.remembering import OVERHEAD
from scorecards.facts import forget
from scorecards.scorecard import update
from scorecards.tech_insights.shelf import Fragment, Shelf
from scorecards.tech_insights.tokens import STATE
from scorecards.tech_insights.views import SHELF
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import DAY, MINUTE, NOW
from tests.scorecards.tech_insights.conftest import MANY, by_id

MIN_TARGET = "deps.hard.min_slo_target"

MORE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: service-{number}}}
spec: {{type: service, lifecycle: production, owner: bards, dependsOn: [component:quill]}}
"""


def test_a_run_reads_in_as_many_queries_for_forty_services_as_for_two(judged, client, session, app, statements):
    judged.write("more.yaml", "---".join(MORE.format(number=number) for number in range(40)))
    update(session, judged.judging, None, NOW)
    session.commit()
    counts = []
    more = [f"component:default/service-{number}" for number in range(40)]
    for entities in ([REF, QUILL], [REF, QUILL, *more]):
        statements.clear()
        app.extensions.pop(SHELF, None)  # nothing is answered from before
        answer = client.post(MANY, json={"entities": entities}).json
        assert all(one["results"] for one in answer)
        counts.append(len(statements))
    assert counts[0] == counts[1] < 15


@pytest.mark.parametrize(("checks", "tokens"), [(["chg.cfr", "cap.limits", "arch.owner"], 1), (None, 2)])
def test_a_repeated_run_asks_for_its_tokens_only_and_answers_the_same(judged, client, statements, checks, tokens):
    asked = {"entities": [REF, QUILL], **({"checks": checks} if checks else {})}
    first = client.post(MANY, json=asked)
    made = len(statements)
    second = client.post(MANY, json=asked)
    assert second.data == first.data
    again = [sql for sql in statements[made:] if sql != STATE]
    assert len(again) <= tokens  # none where PostgreSQL tells that nothing at all was written
    assert [any("card.document" in sql for sql in part) for part in (statements[:made], again)] == [True, False]


@pytest.mark.parametrize("checks", [["chg.cfr", "cap.limits"], None])
def test_what_was_answered_before_is_never_told_again_once_a_fact_is_another(judged, client, session, checks):
    asked = {"entities": [REF], **({"checks": checks} if checks else {})}

    def cfr():
        fact = by_id(client.post(MANY, json=asked).json[0]["results"])["chg.cfr"]["facts"]
        return fact["deploys.change_failure_rate_30d"]["value"]

    assert [cfr(), cfr()] == [0.4, 0.4]
    judged.observe({"deploys.change_failure_rate_30d": 0.41})  # at the same moment, and not judged yet
    session.commit()
    assert cfr() == 0.41
    judged.observe({"deploys.change_failure_rate_30d": 0.1}, now=NOW + MINUTE)
    update(session, judged.judging, None, NOW + MINUTE)
    session.commit()
    result = by_id(client.post(MANY, json=asked).json[0]["results"])["chg.cfr"]
    assert (result["result"], result["facts"]["deploys.change_failure_rate_30d"]["value"]) == (True, 0.1)


def test_what_rests_on_another_service_follows_it_at_once(judged, client, session):
    resting = [check.id for check in judged.judging.catalogue.checks.values() if MIN_TARGET in check.facts]
    asked = {"entities": [REF], "checks": [*resting, "chg.cfr"]}

    def target():
        result = by_id(client.post(MANY, json=asked).json[0]["results"])[resting[0]]
        return result["facts"][MIN_TARGET]["value"]

    assert [target(), target()] == [0.9999, 0.9999]
    judged.observe({"slo.availability.target": 0.99999}, QUILL, NOW + MINUTE)
    session.commit()
    assert target() == 0.99999
    forget(session, [QUILL])
    session.commit()
    answer = by_id(client.post(MANY, json=asked).json[0]["results"])
    assert MIN_TARGET not in answer[resting[0]]["facts"]


BY_AN_API = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: sonnets}
spec: {type: openapi, lifecycle: production, owner: bards, definition: none}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: printer}
spec: {type: service, lifecycle: production, owner: bards, providesApis: [sonnets]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: reader}
spec: {type: service, lifecycle: production, owner: bards, consumesApis: [sonnets]}
"""


def test_what_rests_on_a_service_behind_an_api_follows_it_at_once(judged, client, session):
    reader, printer = "component:default/reader", "component:default/printer"
    judged.write("api.yaml", BY_AN_API)
    update(session, judged.judging, None, NOW)
    session.commit()
    resting = [check.id for check in judged.judging.catalogue.checks.values() if MIN_TARGET in check.facts]

    def targets():
        results = client.post(MANY, json={"entities": [reader], "checks": resting}).json[0]["results"]
        return [result["facts"].get(MIN_TARGET, {}).get("value") for result in results]

    assert set(targets()) == set(targets()) == {None}
    judged.observe({"slo.availability.target": 0.995}, printer)
    session.commit()
    assert set(targets()) == {0.995}


def test_what_was_answered_before_is_not_told_as_fresh_once_a_neighbours_evidence_is_stale(
    judged, client, session, monkeypatch
):
    resting = [check.id for check in judged.judging.catalogue.checks.values() if MIN_TARGET in check.facts]
    asked = {"entities": [REF], "checks": resting}

    def facts():
        return [result["facts"] for result in client.post(MANY, json=asked).json[0]["results"]]

    assert facts() == facts()
    assert all(MIN_TARGET in one for one in facts())
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 30 * DAY))
    assert not any(MIN_TARGET in one for one in facts())


def test_the_shelf_is_bounded_and_forgets_what_was_not_asked_for_longest():
    shelf = Shelf(limit=3 * OVERHEAD + 100)
    a, b, c, d = [(ref, b"checks") for ref in "abcd"]
    for key in (a, b, c):
        shelf.put(key, "t", Fragment(b"0" * 30, None))
    shelf.get(a, NOW)
    shelf.put(d, "t", Fragment(b"0" * 35, None))
    assert [bool(shelf.get(key, NOW)) for key in (a, b, c, d)] == [True, False, True, True]
    shelf.put(a, "u", Fragment(b"1", NOW))
    assert shelf.get(("a", b"others"), NOW) is None
    assert shelf.get(a, NOW) == ("u", Fragment(b"1", NOW))
    assert shelf.get(a, NOW + MINUTE) is None
