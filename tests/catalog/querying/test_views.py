"""Reading entities over HTTP, as Backstage's clients do."""

import base64
from urllib.parse import quote

import orjson
import pytest
from sqlalchemy import delete

from catalog.models import Entity, EntityBody, SearchRow
from catalog.querying.lists import AT_ONCE
from catalog.versions import next_version
from tests.catalog.querying.conftest import ENTITIES, LONG, store

BASE = "/api/catalog"
MANY = AT_ONCE + 20


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.data
    found = answer.json
    return [entity["metadata"]["name"] for entity in (found if isinstance(found, list) else found["items"])]


def decoded(cursor: str):
    return orjson.loads(base64.b64decode(cursor))


FOUND = [
    ("filter=kind=component", ["Pay-API", "basket", "cart", "deep"]),
    ("filter=KIND=Component,Metadata.Name=BASKET", ["basket"]),
    ("filter=kind=user&filter=kind=group", ["ann", "bob", "sre"]),
    ("filter=metadata.tags=java", ["Pay-API", "basket"]),
    ("filter=metadata.tags.java", ["Pay-API", "basket"]),
    ("filter=metadata.tags.java=true", ["Pay-API", "basket"]),
    ("filter=metadata.tags.java=false", []),
    ("filter=metadata.tags.a.b", ["cart"]),
    ("filter=metadata.annotations.backstage.io/orphan=true", ["basket"]),
    ("filter=metadata.labels.example.com/tier=gold", ["Pay-API"]),
    ("filter=spec.profile.email=A@Example.com", ["ann"]),
    ("filter=metadata.links.url=https://example.com/cart", ["cart"]),
    ("filter=relations.ownedBy=group:default/sre", ["Pay-API", "basket", "pay"]),
    ("filter=relations.partof", ["basket"]),
    ("filter=relations", []),
    ("filter=spec.live=true", ["cart"]),
    ("filter=spec.port=8080", ["basket"]),
    ("filter=spec.owner", ["Pay-API", "basket", "cart", "deep", "pay", "db"]),
    ("filter=kind=component,spec.owner=sre", ["Pay-API", "basket"]),
    ("filter=spec.owner=", []),
    ("filter=spec.type=B", ["deep"]),
    ("filter=metadata.namespace=prod", ["db"]),
    ("filter=metadata.uid=00000000-0000-0000-0000-000000000002", ["basket"]),
    ("filter=metadata.etag", []),
    (f"filter=spec.lifecycle={LONG}", []),
    ("filter=kind=component,spec.lifecycle", ["Pay-API", "basket", "cart", "deep"]),
    (f"filter=metadata.annotations.{'k' * 201}", []),
    ("filter=spec.definition", ["pay"]),
    ("filter=%20,&filter=kind=api", ["pay"]),
    ("filter=kind=nul%00", []),
    ("filter=kind=%25", []),
]  # fmt: skip


def test_filters_find_what_the_contract_says(company, client):
    for query, expected in FOUND:
        assert names(client.get(f"{BASE}/entities?{query}")) == expected, query
        page = client.get(f"{BASE}/entities/by-query?{query}")
        assert (names(page), page.json["totalItems"]) == (expected, len(expected)), query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "Component", "metadata.tags": {"$contains": "java"}}, ["Pay-API", "basket"]),
        ({"$not": {"spec.owner": "sre"}, }, ["cart", "deep", "ann", "bob", "sre", "db"]),
        ({"metadata.title": {"$exists": False}, "kind": "component"}, ["basket", "cart", "deep"]),
        ({"metadata.name": {"$hasPrefix": "PAY"}}, ["Pay-API", "pay"]),
        ({"relations": {"$contains": {"type": "memberOf", "targetRef": "group:default/sre"}}}, ["ann"]),
        ({"$any": []}, []),
    ],
)  # fmt: skip
def test_predicates_find_what_the_contract_says(company, client, query, expected):
    page = client.post(f"{BASE}/entities/by-query", json={"query": query})
    assert names(page) == expected
    assert page.json["totalItems"] == len(expected)


WRONG_PATHS = [
    "entities?" + "&".join(f"order=asc:k{number}" for number in range(11)),
    "entities?limit=0", "entities?limit=-1", "entities?limit=abc", "entities?limit=", "entities?limit=1.5",
    "entities?offset=-1", "entities?after=nonsense", "entities?after=", "entities?after=bnVsbA==",
    "entities?after=eyJsaW1pdCI6MH0=", "entities?filter=", "entities?filter=%3Dx", "entities?filter",
    "entities?order=%20asc:kind",
    "entities?order=name", "entities?order=up:kind", "entities?order=asc:", "entities?fields=a[0]",
    "entities?fields=", "entities?unknown=1", "entities?limit=1&limit=2", "entities?limit=99999999999999999999",
    "entities/by-query?limit=-1", "entities/by-query?limit=x", "entities/by-query?offset=-1",
    "entities/by-query?orderField=a,up", "entities/by-query?orderField=,asc", "entities/by-query?totalItems=maybe",
    "entities/by-query?cursor=", "entities/by-query?cursor=x", "entities/by-query?cursor=bnVsbA==",
    "entities/by-query?cursor=e30=", "entities/by-query?fullTextFilterTerm=", "entities/by-query?order=asc:kind",
    "entity-facets", "entity-facets?facet=", "entity-facets?facet=%20", "entity-facets?facet=kind&filter=",
    "entity-facets?facet=kind&limit=1", "entities/by-name/component/default/basket?x=1",
]  # fmt: skip


def test_a_parameter_that_is_wrong_or_unknown_is_a_400_and_never_ignored(client):
    for path in WRONG_PATHS:
        answer = client.get(f"{BASE}/{path}")
        assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError"), path
        assert len(answer.json["error"]["message"]) > 10


WRONG_BODIES = [
    ("entities/by-query", b"{"), ("entities/by-query", b"[]"),
    ("entities/by-query", b'{"limit": -1}'), ("entities/by-query", b'{"limit": "1"}'),
    ("entities/by-query", b'{"limit": true}'), ("entities/by-query", b'{"limit": 1.5}'),
    ("entities/by-query", b'{"cursor": ""}'), ("entities/by-query", b'{"cursor": 7}'),
    ("entities/by-query", b'{"orderBy": {}}'), ("entities/by-query", b'{"orderBy": [{"field": "a"}]}'),
    ("entities/by-query", b'{"orderBy": [{"field": "", "order": "asc"}]}'),
    ("entities/by-query", b'{"fullTextFilter": "x"}'), ("entities/by-query", b'{"fullTextFilter": {"term": 1}}'),
    ("entities/by-query", b'{"totalItems": "some"}'), ("entities/by-query", b'{"fields": "kind"}'),
    ("entities/by-query", b'{"query": []}'), ("entities/by-query", b'{"query": {"$x": 1}}'),
    ("entities/by-refs", b""), ("entities/by-refs", b"{}"), ("entities/by-refs", b'{"entityRefs": "a"}'),
    ("entities/by-refs", b'{"entityRefs": [1]}'),
    ("entities/by-refs?filter=", b'{"entityRefs": []}'), ("entities/by-refs?x=1", b'{"entityRefs": []}'),
    ("entity-facets", b"{}"), ("entity-facets", b'{"facets": []}'), ("entity-facets", b'{"facets": [1]}'),
]  # fmt: skip


def test_a_body_that_is_wrong_is_a_400(client):
    for path, body in WRONG_BODIES:
        answer = client.post(f"{BASE}/{path}", data=body, content_type="application/json")
        assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError"), (path, body)
    text = client.post(f"{BASE}/entities/by-query", data=b"{}", content_type="text/plain")
    assert text.status_code == 400


def test_the_bare_list_is_whole_or_a_page_with_a_link_to_the_next(company, client):
    whole = client.get(f"{BASE}/entities")
    assert names(whole) == [entity["metadata"]["name"] for entity in ENTITIES]
    assert "Link" not in whole.headers
    assert whole.json[0] == ENTITIES[0]
    found, path, pages = [], "/entities?limit=4&offset=1&filter=kind=component&filter=kind=api", 0
    while path:
        answer = client.get(f"{BASE}{path}")
        found += names(answer)
        pages += 1
        link = answer.headers.get("Link")
        path = link.removeprefix("<").removesuffix('>; rel="next"') if link else None
        assert path is None or (path.startswith("/entities?") and "offset" not in path)
    assert (found, pages) == (["basket", "cart", "deep", "Pay-API"], 1)
    first = client.get(f"{BASE}/entities?limit=2&offset=1")
    assert names(first) == ["basket", "cart"]  # by reference
    link = first.headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
    assert names(client.get(f"{BASE}{link}")) == ["deep", "Pay-API"]
    assert names(client.get(f"{BASE}/entities?offset=7")) == ["ann", "bob"]
    assert names(client.get(f"{BASE}/entities?limit=5&offset=9007199254740992")) == []


def test_the_bare_list_is_ordered_by_every_order_when_paged_and_by_the_first_one_when_not(company, client):
    titled = ["Pay-API", "basket", "cart", "deep", "pay", "ann", "bob", "sre", "db"]
    assert names(client.get(f"{BASE}/entities?limit=20&order=asc:metadata.title")) == titled
    assert names(client.get(f"{BASE}/entities?limit=20&order=desc:metadata.title")) == titled
    assert names(client.get(f"{BASE}/entities?limit=4&order=asc:kind&order=desc:metadata.name")) == [
        "pay", "Pay-API", "deep", "cart",
    ]  # fmt: skip
    assert names(client.get(f"{BASE}/entities?order=desc:metadata.title")) == ["Pay-API"]
    assert names(client.get(f"{BASE}/entities?order=asc:kind&order=desc:metadata.name"))[:3] == [
        "pay",
        "Pay-API",
        "basket",
    ]


def test_pages_of_a_query_lead_on_and_back_by_either_verb(company, client):
    path = f"{BASE}/entities/by-query?limit=2&orderField=metadata.name,desc&filter=kind=component&filter=kind=user"
    first = client.get(f"{path}&fields=metadata.name")
    assert names(first) == ["Pay-API", "deep"]
    assert first.json["items"][0] == {"metadata": {"name": "Pay-API"}}
    assert first.json["totalItems"] == 6
    assert first.json["pageInfo"].keys() == {"nextCursor"}
    cursor = first.json["pageInfo"]["nextCursor"]
    assert "query" not in decoded(cursor)
    second = client.get(f"{BASE}/entities/by-query?limit=3&cursor={quote(cursor)}&filter=kind=group")
    assert names(second) == ["cart", "bob", "basket"]
    assert second.json["items"][0]["kind"] == "Component"
    assert second.json["pageInfo"].keys() == {"nextCursor", "prevCursor"}
    last = client.post(f"{BASE}/entities/by-query", json={"cursor": second.json["pageInfo"]["nextCursor"], "limit": 3})
    assert names(last) == ["ann"]
    assert last.json["pageInfo"].keys() == {"prevCursor"}
    assert last.json["totalItems"] == 6
    back = client.post(f"{BASE}/entities/by-query", json={"cursor": last.json["pageInfo"]["prevCursor"], "limit": 3})
    assert names(back) == ["cart", "bob", "basket"]
    start = client.get(f"{BASE}/entities/by-query?limit=5&cursor={quote(back.json['pageInfo']['prevCursor'])}")
    assert names(start) == ["Pay-API", "deep"]
    assert start.json["pageInfo"].keys() == {"nextCursor"}
    assert names(client.get(f"{path}&offset=1")) == ["deep", "cart"]


def test_a_query_by_post_carries_its_predicate_in_the_cursor_as_the_client_looks_for_it(company, client):
    body = {
        "query": {"kind": {"$in": ["component", "user"]}},
        "orderBy": [{"field": "metadata.name", "order": "asc"}, {"field": "kind", "order": "desc"}],
        "fullTextFilter": {"term": " A ", "fields": ["metadata.name"]},
        "limit": 2,
    }
    first = client.post(f"{BASE}/entities/by-query", json=body)
    assert names(first) == ["ann", "basket"]
    cursor = first.json["pageInfo"]["nextCursor"]
    assert decoded(cursor)["query"] == body["query"]
    second = client.post(f"{BASE}/entities/by-query", json={"cursor": cursor, "fields": ["kind"]})
    assert second.json == {
        "items": [{"kind": "Component"}, {"kind": "Component"}],
        "totalItems": 4,
        "pageInfo": second.json["pageInfo"],
    }
    assert names(client.get(f"{BASE}/entities/by-query?cursor={quote(cursor)}&limit=1")) == ["cart"]


def test_totals_are_counted_left_out_or_alone(company, client):
    only = client.get(f"{BASE}/entities/by-query?limit=0&filter=kind=component")
    assert only.json == {"items": [], "totalItems": 4, "pageInfo": {}}
    without = client.get(f"{BASE}/entities/by-query?limit=1&totalItems=exclude")
    assert without.json["totalItems"] == 0
    following = client.get(f"{BASE}/entities/by-query?cursor={quote(without.json['pageInfo']['nextCursor'])}")
    assert following.json["totalItems"] == 0
    ordered = client.get(f"{BASE}/entities/by-query?orderField=metadata.title")
    assert (names(ordered), ordered.json["totalItems"]) == (["Pay-API"], 1)
    assert client.post(f"{BASE}/entities/by-query").json["totalItems"] == len(ENTITIES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fullTextFilterTerm=PAY&fullTextFilterFields=metadata.name,metadata.title", ["Pay-API", "pay"]),
        ("fullTextFilterTerm=pay&fullTextFilterFields=spec.profile.displayName,metadata.title", ["Pay-API", "ann"]),
        ("fullTextFilterTerm=%20pay%20&orderField=metadata.name", ["pay", "Pay-API"]),
        ("fullTextFilterTerm=-000000000002", ["basket"]),
        ("fullTextFilterTerm=%20&filter=kind=api", ["pay"]),
        ("fullTextFilterTerm=%25", []),
    ],
)
def test_a_text_is_looked_for_in_the_fields_named_or_the_order_or_the_uid(company, client, query, expected):
    answer = client.get(f"{BASE}/entities/by-query?{query}")
    assert (names(answer), answer.json["totalItems"]) == (expected, len(expected))


TAMPERED = [
    {}, {"at": [None, "1"]}, {"at": [1, 1]}, {"at": [None, True]}, {"at": [None, -1]}, {"at": [None, 2**63]},
    {"back": 1}, {"total": "x"}, {"total": -1}, {"order": ["metadata.name", False]}, {"order": "kind"},
    {"text": ["", ["kind"]]}, {"text": ["a", []]}, {"text": 1}, {"filter": "kind"}, {"filter": [1]},
    {"filter": ["=x"]}, {"query": None}, {"query": {"$x": 1}},
]  # fmt: skip


def test_a_cursor_that_was_tampered_with_is_a_400_on_both_verbs(company, client):
    whole = {"at": [None, 1], "back": False, "total": None}
    assert client.post(f"{BASE}/entities/by-query", json={"cursor": _cursor(whole)}).status_code == 200
    for place in TAMPERED:
        cursor = _cursor({**whole, **place} if place else {})
        assert client.post(f"{BASE}/entities/by-query", json={"cursor": cursor}).status_code == 400, place
        assert client.get(f"{BASE}/entities/by-query?cursor={quote(cursor)}").status_code == 400, place


def _cursor(content) -> str:
    return base64.b64encode(orjson.dumps(content)).decode()


def test_refs_are_answered_one_for_one(company, client):
    refs = ["component:default/basket", "component:default/none", "api:default/pay", "component:default/basket"]
    refs += ["nul\0", "Component:default/basket"]
    body = {"entityRefs": refs, "fields": ["kind", "metadata.name"]}
    basket = {"kind": "Component", "metadata": {"name": "basket"}}
    pay = {"kind": "API", "metadata": {"name": "pay"}}
    answer = client.post(f"{BASE}/entities/by-refs", json=body)
    assert answer.json == {"items": [basket, None, pay, basket, None, None]}
    filtered = client.post(f"{BASE}/entities/by-refs?filter=kind=api", json=body)
    assert filtered.json == {"items": [None, None, pay, None, None, None]}
    both = client.post(f"{BASE}/entities/by-refs?filter=kind=api", json={**body, "query": {"kind": "component"}})
    assert both.json == {"items": [None] * 6}
    assert client.post(f"{BASE}/entities/by-refs", json={"entityRefs": []}).json == {"items": []}
    whole = client.post(f"{BASE}/entities/by-refs", json={"entityRefs": refs[:1]})
    assert whole.json == {"items": [ENTITIES[1]]}


def test_facets_count_original_spellings_under_the_name_asked_for(company, client):
    answer = client.get(f"{BASE}/entity-facets?facet=Spec.Type&facet=metadata.tags&facet=none&filter=kind=component")
    assert answer.json == {
        "facets": {
            "Spec.Type": [
                {"value": "B", "count": 1}, {"value": "Service", "count": 1}, {"value": "a", "count": 1},
                {"value": "service", "count": 1}, {"value": "website", "count": 1},
            ],
            "metadata.tags": [{"value": "a.b", "count": 1}, {"value": "go", "count": 1}, {"value": "java", "count": 2}],
            "none": [],
        }
    }  # fmt: skip
    body = {"facets": ["relations.ownedBy", "spec.owner", "spec.lifecycle"], "query": {"kind": "component"}}
    assert client.post(f"{BASE}/entity-facets", json=body).json["facets"] == {
        "relations.ownedBy": [{"value": "group:default/sre", "count": 2}, {"value": "group:default/web", "count": 1}],
        "spec.owner": [{"value": "SRE", "count": 1}, {"value": "sre", "count": 1}, {"value": "web", "count": 1}],
        "spec.lifecycle": [{"value": "experimental", "count": 1}, {"value": "production", "count": 2}],
    }
    kinds = client.get(f"{BASE}/entity-facets?facet=kind").json["facets"]["kind"]
    assert {"value": "Component", "count": 4} in kinds


def test_what_was_counted_once_is_counted_anew_after_a_write(company, client, session):
    path = f"{BASE}/entity-facets?facet=kind&filter=kind=api"
    count = f"{BASE}/entities/by-query?limit=0&filter=kind=api"
    assert [client.get(path).json["facets"]["kind"][0]["count"] for _ in range(2)] == [1, 1]
    assert client.get(count).json["totalItems"] == 1
    session.execute(delete(SearchRow).where(SearchRow.entity_id == 5))
    session.execute(delete(EntityBody).where(EntityBody.id == 5))
    session.execute(delete(Entity).where(Entity.id == 5))
    next_version(session)
    session.commit()
    assert client.get(path).json["facets"]["kind"] == []
    assert client.get(count).json["totalItems"] == 0


def test_a_question_that_comes_again_is_answered_the_same_until_a_write(company, client, session):
    """Body, Link and ETag; neither other words nor another route are taken for the same question."""

    def ask() -> list[tuple[bytes, str | None, str | None]]:
        answers = [
            client.get(f"{BASE}/entities?limit=2&filter=kind=component"),
            client.get(f"{BASE}/entities?limit=2&filter=kind=component&fields=metadata.name"),
            client.get(f"{BASE}/entities/by-query?limit=2&filter=kind=component"),
            client.post(f"{BASE}/entities/by-query", json={"limit": 2, "query": {"kind": "component"}}),
            client.post(f"{BASE}/entity-facets", json={"facets": ["kind"], "query": {"kind": "component"}}),
        ]
        assert {answer.status_code for answer in answers} == {200}
        return [(answer.data, answer.headers.get("Link"), answer.headers.get("ETag")) for answer in answers]

    first = ask()
    assert ask() == first
    assert len({body for body, _, _ in first}) == len(first)
    assert [link is not None for _, link, _ in first] == [True, True, False, False, False]
    assert [etag is not None for _, _, etag in first] == [True, True, True, False, False]
    session.execute(delete(EntityBody).where(EntityBody.id == 2))
    session.execute(delete(Entity).where(Entity.id == 2))
    next_version(session)
    session.commit()
    assert all(now != before for now, before in zip(ask(), first, strict=True))


def test_a_first_page_and_its_total_agree_however_they_are_found(company, client):
    for query, total in (("filter=kind=component", 4), ("filter=metadata.tags=java", 2), ("fullTextFilterTerm=a", 5)):
        for offset in (0, 1, 50):
            page = client.get(f"{BASE}/entities/by-query?limit=2&offset={offset}&orderField=metadata.name&{query}")
            assert page.json["totalItems"] == total, (query, offset)
            assert len(page.json["items"]) == min(2, max(0, total - offset)), (query, offset)


def test_a_long_list_comes_piece_by_piece_and_whole(session, client):
    store(
        session, [{**ENTITIES[4], "metadata": {"name": f"n{number}", "namespace": "default"}} for number in range(MANY)]
    )
    whole = client.get(f"{BASE}/entities")
    assert len(names(whole)) == MANY
    assert whole.json[MANY - 1]["metadata"]["name"] == f"n{MANY - 1}"
    page = client.get(f"{BASE}/entities/by-query?limit=510&fields=metadata.name")
    assert page.json["items"][0] == {"metadata": {"name": "n0"}}
    assert (len(page.json["items"]), page.json["totalItems"]) == (510, MANY)
    assert client.get(f"{BASE}/entities?filter=kind=user").json == []


def test_an_unchanged_answer_is_a_304(company, client):
    for path in ("entities?limit=2", "entities/by-query?limit=2", "entity-facets?facet=kind"):
        answer = client.get(f"{BASE}/{path}")
        again = client.get(f"{BASE}/{path}", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_the_largest_conditions_that_are_taken_are_answered(company, client):
    deep = {"kind": "component"}
    for level in range(4):
        deep = {"$not": {"$all": [deep, {"metadata.tags": f"t{level}"}]}}
    assert client.post(f"{BASE}/entities/by-query", json={"query": deep}).json["totalItems"] == len(ENTITIES)
    starred = [{"kind": "component", "metadata.name": f"n{number}", "metadata.tags": "java"} for number in range(660)]
    wide = {"$any": [*starred, {"kind": "api"}]}
    assert names(client.post(f"{BASE}/entities/by-query", json={"query": wide})) == ["pay"]
    refs = ["component:default/basket"] * 10_001
    assert client.post(f"{BASE}/entities/by-refs", json={"entityRefs": refs}).status_code == 400
    orders = "&".join(f"order=asc:{key}" for key in ("kind", "metadata.tags", "spec.owner", "spec.type", "spec.port"))
    assert len(names(client.get(f"{BASE}/entities?limit=20&{orders}"))) == len(ENTITIES)
