"""What the catalog itself knows of a service, as facts of the source `catalog`. Pure.

What a service does not declare is no fact: a check that needs it is unknown, with this as its cause. Only where the
absence is the answer (an owner that the directory does not have) the fact says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from catalog.services import CRITICALITIES, PREFIX, Directory, Service
from plugins.contract import Fact, FactSpec, FactType, FactValue
from portal_backend.core.clock import format_time, parse_time

__all__ = ["FACTS", "Directory", "observe"]

MAX_AGE = timedelta(days=7)
"""A declaration holds as long as its file can be read; a location that cannot be for a week leaves it unknown."""

SHIFTS_30D = {"24x7": 60, "business-hours": 22}
"""On-call shifts of 12 hours in 30 days, by coverage: two a day, or one per working day."""


def _spec(key: str, type_: FactType, unit: str, description: str) -> FactSpec:
    return FactSpec(key, type_, unit, description, MAX_AGE)


FACTS: Sequence[FactSpec] = (
    _spec(
        "catalog.owner.in_directory",
        FactType.BOOLEAN,
        "",
        "Whether the owner that the service names is a Group or User of the catalog.",
    ),
    _spec(
        "catalog.contact",
        FactType.STRING,
        "",
        f"Where to reach the owner: spec.profile.email of the owning Group or User, else {PREFIX}contact.",
    ),
    _spec("catalog.owner", FactType.STRING, "", "Full reference of the owner, whether or not the catalog has it."),
    _spec(
        "catalog.lifecycle",
        FactType.STRING,
        "",
        f"Phase of the SRE workbook (design to unsupported), from {PREFIX}lifecycle, else by spec.lifecycle.",
    ),
    _spec("catalog.criticality", FactType.STRING, "", f"T0 (existential) to T3, from {PREFIX}criticality."),
    _spec(
        "catalog.criticality_confirmed_at",
        FactType.DATETIME,
        "",
        f"When the owner last confirmed the criticality, from {PREFIX}criticality-confirmed-at.",
    ),
    _spec(
        "docs.design.updated_at",
        FactType.DATETIME,
        "",
        f"When the design document was last reviewed, from {PREFIX}design-doc-reviewed-at.",
    ),
    _spec(
        "docs.runbook.reviewed_at",
        FactType.DATETIME,
        "",
        f"When the runbook was last reviewed, from {PREFIX}runbook-reviewed-at.",
    ),
    _spec(
        "oncall.shifts_30d",
        FactType.INTEGER,
        "count",
        f"On-call shifts of 12 hours in 30 days, from {PREFIX}oncall-coverage (24x7: 60, business-hours: 22).",
    ),
    _spec("deps.count", FactType.INTEGER, "count", "Entities it declares to depend on, providers of APIs too."),
    _spec(
        "deps.hard.worst_criticality",
        FactType.STRING,
        "",
        "The least critical tier among the dependencies that state one.",
    ),
    _spec("dependents.count", FactType.INTEGER, "count", "Entities that declare to depend on the service."),
)


def observe(services: Sequence[Service], directory: Directory, now: datetime) -> list[Fact]:
    """Return the facts of services; each was observed when the service's location was last read, at `now` at most."""
    return [
        Fact(service.ref, key, value, min(service.observed_at or now, now))
        for service in services
        for key, value in _observations(service, directory)
        if value is not None
    ]


def _observations(service: Service, directory: Directory) -> Iterator[tuple[str, FactValue | None]]:
    annotations = service.annotations
    yield "catalog.owner", service.owner
    yield "catalog.lifecycle", service.lifecycle
    yield "catalog.owner.in_directory", service.owner in directory.owners
    yield "catalog.contact", _contact(service, directory)
    yield "catalog.criticality", service.criticality
    yield "catalog.criticality_confirmed_at", _moment(annotations, "criticality-confirmed-at")
    yield "docs.design.updated_at", _moment(annotations, "design-doc-reviewed-at")
    yield "docs.runbook.reviewed_at", _moment(annotations, "runbook-reviewed-at")
    yield "oncall.shifts_30d", SHIFTS_30D.get(annotations.get(f"{PREFIX}oncall-coverage", ""))
    yield "deps.count", len(service.dependencies)
    yield "deps.hard.worst_criticality", _least_critical(service, directory)
    yield "dependents.count", len(service.dependents)


def _contact(service: Service, directory: Directory) -> str | None:
    email = directory.owners.get(service.owner) if service.owner else None
    return email or service.annotations.get(f"{PREFIX}contact") or None


def _least_critical(service: Service, directory: Directory) -> str | None:
    tiers = [directory.criticalities[ref] for ref in service.dependencies if ref in directory.criticalities]
    return max(tiers, key=CRITICALITIES.index, default=None)


def _moment(annotations: Mapping[str, str], name: str) -> str | None:
    """Read a date (its first moment in UTC) or an RFC 3339 time; None when it is missing or neither."""
    text = annotations.get(PREFIX + name, "").strip()
    try:
        if len(text) == len("2026-01-31"):
            return format_time(datetime.combine(date.fromisoformat(text), time(), UTC))
        return format_time(parse_time(text))
    except ValueError:
        return None
