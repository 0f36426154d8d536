"""The service list: filters, orders, pages."""

import random
from itertools import product

import pytest
from sqlalchemy import event as sqlalchemy_event

from engagements import support
from engagements.service_query import FILTERS, SORTS, ServiceFilter, Sort, parse_sort
from engagements.services import get_service, list_services
from engagements.support import SupportRecord
from engagements.tiers import Tier
from portal_backend.core.errors import InvalidInput, NotFound
from portal_backend.core.pagination import encode_cursor
from tests.engagements.conftest import MANAGER, NOW, component, ref

TYPES = ("service",)


@pytest.fixture
def company(catalog_of, session, scored):
    catalog_of(
        component("globe", annotations={"criticality": "T1", "lifecycle": "limited"}, tags=["web", "go"],
                  system="stage", title="The Globe", description="Sells tickets and 100% of the ale"),
        component("rose", annotations={"criticality": "t0"}, owner="players", lifecycle="experimental", tags=["go"]),
        component("Swan", annotations={"criticality": "T9", "lifecycle": "flying"}, lifecycle="deprecated"),
        component("curtain", lifecycle="odd", owner="group:other/players"),
        component("site", kind="website", annotations={"criticality": "T0"}),
    )  # fmt: skip
    scored(
        {
            "globe": {"level": "L2", "percent": 80.0, "coverage": 90.0, "change_level": "L3", "change_percent": 75.0,
                      "change_coverage": 100.0, "next_step": "Add a runbook."},
            "rose": {"level": "L0", "percent": 20.0, "coverage": 50.0, "change_level": "L1", "change_percent": 25.0},
            "swan": {"level": "L2", "percent": 80.0, "coverage": 60.0},
        }
    )  # fmt: skip
    records = [
        SupportRecord(ref("globe"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active", 100.0),
        SupportRecord(ref("swan"), Tier.CONSULTATION, NOW, "mia", "early", "design"),
    ]
    support.adopt(session, records, MANAGER, NOW)
    session.commit()


def listed(session, sort="name", limit=50, tags=(), text="", **values):
    wanted = ServiceFilter({name.replace("__", "."): value for name, value in values.items()}, tags, text)
    page = list_services(session, TYPES, wanted, parse_sort(sort), None, limit)
    return [item["name"].lower() for item in page.items]


def test_an_item_joins_catalog_scorecard_and_support(company, session):
    page = list_services(session, TYPES, ServiceFilter({}), Sort(), None, 50, include_total=True)
    assert (page.total, page.next_cursor) == (4, None)
    globe = page.items[1]
    assert globe["ref"] == "component:default/globe"
    assert (globe["title"], globe["type"], globe["owner"]) == ("The Globe", "service", "group:default/bards")
    assert (globe["system"], globe["criticality"], globe["lifecycle"]) == ("system:default/stage", "T1", "limited")
    assert (globe["tier"], globe["engagement_model"], globe["phase"]) == ("full_sre", "simple_prr", "active")
    assert (globe["level"], globe["percent"], globe["coverage"]) == ("L2", 80.0, 90.0)
    assert globe["axes"]["change"] == {"level": "L3", "percent": 75.0, "coverage": 100.0}
    assert globe["axes"]["capacity"] == {"level": None, "percent": None, "coverage": None}
    assert globe["next_step"] == "Add a runbook."
    assert globe["links"]["history"] == "/api/services/component/default/globe/history"


def test_a_service_that_nobody_judged_or_moved_has_defaults(company, session):
    curtain = list_services(session, TYPES, ServiceFilter({}), Sort(), None, 50).items[0]
    assert (curtain["tier"], curtain["level"], curtain["next_step"]) == ("documentation", None, None)
    assert (curtain["criticality"], curtain["lifecycle"]) == (None, None)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"criticality": ["T0"]}, ["rose"]),
        ({"criticality": ["T0", "T1"]}, ["globe", "rose"]),
        ({"criticality": ["none"]}, ["curtain", "swan"]),
        ({"criticality": ["T1", "none"]}, ["curtain", "globe", "swan"]),
        ({"lifecycle": ["limited"]}, ["globe"]),
        ({"lifecycle": ["active_dev"]}, ["rose"]),
        ({"lifecycle": ["deprecation"]}, ["swan"]),
        ({"lifecycle": ["none"]}, ["curtain"]),
        ({"owner": ["bards"]}, ["globe", "swan"]),
        ({"owner": ["Group:default/Players"]}, ["rose"]),
        ({"owner": ["other/players"]}, ["curtain"]),
        ({"system": ["stage"]}, ["globe"]),
        ({"system": ["none"]}, ["curtain", "rose", "swan"]),
        ({"type": ["Service"]}, ["curtain", "globe", "rose", "swan"]),
        ({"type": ["website"]}, []),
        ({"tier": ["documentation"]}, ["curtain", "rose"]),
        ({"tier": ["full_sre", "consultation"]}, ["globe", "swan"]),
        ({"model": ["early"]}, ["swan"]),
        ({"phase": ["active", "none"]}, ["curtain", "globe", "rose"]),
        ({"level": ["L2"]}, ["globe", "swan"]),
        ({"level": ["none"]}, ["curtain"]),
        ({"change__level": ["L1", "L3"]}, ["globe", "rose"]),
        ({"change__level": ["none"]}, ["curtain", "swan"]),
        ({"tags": ["go"]}, ["globe", "rose"]),
        ({"tags": ["go", "WEB"]}, ["globe"]),
        ({"text": "TICKETS the"}, ["globe"]),
        ({"text": "0%"}, ["globe"]),
        ({"text": "1_0"}, []),
        ({"text": "ros"}, ["rose"]),
        ({"level": ["L2"], "criticality": ["T1"]}, ["globe"]),
        ({"level": ["L2"], "criticality": ["T0"]}, []),
    ],
)
def test_filters(company, session, wanted, names):
    assert listed(session, **wanted) == names


def test_a_filter_that_is_no_reference_is_refused(company, session):
    with pytest.raises(InvalidInput) as refused:
        listed(session, owner=["a:b/"])
    assert refused.value.faults[0].path == "owner"


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["curtain", "globe", "rose", "swan"]),
        ("-name", ["swan", "rose", "globe", "curtain"]),
        ("criticality", ["rose", "globe", "curtain", "swan"]),
        ("-criticality", ["globe", "rose", "curtain", "swan"]),
        ("title", ["curtain", "rose", "swan", "globe"]),
        ("tier", ["curtain", "rose", "swan", "globe"]),
        ("-tier", ["globe", "swan", "curtain", "rose"]),
        ("level", ["rose", "globe", "swan", "curtain"]),
        ("-percent", ["globe", "swan", "rose", "curtain"]),
        ("coverage", ["rose", "swan", "globe", "curtain"]),
        ("-change.percent", ["globe", "rose", "curtain", "swan"]),
        ("change.percent", ["rose", "globe", "curtain", "swan"]),
        ("change.level", ["rose", "globe", "curtain", "swan"]),
    ],
)
def test_orders_put_what_is_unknown_last_and_ties_by_reference(company, session, sort, names):
    assert listed(session, sort) == names


@pytest.mark.parametrize("sort", ["colour", "-", "", "change", "name,title", "change.weight"])
def test_an_unknown_sort_key_is_refused(sort):
    with pytest.raises(InvalidInput) as refused:
        parse_sort(sort)
    assert refused.value.faults[0].path == "sort"


def test_one_service_is_read_with_the_terms_of_its_support(company, session):
    globe = get_service(session, TYPES, "Component", "Default", "GLOBE")
    assert globe["support"].usage_forecast_rps == 100.0
    assert globe["tier"] == "full_sre"


@pytest.mark.parametrize(("kind", "name"), [("component", "nowhere"), ("component", "site"), ("group", "bards")])
def test_what_is_no_service_is_not_found(company, session, kind, name):
    with pytest.raises(NotFound):
        get_service(session, TYPES, kind, "default", name)


@pytest.fixture
def fleet(catalog_of, session, scored):
    chance = random.Random(11)
    names = [f"s{number:02}" for number in range(37)]
    chance.shuffle(names)
    levels = [None, "L0", "L1", "L2"]
    catalog_of(
        *(
            component(
                name,
                annotations={"criticality": chance.choice(["T0", "T1", "none"])},
                title=chance.choice(["Same", "Other"]),
                owner=chance.choice(["bards", "players"]),
            )
            for name in names
        )
    )
    scored(
        {
            name: {"level": chance.choice(levels), "percent": chance.choice([None, 0.0, 33.3, 100 / 3]),
                   "change_level": chance.choice(levels), "change_percent": chance.choice([None, 0.1, 0.2, 0.1 + 0.2]),
                   "change_coverage": chance.choice([None, 50.0])}
            for name in names[:30]
        }
    )  # fmt: skip
    records = [
        SupportRecord(ref(name), chance.choice([Tier.CONSULTATION, Tier.FULL_SRE]), NOW, "mia", "early", "active")
        for name in names[:12]
    ]
    support.adopt(session, records, MANAGER, NOW)
    session.commit()


def walk(session, sort, limit):
    cursor, found = None, []
    while True:
        page = list_services(session, TYPES, ServiceFilter({}), sort, cursor, limit)
        found += [item["ref"] for item in page.items]
        if page.next_cursor is None:
            return found
        assert len(page.items) == limit
        cursor = page.next_cursor


def test_pages_of_every_order_lose_and_repeat_nothing(fleet, session):
    for key, descending in product(SORTS, (False, True)):
        sort = Sort(key, descending)
        whole = [item["ref"] for item in list_services(session, TYPES, ServiceFilter({}), sort, None, 200).items]
        assert len(set(whole)) == 37
        assert walk(session, sort, 5) == whole, sort


def test_a_cursor_of_another_order_is_refused(fleet, session):
    cursor = list_services(session, TYPES, ServiceFilter({}), Sort("level"), None, 5).next_cursor
    for sort in (Sort("name"), Sort("level", descending=True)):
        with pytest.raises(InvalidInput):
            list_services(session, TYPES, ServiceFilter({}), sort, cursor, 5)


@pytest.mark.parametrize(
    "position",
    [
        [],
        ["name", False, 5, "x"],
        ["name", False, True, "x"],
        ["name", False, "x", 5],
        ["name", False, []],
        ["name", False, "a\0", "x"],
        ["name", False, None, "\0"],
        ["name", False, "a", "\0"],
    ],
)
def test_a_made_up_cursor_is_refused(company, session, position):
    with pytest.raises(InvalidInput):
        list_services(session, TYPES, ServiceFilter({}), Sort(), encode_cursor(position), 5)


def test_the_number_of_queries_does_not_grow_with_the_page(fleet, session):
    counts = []
    for limit in (2, 37):
        statements = []

        def count(*args, into=statements):
            into.append(args[2])

        engine = session.get_bind()
        sqlalchemy_event.listen(engine, "before_cursor_execute", count)
        list_services(session, TYPES, ServiceFilter({}), Sort("change.percent", descending=True), None, limit)
        sqlalchemy_event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_every_filter_has_a_sort_key(company):
    assert set(FILTERS) <= set(SORTS)
