"""The modules themselves: what each is, and what its releases answer and mend."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role
from scorecards.checks.definitions import Axis
from scorecards.exceptions.models import FrameworkModule, ModuleAdoption, ModuleRelease
from scorecards.exceptions.people import require_role
from scorecards.exceptions.versions import refuse_outdated

KEEPERS = (Role.PLATFORM_OWNER,)
KINDS: Mapping[str, Axis] = {
    "instrumentation_metrics": Axis.OBSERVABILITY,
    "request_logging": Axis.OBSERVABILITY,
    "traffic_load_control": Axis.CAPACITY,
}
"""The kinds of the SRE book, chapter 32, each with its axis. An organisation's own kinds say theirs."""

CAPABILITIES = ("logging", "monitoring", "configuration", "controls")
"""What a platform makes uniform for every service on it (SRE book, chapter 32)."""


@dataclass(frozen=True)
class ModuleDefinition:
    """What a module is."""

    title: str
    description: str
    kind: str
    owner: str
    axis: str | None = None
    """None: that of the kind."""
    capabilities: Sequence[str] = ()


def define(
    session: Session, name: str, wanted: ModuleDefinition, if_match: int | None, principal: Principal, now: datetime
) -> FrameworkModule:
    """Register a module, or change what is said of it. An unchanged definition changes nothing.

    Raises NotAllowed unless a platform owner asks, InvalidInput on an axis that does not fit the kind, and
    PreconditionFailed when it changed since the caller read it.
    """
    require_role(principal, KEEPERS, "register framework modules")
    values = {
        "title": wanted.title,
        "description": wanted.description,
        "kind": wanted.kind,
        "axis": _axis(wanted),
        "owner": wanted.owner.lower(),
        "capabilities": sorted(set(wanted.capabilities)),
    }
    module = session.get(FrameworkModule, name)
    refuse_outdated(f"Module {name}", if_match, module.version if module else 0)
    if module is None:
        module = FrameworkModule(name=name, version=1, changed_by=principal.name, changed_at=now, **values)
        session.add(module)
    elif any(getattr(module, key) != value for key, value in values.items()):
        for key, value in values.items():
            setattr(module, key, value)
        touch(module, principal, now)
    session.flush()
    return module


def touch(module: FrameworkModule, principal: Principal, now: datetime) -> None:
    """Note that a module, or one of its releases, changed."""
    module.version += 1
    module.changed_by, module.changed_at = principal.name, now


def find(session: Session, name: str) -> FrameworkModule:
    """Return a module; raises NotFound."""
    module = session.get(FrameworkModule, name) if "\0" not in name else None
    if module is None:
        raise NotFound(f"There is no framework module {name}; /api/scorecards/modules lists them.")
    return module


def list_modules(
    session: Session, kind: str | None, axis: str | None, cursor: str | None, limit: int
) -> Page[FrameworkModule]:
    """Return a page of modules by name; raises InvalidInput when the cursor is not one of this list."""
    conditions: list[ColumnElement[bool]] = []
    if kind:
        conditions.append(FrameworkModule.kind == kind)
    if axis:
        conditions.append(FrameworkModule.axis == axis)
    if cursor is not None:
        after = decode_cursor(cursor)
        if not isinstance(after, str) or "\0" in after:
            raise bad_cursor()
        conditions.append(FrameworkModule.name > after)
    query = select(FrameworkModule).where(*conditions).order_by(FrameworkModule.name).limit(limit + 1)
    found = list(session.scalars(query))
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].name) if more else None)


def releases_of(session: Session, names: Iterable[str]) -> dict[str, list[ModuleRelease]]:
    """Return the releases of modules, the newest first."""
    query = select(ModuleRelease).where(ModuleRelease.module.in_(list(names)))
    found: dict[str, list[ModuleRelease]] = {name: [] for name in names}
    for release in session.scalars(query.order_by(ModuleRelease.released_at.desc(), ModuleRelease.version.desc())):
        found[release.module].append(release)
    return found


def adopters_by_version(session: Session, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return, by module and version, how many services are built on it."""
    row = ModuleAdoption
    query = (
        select(row.module, row.version, func.count())
        .where(row.module.in_(list(names)))
        .group_by(row.module, row.version)
    )
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for module, version, count in session.execute(query):
        found[module][version] = count
    return found


def is_supported(release: ModuleRelease, now: datetime) -> bool:
    """Say whether a release is still supported at `now`."""
    return release.supported_until is None or release.supported_until > now


def fixes_of(releases: Sequence[ModuleRelease]) -> dict[str, set[str]]:
    """Return, by version, every fix that it has: its own, and those of the versions that it continues."""
    by_version = {release.version: release for release in releases}
    found: dict[str, set[str]] = {}
    # A version continues one that was there before it, so no chain runs in a circle.
    for release in releases:
        chain, fixes = release, set(release.fixes)
        while chain.follows is not None and chain.follows in by_version:
            chain = by_version[chain.follows]
            fixes |= set(chain.fixes)
        found[release.version] = fixes
    return found


def _axis(wanted: ModuleDefinition) -> str:
    known = KINDS.get(wanted.kind)
    if known is None and wanted.axis is None:
        message = f"is required for a kind other than {', '.join(KINDS)}"
        raise InvalidInput(f"axis {message}.", [Fault("axis", message)])
    if known is not None and wanted.axis not in (None, known.value):
        message = f"{wanted.kind} belongs to the axis {known.value}"
        raise InvalidInput(f"axis: {message}.", [Fault("axis", message)])
    return wanted.axis or (known.value if known else "")
