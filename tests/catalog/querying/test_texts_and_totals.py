"""The index of texts and the kept numbers, which spare looking at every entity, find what looking at each finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from catalog.ingestion.counting import recount
from catalog.models import ValueCount
from catalog.querying import list_sql, statements
from catalog.querying.conditions import ALWAYS, Condition, Equals, every, some
from catalog.querying.selection import Selection, TextFilter
from catalog.querying.translation import Translator
from catalog.versions import current_version, next_version
from portal_backend.core.db import transaction
from portal_backend.core.quick_reading import quick_reading
from portal_backend.core.remembering import Remembered
from tests.catalog.querying.conftest import entity, store
from tests.catalog.querying.test_translation import ALL_PAIRS, PAIRS, found_ids, holds, quickly, values

COMPONENTS = Equals("kind", ("component",))
JAVA = Equals("metadata.tags", ("java",))
IN_NAMES = ("metadata.name", "metadata.title")
TITLES = {
    "pay_api": "Payments",
    "pay-api": None,
    "payxapi": "100% sure",
    "basket": r"a\path to PAY",
    "cart": "Übergröße",
    "x": "ab",
}
FOUND = {
    "pay": {"pay_api", "pay-api", "payxapi", "basket"},
    "pay_a": {"pay_api"},
    "pay-a": {"pay-api"},
    "yment": {"pay_api"},
    "100%": {"payxapi"},
    "00% su": {"payxapi"},
    "%sure": set(),
    r"a\pat": {"basket"},
    r"\path": {"basket"},
    "größe": {"cart"},
    "überg": {"cart"},
    "ab": {"x"},
    "b": {"x", "basket", "cart"},
    "payments pay": set(),
}
counted = st.sampled_from(["spec.type", "spec.owner", "spec.system", "metadata.namespace", "spec.lifecycle", "kind"])
kinds = st.lists(st.sampled_from(["component", "api", "resource", "group", "nul\0"]), min_size=1, max_size=3)


@pytest.fixture
def titled(session):
    metadata = [{"title": title} if title else {} for title in TITLES.values()]
    named = [entity("Component", name, **more) for name, more in zip(TITLES, metadata, strict=True)]
    store(session, [*named, entity("API", "pay-too")])


@pytest.mark.parametrize("term", FOUND)
def test_a_page_and_a_total_have_what_contains_the_text_letter_by_letter(titled, client, term):
    asked = {"filter": "kind=component", "fullTextFilterTerm": term, "fullTextFilterFields": ",".join(IN_NAMES)}
    page = client.get("/api/catalog/entities/by-query", query_string=asked).json
    assert {one["metadata"]["name"] for one in page["items"]} == FOUND[term]
    assert page["totalItems"] == len(FOUND[term])
    total = client.get("/api/catalog/entities/by-query", query_string={**asked, "limit": 0}).json["totalItems"]
    assert total == len(FOUND[term])


@pytest.mark.parametrize("few", [0, 2, 7])
def test_a_page_without_a_total_is_the_same_whether_few_have_the_text_or_many(titled, client, monkeypatch, few):
    monkeypatch.setattr(list_sql, "A_FEW", f"SELECT {few} AS number")
    monkeypatch.setattr(statements, "statements", Remembered(0))
    asked = {"filter": "kind=component", "fullTextFilterFields": ",".join(IN_NAMES), "orderField": "metadata.name,desc"}
    for term, names in FOUND.items():
        ordered = sorted(names, reverse=True)
        for limit, offset in ((9, 0), (1, 0), (2, 1), (0, 0), (1, 2**53)):
            window = {"fullTextFilterTerm": term, "limit": limit, "offset": offset}
            answer = client.get(
                "/api/catalog/entities/by-query", query_string={**asked, **window, "totalItems": "exclude"}
            )
            found = [one["metadata"]["name"] for one in answer.json["items"]]
            assert found == ordered[offset : offset + limit], (term, limit, offset)
            assert ("nextCursor" in answer.json["pageInfo"]) == (limit > 0 and offset + limit < len(ordered))


def test_what_counts_as_few_grows_with_the_catalog(app, session):
    if session.get_bind().dialect.name != "postgresql":
        pytest.skip("SQLite has no index of texts")
    number = text(list_sql.A_FEW)
    store(session, [entity("API", f"a{number}") for number in range(250)])
    session.execute(text("ANALYZE catalog_entity"))
    assert session.scalar(number) == 2


def test_texts_in_names_are_looked_up_where_postgresql_has_the_means(app, session, titled):
    if session.get_bind().dialect.name == "postgresql":
        may = session.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"))
        there = session.scalar(text("SELECT count(*) FROM pg_class WHERE relname = 'ix_catalog_entity_trigrams'"))
        assert there == may
    assert found_ids(app, COMPONENTS, TextFilter("pay", IN_NAMES)) == [1, 2, 3, 4]
    assert found_ids(app, ALWAYS, TextFilter("pay", IN_NAMES)) == [1, 2, 3, 4, 7]


def test_the_index_of_texts_is_asked_only_for_what_it_knows():
    def where(term: str, *fields: str) -> str:
        has_keys = Translator(True, {"spec.target": {"component": 1}}, indexes_texts=True)
        return has_keys.where_of_all(Selection(COMPONENTS, TextFilter(term, fields))).text

    assert "LIKE" in where("pay", *IN_NAMES, "spec.nothing")
    assert "strpos" in where("pa", *IN_NAMES)
    assert "strpos" in where("p-y", *IN_NAMES)
    assert "strpos" in where("pay", "metadata.name", "spec.type")
    assert "strpos" in where("pay", "metadata.name", "spec.target")
    assert where("pay", "spec.nothing") == "FALSE"


def test_kept_totals_are_those_that_counting_finds(app, company):
    with app.app_context(), transaction() as session:
        assert recount(session) > 0

    @quickly
    @given(st.one_of(st.none(), kinds), counted, st.lists(values, min_size=1, max_size=2))
    def agrees(of_kinds: list[str] | None, key: str, some: list[str]) -> None:
        said: list[Condition] = [Equals("kind", tuple(of_kinds))] if of_kinds else []
        condition = every((*said, Equals(key, tuple(some))))
        assert found_ids(app, condition) == [n for n, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)]

    agrees()


def test_the_total_of_a_kind_with_a_value_is_looked_up(company, session, client):
    recount(session)
    session.execute(update(ValueCount).where(ValueCount.value == "openapi").values(entities=41))
    next_version(session)
    session.commit()

    def total(filters: str) -> int:
        found: int = client.get(f"/api/catalog/entities/by-query?filter={filters}").json["totalItems"]
        return found

    assert total("kind=api,spec.type=openapi") == 41
    assert total("kind=api,spec.type=openapi,spec.owner=sre") == 1
    assert total("kind=api,spec.type=nothing") == 0


def test_values_that_many_entities_have_are_found_as_others_are(app, company, monkeypatch):
    monkeypatch.setattr(statements, "FREQUENT_SHARE", len(PAIRS) // 2)  # what two entities have is frequent
    with app.app_context(), transaction() as session:
        recount(session)
        is_postgresql = session.get_bind().dialect.name == "postgresql"

    @quickly
    @given(st.lists(st.sampled_from(ALL_PAIRS), max_size=2), st.sampled_from(["", "a", "e"]))
    def agrees(more: list[tuple[str, str | None]], term: str) -> None:
        wanted = every((COMPONENTS, JAVA, *(Equals(key, (value or "",)) for key, value in more)))
        named = [dict(pairs)["metadata.name"] or "" for pairs in PAIRS]
        for asked in (wanted, some((wanted, every((COMPONENTS, Equals("metadata.tags", ("a.b",))))))):
            assert found_ids(app, asked, TextFilter(term, ("metadata.name",)) if term else None) == [
                number
                for number, (pairs, name) in enumerate(zip(PAIRS, named, strict=True), 1)
                if holds(asked, pairs) and term in name
            ]

    agrees()
    alternatives = some((every((COMPONENTS, JAVA)), every((COMPONENTS, Equals("spec.owner", ("sre",))))))
    with app.app_context(), quick_reading() as reader:
        for condition in (every((COMPONENTS, JAVA)), alternatives):
            written = statements.Statements(reader, current_version(reader), Selection(condition))
            where = written.write("where", lambda translator, selection: translator.where(selection)).text
            assert ("IS TRUE" in where) == is_postgresql


def test_a_text_that_is_to_be_in_none_of_no_fields_is_nowhere(titled, client):
    def total(text_filter: dict[str, object]) -> int:
        found: int = client.post("/api/catalog/entities/by-query", json={"fullTextFilter": text_filter}).json[
            "totalItems"
        ]
        return found

    assert total({"term": "0000000000", "fields": []}) == 0
    assert total({"term": "0000000000"}) == len(TITLES) + 1  # its uid, which the list is ordered by
    assert total({"term": " ", "fields": []}) == len(TITLES) + 1
