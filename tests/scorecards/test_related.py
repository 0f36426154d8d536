"""Checks that ask of the entities that a service is related to: APIs, dependencies, the owner's members, its system."""

import pickle
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import InvalidInput
from portal_backend.core.quick_reading import quick_reading
from scorecards.checks.catalogue import load_catalogue, make_catalogue
from scorecards.checks.definitions import CatalogueFile
from scorecards.evidence.related import Asker
from scorecards.judging import init_app
from scorecards.loading import gather
from scorecards.models import Scorecard
from scorecards.retelling import Told, retell
from scorecards.scorecard import read, read_one, update
from scorecards.surroundings import with_related
from tests.scorecards.conftest import QUILL, REF, catalogue_and_specs
from tests.scorecards.samples import NOW

AROUND = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: verses}
spec: {type: openapi, lifecycle: production, owner: bards, definition: "openapi: 3.0.0"}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: rhymes}
spec: {type: grpc, lifecycle: experimental, owner: bards, definition: "syntax"}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: william}
spec: {memberOf: [bards]}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: globe}
spec: {owner: bards}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: printer}
spec:
  {type: service, lifecycle: production, owner: bards, system: globe, providesApis: [verses, rhymes],
   dependsOn: [component:quill, component:nobody, resource:folios]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: reader}
spec: {type: service, lifecycle: experimental, owner: nowhere, system: globe}
"""
PRINTER, READER = "component:default/printer", "component:default/reader"


def check(name, rule, fails="Falls short: {%s}.", **more):
    relation = (
        "related." + str(rule).split("related.")[1].split()[0] if isinstance(rule, str) else "related.partOf.hasPart"
    )
    return {
        "id": f"rel.{name}",
        "title": "Around it",
        "question": "Is all well around it?",
        "axis": "architecture",
        "level": 1,
        "weight": 1,
        "criticality": "minor",
        "version": 1,
        "owner": "sre",
        "effort": "days",
        "sources": ["house rule"],
        "why": "What is around it bears on it.",
        "how_to_fix": ["See to those."],
        "guide": "docs/checks.md",
        "rule": rule,
        "passes": "All is well.",
        "fails": fails % relation if "%s" in fails else fails,
        **more,
    }


RULES = {
    "deps": "every related.dependsOn where (kind is component) has (level >= L1)",
    "deps_there": "every related.dependsOn has (in_catalog)",
    "deps_promise": "every related.dependencies has (slo.availability.target >= 99%)",
    "apis_defined": "every related.providesApi has (spec.definition exists)",
    "apis_live": "every related.providesApi where (type in [openapi, grpc]) has (lifecycle is production)",
    "no_grpc": "no related.providesApi has (type is grpc)",
    "two_people": "at least 2 of related.owner.hasMember where (kind is user)",
    "owner_there": "any related.owner",
    "system_live": "at least 80% of related.system.hasPart where (kind is component) has (lifecycle is production)",
    "tree": {
        "related": "partOf.hasPart",
        "which": "any",
        "where": "kind is component and type is service",
        "have": {
            "any": [
                {"fact": "level", "operator": "lessThan", "value": "L2"},
                {"fact": "tags", "operator": "contains", "value": "x"},
            ]
        },
    },
    "half_live": "at least 50% of related.system.hasPart where (kind is component) has (lifecycle is production)",
}


def judging_by(judging, *checks):
    specs = catalogue_and_specs()[1]
    default = load_catalogue((), specs).files
    catalogue = make_catalogue([*default, CatalogueFile("related.yaml", list(checks))], specs)
    return replace(judging, catalogue=catalogue)


@pytest.fixture
def asked(company):
    company.write("around.yaml", AROUND)
    words = {"system_live": "{related.system.hasPart} are; {related.system.hasPart.lacking} is not."}
    checks = [check(name, rule, words.get(name, "Falls short: {%s}.")) for name, rule in RULES.items()]
    company.judging = judging_by(company.judging, *checks)
    return company


@contextmanager
def counted(session):
    """Collect the statements that are sent meanwhile."""
    statements = []

    def note(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    bind = session.get_bind()
    event.listen(bind, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(bind, "before_cursor_execute", note)


def told(card, name):
    return next(one for one in results(card) if one["check"] == f"rel.{name}")


def results(card):
    return card["results"]


@pytest.fixture
def printer(asked, session):
    update(session, asked.judging, [QUILL, REF, READER], NOW)
    return read(session, asked.judging, PRINTER, NOW)


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("deps", "fail", "Falls short: component:default/quill (level L0)."),
        ("deps_there", "fail", "Falls short: component:default/nobody (not in the catalog)."),
        ("deps_promise", "unknown", "Cannot be judged. component:default/nobody: it is not in the catalog."),
        ("apis_defined", "pass", "All is well."),
        ("apis_live", "fail", "Falls short: api:default/rhymes (lifecycle experimental)."),
        ("no_grpc", "fail", "Falls short: api:default/rhymes (type grpc)."),
        ("two_people", "fail", "Falls short: user:default/william."),
        ("owner_there", "pass", "All is well."),
        ("half_live", "pass", "All is well."),
        ("system_live", "fail", "50 % are; component:default/reader (lifecycle experimental) is not."),
        ("tree", "pass", "All is well."),
    ],
)
def test_a_verdict_names_the_related_entities_that_decide_it(printer, name, status, sentence):
    found = told(printer, name)
    assert (found["status"], found["sentence"]) == (status, sentence)


def test_what_a_dependency_leaves_open_is_unknown_and_says_what_to_do_about_which(printer):
    found = told(printer, "deps_promise")
    assert found["remedy"] == ["For component:default/nobody: register it, or correct what names it."]
    assert found["facts"][0]["state"] == "missing"


def test_nobody_falls_short_where_a_relation_leads_nowhere(asked, session):
    card = read(session, asked.judging, READER, NOW)
    statuses = {name: told(card, name)["status"] for name in ("apis_defined", "two_people", "owner_there", "deps")}
    assert statuses == {"apis_defined": "pass", "two_people": "fail", "owner_there": "fail", "deps": "pass"}


def test_an_answer_is_asked_again_within_the_hour_even_an_unknown_one(asked, session):
    asked.judging = judging_by(asked.judging, check("promise", RULES["deps_promise"]))
    update(session, asked.judging, [PRINTER], NOW)
    assert session.get(Scorecard, PRINTER).valid_until == NOW + timedelta(hours=1)
    assert read(session, asked.judging, PRINTER, NOW)["valid_until"] == NOW + timedelta(hours=1)


def test_what_is_stored_is_what_one_scorecard_says(asked, session, printer):
    update(session, asked.judging, None, NOW)
    for ref in (PRINTER, READER, REF):
        stored = session.get(Scorecard, ref).statuses
        shown = {one["check"]: one["status"] for one in results(read(session, asked.judging, ref, NOW))}
        assert {key: value[0] for key, value in stored.items()} == shown


def test_one_service_is_told_the_same_by_prepared_statements(asked, session, app, printer):
    session.commit()
    with app.app_context(), reading() as other, quick_reading() as reader:
        assert read_one(other, reader, asked.judging, PRINTER, NOW) == read(session, asked.judging, PRINTER, NOW)


def test_another_process_judges_by_the_same_questions(asked, session):
    portion = gather(session, asked.judging, [PRINTER, READER], NOW)
    subjects, kit = pickle.loads(pickle.dumps((portion.subjects, asked.judging.kit)))
    assert subjects[PRINTER].related == portion.subjects[PRINTER].related
    answers = [
        {key: derive(None) for key, derive in Asker(one.questions, one.supply({}), NOW).facts(of[PRINTER]).items()}
        for one, of in ((kit, subjects), (asked.judging.kit, portion.subjects))
    ]
    assert answers[0] == answers[1]
    assert any(one.value for one in answers[0].values())


def test_tech_insights_tells_the_same_of_one_and_of_many(asked, session, app, client, printer, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    init_app(app, asked.judging)
    update(session, asked.judging, None, NOW)
    update(session, asked.judging, [PRINTER], NOW)  # by the levels that the others have now
    session.commit()
    asking = {"checks": [f"rel.{name}" for name in RULES]}
    one = client.post("/api/tech-insights/checks/run/default/component/printer", json=asking).json
    verdicts = {found["check"]["id"]: found["result"] for found in one}
    assert len(verdicts) == len(RULES)
    for _ in range(2):  # from what is stored, then from what is kept
        [many] = client.post("/api/tech-insights/checks/run", json={**asking, "entities": [PRINTER]}).json
        assert {found["check"]["id"]: found["result"] for found in many["results"]} == verdicts
    facts = next(found["facts"] for found in one if found["check"]["id"] == "rel.no_grpc")
    assert [fact["value"] for fact in facts.values()] == [["api:default/rhymes (type grpc)"]]


@pytest.mark.parametrize(
    ("name", "status", "value", "sentence"),
    [
        ("no_grpc", "fail", ["api:default/rhymes (type grpc)"], "Falls short: api:default/rhymes (type grpc)."),
        ("no_grpc", "pass", [], "All is well."),
        ("deps_promise", "unknown", None, "Could not be judged: related.dependencies was not known."),
    ],
)
def test_a_verdict_of_the_past_is_told_by_whom_it_named_then(asked, name, status, value, sentence):
    [key] = asked.judging.catalogue.checks[f"rel.{name}"].related
    values = {} if value is None else {key: value}
    told_then = Told(f"rel.{name}", None, status, "service_changed", 1, None, values)
    assert retell(asked.judging, told_then, NOW) == sentence


def test_a_catalogue_that_asks_nothing_of_related_entities_reads_nothing_of_them(company, session):
    subjects = gather(session, company.judging, [REF], NOW).subjects
    with counted(session) as statements:
        assert with_related(session, company.judging.catalogue, subjects) == subjects
    assert statements == []


def test_services_that_share_a_system_take_no_query_each(asked, session):
    with counted(session) as few:
        gather(session, asked.judging, [PRINTER], NOW)
    with counted(session) as many:
        gather(session, asked.judging, None, NOW)
    assert len(many) <= len(few) + 1


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("every related.dependsOn", "expected `has`"),
        ("every related.dependsOn has (speed > 3)", "'speed' is not a fact that anything declares"),
        ("every related.a.b.c.d has (in_catalog)", "is no relation"),
        ("every related.dependsOn has (every related.hasPart has (in_catalog))", "not of related entities in turn"),
        ("at least 0 of related.dependsOn", "says not which of them"),
        ("every related.dependsOn has (level >= Gold)", "'Gold'"),
        ({"related": "dependsOn", "which": "most", "have": "in_catalog"}, "says not which of them"),
        ({"related": "dependsOn", "which": "every"}, "such a question has"),
        ("related.dependsOn.lacking.abcdef01 is empty", "is made by a question"),
    ],
)
def test_a_question_that_cannot_be_asked_is_a_fault_that_says_what_can(judging, rule, fault):
    with pytest.raises(InvalidInput) as error:
        judging_by(judging, check("bad", rule, fails="x"))
    assert any(fault in one.message for one in error.value.faults), error.value.faults


def test_whom_a_check_is_asked_of_is_told_by_the_service_itself(judging):
    narrowed = {"when": "any related.dependsOn has (in_catalog)", "otherwise": "It depends on nothing."}
    with pytest.raises(InvalidInput) as error:
        judging_by(judging, check("narrowed", RULES["deps"], applies_to=narrowed))
    assert "in `rule` and `needs` alone" in error.value.faults[0].message


def test_what_is_needed_before_a_rule_means_anything_may_be_around_the_service(asked, session):
    needs = {"when": "at least 3 of related.hasMember", "otherwise": "Only {related.hasMember} are there."}
    asked.judging = judging_by(
        asked.judging, check("needs", RULES["deps_there"], "Lacks {related.dependsOn}.", needs=needs)
    )
    found = told(read(session, asked.judging, PRINTER, NOW), "needs")
    assert (found["status"], found["sentence"]) == ("unknown", "Only none are there.")
