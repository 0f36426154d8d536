"""A catalog of services, what is observed of them, and people with roles."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from sqlalchemy import insert

from catalog.facts import FACTS as CATALOG_FACTS
from catalog.ingestion.reading import Reader
from catalog.ingestion.refresh import refresh_location
from catalog.locations import register_location
from catalog.services import directory, services
from plugins import registry
from plugins.contract import Fact
from plugins.sources import sync_sources
from portal_backend.core.config import SourceConfig
from portal_backend.core.principal import Principal, Role
from scorecards import facts as fact_store
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import Axis
from scorecards.evidence.derivations import FACTS as DERIVED_FACTS
from scorecards.judging import make_judging
from scorecards.models import Scorecard

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def ref(name):
    return f"component:default/{name}"


def somebody(*roles, name="ann"):
    return Principal(name, frozenset(roles), frozenset({"*"}))


MANAGER = somebody(Role.SRE_MANAGER, name="mia")


def component(name, *, kind="service", owner="bards", lifecycle="production", annotations=None, **more):
    metadata = {"name": name, "annotations": {f"sre.portal/{key}": value for key, value in (annotations or {}).items()}}
    metadata |= {key: more.pop(key) for key in ("title", "description", "tags") if key in more}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": kind, "lifecycle": lifecycle, "owner": owner, **more},
    }


def group(name):
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Group",
        "metadata": {"name": name},
        "spec": {"type": "team", "children": []},
    }


@pytest.fixture(scope="session")
def judging():
    connectors = registry.connectors()
    declared = [
        *CATALOG_FACTS,
        *DERIVED_FACTS,
        *(spec for connector in connectors.values() for spec in connector.facts),
    ]
    specs = {spec.key: spec for spec in declared}
    return make_judging(load_catalogue((), specs), specs, connectors, ("service",))


@pytest.fixture
def app(app, judging):
    app.extensions["scorecards"] = judging
    return app


@pytest.fixture
def catalog_of(session, tmp_path_factory, prepared):
    """Put entities into the catalog."""
    path = tmp_path_factory.getbasetemp() / "catalog.yaml"

    def read():
        location = register_location(session, "file", str(path), NOW)
        report = refresh_location(session, location, NOW, reader=Reader())
        assert not report.faults, report.faults

    def put(*entities):
        text = yaml.dump_all([group("bards"), group("players"), *entities], Dumper=DUMPER)
        path.write_text(text)
        prepared(text, read)
        session.commit()

    return put


@pytest.fixture
def observe(session, judging):
    """Let the simulated source `prometheus` observe facts: {name: {key: value}}."""

    def store(values, age=timedelta(minutes=5), now=NOW):
        sync_sources(session, [SourceConfig("prometheus", "prometheus", "http://127.0.0.1:1", simulated=True)])
        observed = [
            Fact(ref(name), key, value, now - age) for name, facts in values.items() for key, value in facts.items()
        ]
        report = fact_store.store(session, "prometheus", observed, judging.specs, now)
        assert report.rejected == []
        session.commit()

    return store


@pytest.fixture
def observe_catalog(session, judging):
    """Let the catalog state its facts."""

    def store(now=NOW):
        from catalog.facts import observe as judge_catalog

        found = services(session, judging.service_types)
        seen = judge_catalog(found, directory(session, found), now)
        fact_store.store(session, "catalog", seen, judging.specs, now)
        session.commit()

    return store


@pytest.fixture
def scored(session):
    """Give services a stored scorecard: {name: {column: value}}."""

    def store(values):
        axes = {f"{axis}_{part}": None for axis in Axis for part in ("level", "percent", "coverage")}
        base = {
            "level": None, "percent": None, "coverage": None, "required_level": None, "next_step": None, **axes,
            "evaluated_at": NOW, "valid_until": None, "awaits_evidence": False, "catalogue_version": "1",
            "sources_version": "1", "fingerprint": "f", "statuses": {}, "document": b"{}",
        }  # fmt: skip
        session.execute(insert(Scorecard), [{**base, "entity_ref": ref(name), **row} for name, row in values.items()])
        session.commit()

    return store
