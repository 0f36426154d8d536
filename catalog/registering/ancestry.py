"""Single entities: by the uid that they keep, and where they come from, up to the registered Location entity."""

from typing import NamedTuple

from sqlalchemy import bindparam, literal, select
from sqlalchemy.orm import Session, aliased

from catalog.models import Entity, EntityBody
from portal_backend.core.errors import NotFound

MAX_LEVELS = 64
"""More than any read follows; an entity that led to itself would go on for ever."""

_START = (
    select(Entity.id, Entity.ref, Entity.parent_ref, literal(0).label("level"))
    .where(Entity.ref == bindparam("ref"))
    .cte("ancestor", recursive=True)
)
_PARENT = aliased(Entity)
_ANCESTOR = _START.union_all(
    select(_PARENT.id, _PARENT.ref, _PARENT.parent_ref, _START.c.level + 1)
    .join(_START, _PARENT.ref == _START.c.parent_ref)
    .where(_START.c.level < MAX_LEVELS)
)
_WAY_UP = (
    select(_ANCESTOR.c.ref, _ANCESTOR.c.parent_ref, EntityBody.body)
    .join(EntityBody, EntityBody.id == _ANCESTOR.c.id)
    .order_by(_ANCESTOR.c.level)
)


class Ancestor(NamedTuple):
    """An entity on the way up, the one that was asked for among them."""

    body: bytes
    parent_refs: tuple[str, ...]
    """Empty for the entity of a registered location, and where the parent is gone."""


def body_by_uid(session: Session, uid: str) -> bytes:
    """Return the final entity with this uid as JSON, ready to send; raises NotFound."""
    statement = select(EntityBody.body).join(Entity, Entity.id == EntityBody.id).where(Entity.uid == uid)
    body = session.scalar(statement) if "\0" not in uid else None
    if body is None:
        raise NotFound(f"No entity with uid {uid} exists; a removed and re-created one has another.")
    return body


def ancestry(session: Session, ref: str) -> list[Ancestor]:
    """Return the entity with this lower-case reference and its ancestors, the nearest first; raises NotFound."""
    rows = session.execute(_WAY_UP, {"ref": ref}).all() if "\0" not in ref else []
    if not rows:
        raise NotFound(f"No entity {ref} exists; `portal catalog list` shows those that do.")
    found: dict[str, tuple[bytes, str | None]] = {}
    for own, parent, body in rows:
        found.setdefault(own, (body, parent))
    return [Ancestor(body, (parent,) if parent in found else ()) for body, parent in found.values()]
