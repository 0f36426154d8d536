"""Whom a service belongs to, and who may speak for it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import BadReference, make_ref, parse_ref
from catalog.models import Entity, RelationRow
from catalog.services import Service, services
from portal_backend.core.errors import Fault, InvalidInput, NotAllowed, NotFound
from portal_backend.core.principal import Principal, Role
from scorecards.judging import Judging


def find_service(session: Session, judging: Judging, kind: str, namespace: str, name: str) -> Service:
    """Return a service; raises NotFound when the catalog has none of this reference."""
    ref = make_ref(kind, namespace, name)
    found = [] if "\0" in ref else services(session, judging.service_types, [ref])
    if found:
        return found[0]
    known = "\0" not in ref and session.scalar(select(Entity.id).where(Entity.ref == ref))
    if known:
        types = ", ".join(judging.service_types)
        raise NotFound(f"{ref} is in the catalog but is no service: services are Components of type {types}.")
    raise NotFound(f"The catalog has no service {ref}; register it (`portal catalog add`).")


COMMAND_LINE = " (command line)"
"""How the name of an account ends that works at the command line."""


def person_of(name: str) -> str:
    """Return whom a name stands for, as a reference: `ann`, `user:default/ann` and `ann (command line)` are one."""
    name = name.removesuffix(COMMAND_LINE).lower()
    return name if ":" in name else f"user:default/{name}"


def is_same_person(one: str, other: str) -> bool:
    """Say whether two names stand for one person, who is no second person."""
    return person_of(one) == person_of(other)


def owner_ref(text: str | None) -> str | None:
    """Return the full reference of an owner to filter by; raises InvalidInput when it is none."""
    if text is None:
        return None
    try:
        return str(parse_ref(text, "group"))
    except BadReference as error:
        raise InvalidInput(f"owner: {error}", [Fault("owner", str(error))]) from error


def owns(session: Session, service: Service, principal: Principal) -> bool:
    """Say whether the principal is the service's owner, or belongs to the group that is."""
    if service.owner is None:
        return False
    person = person_of(principal.name)
    if person == service.owner:
        return True
    belongs = select(RelationRow.source_ref).where(
        RelationRow.source_ref == person, RelationRow.type == "memberOf", RelationRow.target_ref == service.owner
    )
    return session.scalar(belongs.limit(1)) is not None


def role_fault(
    session: Session, service: Service, principal: Principal, roles: tuple[Role, ...], act: str
) -> list[Fault]:
    """Return the fault of somebody who neither has one of the roles nor owns the service."""
    if principal.has_role(*roles) or owns(session, service, principal):
        return []
    named = ", ".join(roles)
    message = f"{principal.name} may not {act}: it takes one of the roles {named}, or to be one of {service.owner}"
    return [Fault("role", message)]


def require_role(principal: Principal, roles: tuple[Role, ...], act: str) -> None:
    """Raise NotAllowed unless the principal has one of the roles."""
    if not principal.has_role(*roles):
        named = ", ".join(roles)
        message = f"{principal.name} may not {act}: it takes one of the roles {named}"
        raise NotAllowed(f"{message}.", [Fault("role", message)])
