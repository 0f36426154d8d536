"""A small catalog in the database, with sources whose last run went well."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

import catalog.facts
from catalog.ingestion.refresh import refresh_location
from catalog.locations import register_location
from catalog.services import directory, services
from plugins import registry
from plugins.contract import Fact, FactSpec
from plugins.models import Source
from plugins.sources import sync_sources
from portal_backend.core.config import SourceConfig
from scorecards.checks.catalogue import CheckCatalogue, load_catalogue
from scorecards.evidence.derivations import FACTS as DERIVED_FACTS
from scorecards.facts import store
from scorecards.judging import Judging, init_app, make_judging
from tests.scorecards.samples import GOOD, MINUTE, NOW, SOURCE_OF

REF = "component:default/shakespeare"
QUILL = "component:default/quill"

SHAKESPEARE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shakespeare
  title: Shakespeare
  tags: [go, stateful]
  annotations:
    sre.portal/criticality: T1
    sre.portal/criticality-confirmed-at: "2026-10-01"
    sre.portal/design-doc-reviewed-at: "2026-06-01"
    sre.portal/runbook-reviewed-at: "2026-09-01"
    sre.portal/oncall-coverage: 24x7
spec:
  type: service
  lifecycle: production
  owner: bards
  dependsOn: [component:quill, resource:folios]
"""
OTHERS = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: quill
  annotations:
    sre.portal/criticality: T1
spec: {type: service, lifecycle: production, owner: bards}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ink}
spec: {type: library, lifecycle: production, owner: bards}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: folios}
spec: {type: database, owner: bards}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: bards}
spec: {type: team, children: [], profile: {email: bards@example.org}}
"""
SOURCES = ("prometheus", "openslo", "grafana", "argocd")


class Company:
    """The database as the tests arrange it."""

    def __init__(self, session: Session, folder: Path, judging: Judging) -> None:
        self.session = session
        self.folder = folder
        self.judging = judging

    def write(self, name: str, text: str, now: datetime = NOW) -> None:
        """Write a catalog file, and have the catalog read it and state its facts."""
        file = self.folder / name
        file.write_text(text)
        location = register_location(self.session, "file", str(file), now)
        refresh_location(self.session, location, now, allow_removals=True)
        found = services(self.session, ("service",))
        facts = catalog.facts.observe(found, directory(self.session, found), now)
        store(self.session, "catalog", facts, self.judging.specs, now, {service.ref for service in found})

    def configure(self, *names: str, simulated: bool = False) -> None:
        """Configure a source of each plugin; each has just had a good run."""
        configs = [SourceConfig(name, name, f"http://{name}.example", simulated=simulated) for name in names]
        sync_sources(self.session, configs)
        self.touch(last_attempt_at=NOW - MINUTE, last_success_at=NOW - MINUTE)

    def touch(self, name: str | None = None, **values: Any) -> None:
        """Change what is known of a source, or of all."""
        statement = update(Source).values(**values)
        self.session.execute(statement if name is None else statement.where(Source.name == name))

    def observe(self, facts: Mapping[str, Any], ref: str = REF, now: datetime = NOW) -> set[str]:
        """Store facts, each as coming from the source of its plugin; return what changed."""
        changed: set[str] = set()
        for source in SOURCES:
            of_source = [Fact(ref, key, value, now) for key, value in facts.items() if SOURCE_OF[key] == source]
            changed |= store(self.session, source, of_source, self.judging.specs, now).changed
        return changed


@cache
def catalogue_and_specs() -> tuple[CheckCatalogue, dict[str, FactSpec]]:
    """The product's checks and the facts that its connectors declare: read once, since nobody changes them."""
    supplied = [spec for connector in registry.connectors().values() for spec in connector.facts]
    specs = {spec.key: spec for spec in [*catalog.facts.FACTS, *DERIVED_FACTS, *supplied]}
    return load_catalogue((), specs), specs


@pytest.fixture
def judging(app: Flask) -> Judging:
    made = make_judging(*catalogue_and_specs(), registry.connectors(), ("service",))
    init_app(app, made)
    return made


@pytest.fixture
def company(session: Session, tmp_path_factory: pytest.TempPathFactory, judging: Judging, prepared: Any) -> Company:
    """Shakespeare in good order, depending on quill, which is."""
    folder = tmp_path_factory.getbasetemp() / "company"
    folder.mkdir(exist_ok=True)
    made = Company(session, folder, judging)
    prepared(frozenset(judging.specs.values()), partial(_in_good_order, made))
    return made


def _in_good_order(company: Company) -> None:
    company.configure(*SOURCES)
    company.write("others.yaml", OTHERS)
    company.write("shakespeare.yaml", SHAKESPEARE)
    measured = {key: value for key, value in GOOD.items() if SOURCE_OF[key] != "catalog"}
    company.observe(measured)
    company.observe({"slo.availability.target": 0.9999}, QUILL)
