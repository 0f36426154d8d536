"""Which services are built on which modules, what they do in their own way, and what they inherit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from catalog.services import Service
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput, NotAllowed
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role
from scorecards.exceptions.models import FrameworkModule, ModuleAdoption, ModuleRelease, plain_form
from scorecards.exceptions.modules.registry import find, is_supported, releases_of
from scorecards.exceptions.people import role_fault
from scorecards.exceptions.recording import Done, Happening
from scorecards.exceptions.versions import refuse_outdated

ADOPTERS = (Role.DEV, Role.DEV_LEAD, Role.PLATFORM_OWNER)


@dataclass(frozen=True)
class Adoption:
    """How a service is built on a module."""

    version: str
    local_overrides: Mapping[str, str] = field(default_factory=dict)
    """Checks that the service meets in its own way, each with the reason: they are not inherited."""
    follows_releases: bool = False


def adopt(
    session: Session,
    service: Service,
    name: str,
    wanted: Adoption,
    if_match: int | None,
    principal: Principal,
    now: datetime,
) -> Done[ModuleAdoption]:
    """Record that a service is built on a version of a module, or change that. Repeating it changes nothing.

    Raises NotFound without such a module, InvalidInput on an unknown version or an override of what the version does
    not answer, NotAllowed when the role is lacking, and PreconditionFailed when it changed since the caller read it.
    """
    release = _release(session, find(session, name), wanted)
    _require_role(session, service, principal)
    row = session.get(ModuleAdoption, (service.ref, name))
    refuse_outdated(f"{name} of {service.ref}", if_match, row.revision if row else 0)
    values = {
        "version": wanted.version,
        "local_overrides": dict(wanted.local_overrides),
        "follows_releases": wanted.follows_releases,
    }
    stamp = {"changed_by": principal.name, "changed_at": now}
    if row is None:
        row = ModuleAdoption(entity_ref=service.ref, module=name, revision=1, adopted_at=now, **values, **stamp)
        session.add(row)
        what, was = "adopted", None
    elif all(getattr(row, key) == value for key, value in values.items()):
        return Done(row)
    else:
        what, was = ("upgraded", row.version) if row.version != wanted.version else ("overridden", None)
        for key, value in {**values, **stamp, "revision": row.revision + 1}.items():
            setattr(row, key, value)
    session.flush()
    summary = _summary(row, what, was, is_supported(release, now))
    return Done(row, (happening(row, what, summary, principal, now, from_version=was),))


def leave(
    session: Session, service: Service, name: str, if_match: int | None, principal: Principal, now: datetime
) -> Done[None]:
    """Record that a service is no longer built on a module; one that was not changes nothing.

    Raises NotAllowed when the role is lacking and PreconditionFailed when it changed since the caller read it.
    """
    _require_role(session, service, principal)
    row = session.get(ModuleAdoption, (service.ref, name)) if "\0" not in name else None
    if row is None:
        return Done(None)
    refuse_outdated(f"{name} of {service.ref}", if_match, row.revision)
    row.revision += 1
    summary = f"No longer built on {name} {row.version}."
    told = happening(row, "left", summary, principal, now)
    session.delete(row)
    session.flush()
    return Done(None, (told,))


def happening(
    row: ModuleAdoption, what: str, summary: str, principal: Principal, now: datetime, **more: Any
) -> Happening:
    """Return what the history holds of a change of an adoption: all of it, as it is afterwards."""
    extra = {key: value for key, value in more.items() if value}
    details = {"module": row.module, "roles": sorted(principal.roles), "state": plain_form(row), **extra}
    # A service may leave a module and come back at revision 1; a repeated request happens nothing, so any id will do.
    event_id = f"framework/{row.module}/{what}/{uuid4()}"
    return Happening(row.entity_ref, f"framework.{what}", event_id, now, summary, principal.name, details)


BuiltOn = tuple[ModuleAdoption, FrameworkModule, ModuleRelease]


def adoptions_of(session: Session, refs: Collection[str]) -> dict[str, list[BuiltOn]]:
    """Return, by service, the modules that it is built on, by name."""
    query = (
        select(ModuleAdoption, FrameworkModule, ModuleRelease)
        .join(FrameworkModule, FrameworkModule.name == ModuleAdoption.module)
        .join(
            ModuleRelease,
            and_(ModuleRelease.module == ModuleAdoption.module, ModuleRelease.version == ModuleAdoption.version),
        )
        .order_by(ModuleAdoption.module)
    )
    found: dict[str, list[BuiltOn]] = {ref: [] for ref in refs}
    for few in chunks(sorted(refs)):
        for adoption, module, release in session.execute(query.where(ModuleAdoption.entity_ref.in_(few))):
            found[adoption.entity_ref].append((adoption, module, release))
    return found


def provided(modules: Sequence[BuiltOn], now: datetime) -> dict[str, list[str]]:
    """Return, by uniform capability, the supported modules that provide it (`request-log 2.1`)."""
    found: dict[str, list[str]] = {}
    for adoption, module, release in modules:
        if is_supported(release, now):
            for capability in module.capabilities:
                found.setdefault(capability, []).append(f"{module.name} {adoption.version}")
    return found


def list_adopters(
    session: Session,
    name: str,
    versions: Sequence[str] | None,
    cursor: str | None,
    limit: int,
) -> Page[ModuleAdoption]:
    """Return a page of the services on a module (on these versions), by reference.

    Raises InvalidInput when the cursor is not one of this list.
    """
    query = select(ModuleAdoption).where(ModuleAdoption.module == name)
    if versions is not None:
        query = query.where(ModuleAdoption.version.in_(versions))
    if cursor is not None:
        after = decode_cursor(cursor)
        if not isinstance(after, str) or "\0" in after:
            raise bad_cursor()
        query = query.where(ModuleAdoption.entity_ref > after)
    found = list(session.scalars(query.order_by(ModuleAdoption.entity_ref).limit(limit + 1)))
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].entity_ref) if more else None)


def _release(session: Session, module: FrameworkModule, wanted: Adoption) -> ModuleRelease:
    release = session.get(ModuleRelease, (module.name, wanted.version))
    if release is None:
        known = ", ".join(one.version for one in releases_of(session, [module.name])[module.name][:10]) or "none yet"
        message = f"{module.name} has no release {wanted.version}; the latest are: {known}"
        raise InvalidInput(f"version: {message}.", [Fault("version", message)])
    faults = [
        Fault(f"local_overrides.{check}", f"{module.name} {release.version} does not answer this check; leave it out")
        for check in wanted.local_overrides
        if check not in release.satisfies_checks
    ]
    if faults:
        raise InvalidInput("The overrides have faults: " + "; ".join(str(fault) for fault in faults), faults)
    return release


def _require_role(session: Session, service: Service, principal: Principal) -> None:
    faults = role_fault(session, service, principal, ADOPTERS, f"say what {service.ref} is built on")
    if faults:
        raise NotAllowed(faults[0].message + ".", faults)


def _summary(row: ModuleAdoption, what: str, was: str | None, supported: bool) -> str:
    if what == "adopted":
        text = f"Built on {row.module} {row.version}."
    elif what == "upgraded":
        text = f"Moved from {row.module} {was} to {row.version}."
    else:
        own = ", ".join(sorted(row.local_overrides)) or "nothing"
        text = f"On {row.module} {row.version}; done in its own way: {own}."
    return text if supported else f"{text} The version is no longer supported: nothing is inherited."
