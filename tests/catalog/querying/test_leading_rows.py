"""Reads that begin with rows of the rest-index, or need nothing else, find what the others find."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.ingestion.counting import recount
from catalog.querying import statements
from catalog.querying.conditions import Condition, Equals, Exists, every, some
from catalog.querying.facets import count_facets
from catalog.querying.list_sql import Shown, counted_page_sql, total_sql, whole_list_sql
from catalog.querying.lists import count_entities, query_entities
from catalog.querying.remembering import answers
from catalog.querying.selection import FacetsRequest, Order, PageRequest, Selection
from catalog.querying.translation import MOST_INTERSECTED, Sql
from catalog.versions import current_version
from portal_backend.core.db import transaction
from portal_backend.core.quick_reading import Reader, quick_reading
from tests.catalog.querying.conftest import ENTITIES as COMPANY
from tests.catalog.querying.conftest import entity, store
from tests.catalog.querying.flattened import holds, values_of
from tests.catalog.querying.test_translation import ALL_PAIRS, KEYS, PAIRS, found_ids, quickly

COMPONENTS = Equals("kind", ("component",))
JAVA, GO = Equals("metadata.tags", ("java",)), Equals("metadata.tags", ("go",))
PRODUCTION = Equals("spec.lifecycle", ("production",))
equalities = st.sampled_from([pair for pair in ALL_PAIRS if pair[1]]).map(
    lambda pair: Equals(pair[0], (pair[1] or "",))
)
said = st.one_of(equalities, st.sampled_from(KEYS).map(Exists))
kinds = st.sampled_from([None, ("component",), ("component", "resource"), ("api",)])


@pytest.fixture(params=["rare", "frequent"])
def frequency(request, app, company, monkeypatch):
    """Let what two entities have be rare or frequent, for lists and facets."""
    share = 1 if request.param == "rare" else len(PAIRS) // 2
    monkeypatch.setattr(statements, "FREQUENT_SHARE", share)
    monkeypatch.setattr(statements, "FREQUENT_SHARE_OF_COUNTED", share)
    with app.app_context(), transaction() as session:
        recount(session)
    return request.param


def test_entities_with_some_values_are_found_and_counted(app, frequency):
    @quickly
    @given(kinds, st.lists(said, min_size=1, max_size=3), st.sampled_from([(), (Order("metadata.name", True),)]))
    def agrees(of_kinds: tuple[str, ...] | None, said: list[Condition], orders: tuple[Order, ...]) -> None:
        condition = every([*([Equals("kind", of_kinds)] if of_kinds else []), *said])
        held = [n for n, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)]
        assert found_ids(app, condition) == held
        if orders:
            held.sort(key=lambda number: (COMPANY[number - 1]["metadata"]["name"].lower(), number), reverse=True)
        asked = PageRequest(Selection(condition, None, orders), b"{}", (), 3, 0, wants_total=True)
        with app.app_context(), quick_reading() as reader:
            page = query_entities(reader, current_version(reader), asked)
        assert (list(page.listed.ids), page.total) == (held[:3], len(held))

    agrees()


def test_facets_of_entities_with_some_values_are_what_plain_python_counts(app, frequency):
    @quickly
    @given(
        kinds,
        st.lists(equalities, min_size=1, max_size=2),
        st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True),
    )
    def agrees(of_kinds: tuple[str, ...] | None, said: list[Equals], keys: list[str]) -> None:
        condition = every([*([Equals("kind", of_kinds)] if of_kinds else []), *said])
        with app.app_context(), quick_reading() as reader:
            asked = FacetsRequest(Selection(condition), tuple(keys))
            counted = dict(count_facets(reader, current_version(reader), asked))
        for key in keys:
            found: dict[str, int] = {}
            for one in orjson.loads(counted[key]):
                found[one["value"].lower()] = found.get(one["value"].lower(), 0) + one["count"]
            held = [values_of(key, pairs) for pairs in PAIRS if holds(condition, pairs)]
            assert found == {value: sum(value in each for each in held) for value in {v for each in held for v in each}}

    agrees()


def statement(app, condition: Condition, build) -> str:
    with app.app_context(), quick_reading() as reader:
        selection = Selection(condition)
        written: Sql = statements.Statements(reader, current_version(reader), selection).write(build.__name__, build)
        reader.rows(written.text, written.parameters)
        return written.text if reader.is_postgresql else ""


@pytest.mark.parametrize(
    "condition",
    [every((COMPONENTS, JAVA)), every((COMPONENTS, JAVA, PRODUCTION)), every((JAVA, Exists("spec.type"))), JAVA],
)
def test_postgresql_begins_with_the_rows_of_what_few_have(app, frequency, condition):
    text = statement(app, condition, whole_list_sql)
    leads = frequency == "rare" or COMPONENTS not in getattr(condition, "conditions", ())
    assert not text or ("e.id = ANY(ARRAY(SELECT" in text) == leads


@pytest.mark.parametrize("others", [(), (PRODUCTION,), (PRODUCTION, Equals("spec.type", ("service",)))])
def test_no_entity_is_compared_with_each_of_those_that_lead(app, company, others):
    condition = every((COMPONENTS, JAVA, Equals("metadata.tags", ("go",)), *others, Exists("spec.type")))
    with app.app_context(), quick_reading() as reader:
        if not reader.is_postgresql:
            pytest.skip("SQLite computes a list once and finds by it")
        written = statements.Statements(reader, None, Selection(condition)).write("total", total_sql)
        reader.rows("SELECT set_config('enable_seqscan', 'off', FALSE), set_config('enable_bitmapscan', 'off', FALSE)")
        plan = "\n".join(line for (line,) in reader.rows(f"EXPLAIN {written.text}", written.parameters))
        reader.rows("SELECT set_config('enable_seqscan', 'on', FALSE), set_config('enable_bitmapscan', 'on', FALSE)")
    assert "Index Cond: (id = ANY" in plan and "Filter: (id = ANY" not in plan


@pytest.mark.parametrize("kind", ["component", "resource"])
def test_a_page_of_those_with_a_key_that_many_have_is_found_in_its_order(app, frequency, kind):
    def page(translator, selection: Selection) -> Sql:
        return counted_page_sql(translator, selection, " LIMIT 3", Shown.ID)

    text = statement(app, every((Equals("kind", (kind,)), Exists("metadata.tags"))), page)
    assert not text or ("found" in text) == (frequency == "rare" or kind == "resource")
    assert not text or ("count(DISTINCT r.entity_id)" in text) == ("found" not in text)


def test_of_alternatives_no_value_leads(app, company):
    condition = some((every((COMPONENTS, JAVA)), every((COMPONENTS, PRODUCTION))))
    assert "ARRAY" not in statement(app, condition, whole_list_sql)


def test_without_a_kind_what_few_have_leads_and_what_many_have_is_looked_at(app, company, monkeypatch):
    monkeypatch.setattr(statements, "FREQUENT_SHARE", len(PAIRS) // 2)
    with app.app_context(), transaction() as session:
        recount(session)
    text = statement(app, every((JAVA, GO)), whole_list_sql)
    assert not text or ("ARRAY" in text and "INTERSECT" not in text and "IS TRUE" in text)


def test_a_total_that_rows_alone_tell_looks_at_no_entity(app, company, session):
    def total(condition: Condition) -> str:
        with app.app_context(), quick_reading() as reader:
            return statements.Statements(reader, None, Selection(condition)).write("total", total_sql).text

    assert "catalog_entity" not in total(every((COMPONENTS, JAVA, GO)))
    assert "catalog_entity" in total(every((COMPONENTS, JAVA, PRODUCTION)))
    assert "catalog_entity" not in total(every((COMPONENTS, Exists("metadata.tags"))))
    assert "catalog_entity" in total(every((COMPONENTS, Exists("metadata.tags"), JAVA)))
    assert "catalog_entity" in total(every((COMPONENTS, Exists("spec.type"))))


@pytest.mark.parametrize("number", [MOST_INTERSECTED, MOST_INTERSECTED + 1])
def test_more_values_than_are_intersected_are_found_too(app, company, number):
    tags = [Equals("metadata.tags", ("java", str(other))) for other in range(number)]
    condition = every((COMPONENTS, *tags))
    assert found_ids(app, condition) == [n for n, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)] == [1, 2]
    with app.app_context(), quick_reading() as reader:
        asked = FacetsRequest(Selection(condition), ("metadata.tags",))
        ((_, counted),) = count_facets(reader, current_version(reader), asked)
        total = statements.Statements(reader, None, Selection(condition)).write("total", total_sql)
    assert [one["value"] for one in orjson.loads(counted)] == ["go", "java"]
    assert total.text.count("INTERSECT") == (number - 1 if number == MOST_INTERSECTED else 0)


def test_an_entity_that_has_a_value_twice_counts_once(app, session):
    twice = entity("Component", "a", spec={"x": {"y": ["1"]}, "x.y": "1"}, tags=["java"])
    store(session, [twice, entity("Component", "b", spec={"x.y": "1"}, tags=["java"])])
    condition = every((COMPONENTS, Equals("spec.x.y", ("1",))))
    with app.app_context(), quick_reading() as reader:
        assert count_entities(reader, None, Selection(condition)) == 2
        asked = FacetsRequest(Selection(condition), ("spec.x.y", "metadata.tags", "metadata.name"))
        counted = {name: orjson.loads(found) for name, found in count_facets(reader, None, asked)}
    assert [[one["count"] for one in counted[name]] for name in asked.facets] == [[2], [2], [1, 1]]


def test_several_facets_find_the_entities_once(app, company, monkeypatch):
    seen: list[str] = []
    rows = Reader.rows

    def noting(reader: Reader, sql: str, *more: object) -> object:
        seen.append(sql)
        return rows(reader, sql, *more)

    monkeypatch.setattr(Reader, "rows", noting)
    monkeypatch.setattr(answers, "capacity", 0)
    with app.app_context(), quick_reading() as reader:
        asked = FacetsRequest(Selection(every((COMPONENTS, JAVA))), ("spec.type", "spec.lifecycle"))
        counted = count_facets(reader, None, asked)
        is_postgresql = reader.is_postgresql
    assert [orjson.loads(found) for _, found in counted] == [
        [{"value": "Service", "count": 1}, {"value": "service", "count": 1}],
        [{"value": "experimental", "count": 1}, {"value": "production", "count": 1}],
    ]
    assert seen[-1].count("FROM catalog_entity") == (1 if is_postgresql else 2)
    assert seen[-1].count("FROM chosen") == (1 if is_postgresql else 0)
