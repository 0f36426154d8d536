"""The SQL of a condition finds what the condition means, on both databases."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.querying.conditions import Condition, Equals, Every, Exists, HasPrefix, Not, Some
from catalog.querying.cursors import decode_position
from catalog.querying.facets import count_facets
from catalog.querying.lists import count_entities, list_entities, query_entities
from catalog.querying.selection import EntitiesRequest, FacetsRequest, Order, PageRequest, Selection, TextFilter
from catalog.versions import current_version
from portal_backend.core.quick_reading import quick_reading
from tests.catalog.querying.conftest import ENTITIES
from tests.catalog.querying.flattened import flatten, holds, values_of

PAIRS = [flatten(entity) for entity in ENTITIES]
ALL_PAIRS = sorted(set().union(*PAIRS), key=str)
KEYS = sorted({key for key, _ in ALL_PAIRS} | {"metadata.nothing", "spec", "metadata.tags.", "nul\0", "relations", ""})
VALUES = sorted({value for _, value in ALL_PAIRS if value} | {"", "nothing", "nul\0", "%", "_"})

keys = st.sampled_from(KEYS)
values = st.sampled_from(VALUES)
terms = st.sampled_from(["pay", "a", "e", "true", "tr", "%", "example.com/", "\0"])
pairs = st.sampled_from(ALL_PAIRS)
leaves = st.one_of(
    st.builds(Exists, keys),
    st.builds(lambda pair, others: Equals(pair[0], (pair[1] or "", *others)), pairs, st.lists(values, max_size=2)),
    st.builds(Equals, keys, st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(lambda pair, length: HasPrefix(pair[0], (pair[1] or "")[:length]), pairs, st.integers(0, 4)),
)  # fmt: skip
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: Every(tuple(found))),
        st.lists(inner, max_size=3).map(lambda found: Some(tuple(found))),
        inner.map(Not),
    ),
    max_leaves=6,
)
quickly = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def found_ids(app, condition: Condition, text: TextFilter | None = None) -> list[int]:
    asked = EntitiesRequest(Selection(condition, text), (), None, 0, "")
    with app.app_context(), quick_reading() as reader:
        part = list_entities(reader, current_version(reader), asked)
        assert not part.has_more
        total = count_entities(reader, current_version(reader), asked.selection)
    assert total == len(part.listed.ids)
    return list(part.listed.ids)


def test_sql_agrees_with_what_a_condition_means(app, company):
    @quickly
    @given(conditions)
    def agrees(condition: Condition) -> None:
        assert found_ids(app, condition) == [number for number, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)]

    agrees()


def test_text_is_found_where_plain_python_finds_it(app, company):
    @quickly
    @given(
        st.sampled_from(["pay", "a", "e", "true", "tr", "%", "example.com/", "\0"]),
        st.lists(keys, min_size=1, max_size=4),
    )
    def agrees(term: str, fields: list[str]) -> None:
        assert found_ids(app, Every(()), TextFilter(term, tuple(fields))) == [
            number
            for number, pairs in enumerate(PAIRS, 1)
            if any(term in value for field in fields for value in values_of(field, pairs))
        ]  # fmt: skip

    agrees()


def test_facets_count_what_plain_python_counts(app, company):
    @quickly
    @given(keys, conditions)
    def agrees(key: str, condition: Condition) -> None:
        with app.app_context(), quick_reading() as reader:
            ((_, counted),) = count_facets(reader, None, FacetsRequest(Selection(condition), (key,)))
        expected = sum(len(values_of(key, pairs)) for pairs in PAIRS if holds(condition, pairs))
        assert sum(one["count"] for one in orjson.loads(counted)) == expected

    agrees()


def test_facets_counted_together_are_those_counted_one_by_one(app, company):
    names = (*KEYS, *(key.upper() for key in KEYS if key))
    condition = Some((Equals("kind", ("component", "user")), HasPrefix("metadata.name", "s")))
    with app.app_context(), quick_reading() as reader:
        together = count_facets(reader, None, FacetsRequest(Selection(condition), names))
        alone = [count_facets(reader, None, FacetsRequest(Selection(condition), (name,))) for name in names]
    assert together == [counted for (counted,) in alone]
    assert sum(counted != b"[]" for _, counted in together) > 40  # more than one statement counts


def test_a_page_of_more_than_is_read_at_once_is_the_page_that_smaller_ones_make(app, company):
    selection = Selection(Every(()), TextFilter("a", ("metadata.name",)), (Order("metadata.name", False),))
    asked = PageRequest(selection, b"{}", (), 501, 0, wants_total=True)
    with app.app_context(), quick_reading() as reader:
        large = query_entities(reader, None, asked)
        small = query_entities(reader, None, replace(asked, limit=500))
    assert (large.listed, large.total) == (small.listed, small.total)
    assert large.listed.bodies


@pytest.mark.parametrize("descending", [False, True])
def test_pages_by_any_field_go_through_all_entities_once_and_back(app, company, descending):
    @quickly
    @given(keys, conditions, st.integers(1, 4))
    def agrees(field: str, condition: Condition, limit: int) -> None:
        expected = [
            (values_of(field, pairs)[0], number)
            for number, pairs in enumerate(PAIRS, 1)
            if holds(condition, pairs) and values_of(field, pairs)
        ]
        ids = [number for _, number in sorted(expected, reverse=descending)]
        pages = walk(app, Selection(condition, None, (Order(field, descending),)), limit)
        assert [id_ for page in pages for id_ in page] == ids

    agrees()


def follow(asked: PageRequest, cursor: str) -> PageRequest:
    _, position, total = decode_position(cursor)
    return replace(asked, position=position, total=total)


def walk(app, selection: Selection, limit: int) -> list[list[int]]:
    """Go through the pages and back again; return those of the way forward."""
    asked = PageRequest(selection, b"{}", (), limit, 0, wants_total=True)
    pages = []
    with app.app_context(), quick_reading() as reader:
        page = query_entities(reader, current_version(reader), asked)
        pages.append(list(page.listed.ids))
        assert page.previous_cursor is None
        while page.next_cursor:
            page = query_entities(reader, current_version(reader), follow(asked, page.next_cursor))
            pages.append(list(page.listed.ids))
            assert page.previous_cursor
        assert page.total == sum(len(ids) for ids in pages)
        for ids in reversed(pages[:-1]):
            page = query_entities(reader, current_version(reader), follow(asked, page.previous_cursor))
            assert list(page.listed.ids) == ids
            assert page.next_cursor
        assert page.previous_cursor is None
    return pages
