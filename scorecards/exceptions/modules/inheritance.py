"""What a service inherits from the modules that it is built on: n of its m checks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import Service
from scorecards.checks.definitions import CheckCatalogue, Status
from scorecards.exceptions.loading import inheritances
from scorecards.exceptions.models import FrameworkModule, ModuleAdoption
from scorecards.exceptions.modules.adoption import adoptions_of, provided
from scorecards.exceptions.modules.registry import CAPABILITIES, is_supported, releases_of
from scorecards.exceptions.statuses import statuses_of

OPEN = {Status.FAIL.value, Status.UNKNOWN.value}
COUNTED = {*OPEN, Status.PASS.value, Status.INHERITED.value}


def modules_of(session: Session, catalogue: CheckCatalogue, service: Service, now: datetime) -> dict[str, Any]:
    """Return what a service is built on, what it inherits by it, and what it could inherit besides."""
    built_on = adoptions_of(session, [service.ref])[service.ref]
    statuses = statuses_of(session, [service.ref]).get(service.ref, {})
    passed_on = inheritances(session, [service.ref], now).get(service.ref, {})
    items = [
        {
            "module": adoption.module,
            "title": module.title,
            "kind": module.kind,
            "axis": module.axis,
            "version": adoption.version,
            "supported": is_supported(release, now),
            "supported_until": release.supported_until,
            "follows_releases": adoption.follows_releases,
            "local_overrides": adoption.local_overrides,
            "adopted_at": adoption.adopted_at,
            "changed_by": adoption.changed_by,
            "changed_at": adoption.changed_at,
            "revision": adoption.revision,
        }
        for adoption, module, release in built_on
    ]
    inherited = [
        {
            "check": check,
            "title": catalogue.checks[check].title,
            "module": one.module,
            "version": one.module_version,
            "supported_until": one.supported_until,
            "status": statuses.get(check),
        }
        for check, one in sorted(passed_on.items())
        if check in catalogue.checks
    ]
    capabilities = provided(built_on, now)
    return {
        "items": items,
        "inherited": inherited,
        "inherited_count": sum(status == Status.INHERITED for status in statuses.values()),
        "applicable_count": sum(status in COUNTED for status in statuses.values()),
        "could_inherit": _offers(session, service.ref, statuses, now),
        "capabilities": {capability: capabilities.get(capability, []) for capability in CAPABILITIES},
        "uniform": all(capability in capabilities for capability in CAPABILITIES),
    }


def _offers(session: Session, ref: str, statuses: Mapping[str, str], now: datetime) -> list[dict[str, Any]]:
    """Return the releases that would answer checks that are open here: of each module the latest that is supported."""
    mine = {
        adoption.module: adoption
        for adoption in session.scalars(select(ModuleAdoption).where(ModuleAdoption.entity_ref == ref))
    }
    names = list(session.scalars(select(FrameworkModule.name).order_by(FrameworkModule.name)))
    offers = []
    for name, releases in releases_of(session, names).items():
        latest = next((release for release in releases if is_supported(release, now)), None)
        if latest is None or (name in mine and mine[name].version == latest.version):
            continue
        own = mine[name].local_overrides if name in mine else {}
        checks = [check for check in latest.satisfies_checks if statuses.get(check) in OPEN and check not in own]
        if checks:
            offers.append({"module": name, "version": latest.version, "checks": checks})
    return offers
