"""Services as SRE sees them, and the facts that the catalog itself has of them."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.facts import FACTS, observe
from catalog.services import Directory, Service, criticality_of, directory, lifecycle_of, services, targets
from plugins.contract import FactType
from portal_backend.core.clock import parse_time
from tests.catalog.samples import NOW, bring_in, component, files

ORG = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: Team-A}
spec: {type: team, children: [], profile: {email: team-a@example.com}}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: pay}
spec: {type: grpc, lifecycle: production, owner: team-a, definition: x}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: db, annotations: {sre.portal/criticality: T2}}
spec: {type: database, owner: team-a, dependencyOf: [component:checkout]}
"""

CHECKOUT = """\
  title: Checkout
  description: Takes money.
  tags: [money]
  annotations:
    sre.portal/criticality: t0
    sre.portal/lifecycle: limited
    sre.portal/criticality-confirmed-at: 2026-06-01
    sre.portal/oncall-coverage: 24x7
"""


@pytest.fixture
def shop(session, tmp_path):
    spec = "  system: shop\n  dependsOn: [component:stock]\n  consumesApis: [pay]\n"
    files(
        tmp_path,
        org=ORG,
        checkout=component("Checkout", spec=spec, metadata=CHECKOUT, owner="Team-A"),
        stock=component("stock", owner="user:nobody", metadata="  annotations: {sre.portal/criticality: T1}\n"),
        payments=component("payments", type_="Service", spec="  providesApis: [pay]\n"),
        library=component("library", type_="library", spec="  dependsOn: [component:payments]\n"),
    )
    bring_in(session, tmp_path)
    return session


def by_name(found) -> dict[str, Service]:
    return {service.name: service for service in found}


def test_services_are_the_components_of_the_configured_types(shop):
    found = services(shop, ("service",))
    assert [service.ref for service in found] == [
        f"component:default/{name}" for name in ("checkout", "payments", "stock")
    ]
    assert [service.name for service in services(shop, ("library", "service"), ["component:default/library"])] == [
        "library"
    ]
    assert services(shop, ("service",), []) == []


def test_a_service_carries_what_its_file_says(shop):
    checkout = by_name(services(shop, ("service",)))["Checkout"]
    assert (checkout.kind, checkout.namespace, checkout.title) == ("Component", "default", "Checkout")
    assert (checkout.description, checkout.type, checkout.tags) == ("Takes money.", "service", ("money",))
    assert (checkout.criticality, checkout.lifecycle) == ("T0", "limited")
    assert (checkout.owner, checkout.system) == ("group:default/team-a", "system:default/shop")
    assert checkout.observed_at == NOW


def test_dependencies_run_through_apis_too(shop):
    found = by_name(services(shop, ("service",)))
    assert found["Checkout"].dependencies == (
        "component:default/payments",
        "component:default/stock",
        "resource:default/db",
    )
    assert found["payments"].dependents == ("component:default/checkout", "component:default/library")
    assert found["stock"].dependents == ("component:default/checkout",)


def test_targets_are_what_connectors_need(shop):
    (target,) = [target for target in targets(shop, ("service",)) if target.name == "Checkout"]
    assert target.ref == "component:default/checkout"
    assert target.annotations["sre.portal/lifecycle"] == "limited"


def test_the_catalogs_facts_of_a_service(shop):
    found = services(shop, ("service",))
    facts = observe(found, directory(shop, found), NOW + timedelta(hours=1))
    values = {fact.key: fact.value for fact in facts if fact.ref == "component:default/checkout"}
    assert values == {
        "catalog.owner": "group:default/team-a",
        "catalog.lifecycle": "limited",
        "catalog.owner.in_directory": True,
        "catalog.contact": "team-a@example.com",
        "catalog.criticality": "T0",
        "catalog.criticality_confirmed_at": "2026-06-01T00:00:00Z",
        "oncall.shifts_30d": 60,
        "deps.count": 3,
        "deps.hard.worst_criticality": "T2",
        "dependents.count": 0,
    }
    assert {fact.observed_at for fact in facts} == {NOW}


def test_what_is_not_declared_is_no_fact_but_a_missing_owner_is_one(shop):
    found = services(shop, ("service",))
    facts = observe(found, directory(shop, found), NOW)
    assert {fact.key: fact.value for fact in facts if fact.ref == "component:default/stock"} == {
        "catalog.owner": "user:default/nobody",
        "catalog.lifecycle": "ga",
        "catalog.owner.in_directory": False,
        "catalog.criticality": "T1",
        "deps.count": 0,
        "dependents.count": 1,
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00Z"),
        ("2026-01-31T10:00:00", None),
        ("31.01.2026", None),
        ("2026-02-30", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_in_annotations(written, read):
    service = Service(
        "component:default/a", "Component", "default", "a", None, None, "service", None, None, None, None,
        annotations={"sre.portal/runbook-reviewed-at": written},
    )  # fmt: skip
    values = {fact.key: fact.value for fact in observe([service], Directory(), NOW)}
    assert values.get("docs.runbook.reviewed_at") == read


@pytest.mark.parametrize(
    ("annotation", "spec", "phase"),
    [
        (None, "production", "ga"),
        (None, "Experimental", "active_dev"),
        (None, "deprecated", "deprecation"),
        (None, "unknown", None),
        ("design", "production", "design"),
        ("GA", "experimental", "ga"),
        ("nonsense", "production", "ga"),
    ],
)
def test_the_phase_of_a_service(annotation, spec, phase):
    annotations = {} if annotation is None else {"sre.portal/lifecycle": annotation}
    assert lifecycle_of(annotations, spec) == phase


@pytest.mark.parametrize(("stated", "tier"), [("T0", "T0"), ("t3", "T3"), ("T4", None), ("high", None), ("", None)])
def test_the_tier_of_a_service(stated, tier):
    assert criticality_of({"sre.portal/criticality": stated}) == tier


def test_every_fact_is_declared_with_type_and_description(shop):
    declared = {spec.key: spec for spec in FACTS}
    assert len(declared) == len(FACTS)
    python_types = {
        FactType.BOOLEAN: bool,
        FactType.INTEGER: int,
        FactType.STRING: str,
        FactType.DATETIME: str,
    }
    found = services(shop, ("service",))
    for fact in observe(found, directory(shop, found), NOW):
        assert type(fact.value) is python_types[declared[fact.key].type]
        if declared[fact.key].type is FactType.DATETIME:
            assert isinstance(parse_time(fact.value), datetime)
            assert parse_time(fact.value).tzinfo is UTC
