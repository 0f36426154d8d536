"""The newest events of some kinds of each of several services: one query, by the index, however long a history is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, String, bindparam, literal, select, true, union_all
from sqlalchemy.orm import Session, aliased

from engagements.models import HistoryEvent, HistoryHead


@dataclass(frozen=True)
class Seen:
    """An event as the incident view reads it."""

    entity_ref: str
    sequence: int
    kind: str
    occurred_at: datetime
    actor: str
    source: str
    source_event_id: str
    simulated: bool
    summary: str
    link: str
    details: Mapping[str, Any]
    pattern: str | None

    def text(self, *names: str) -> str:
        """Return the first of these details that is a text, else an empty one."""
        for name in names:
            value = self.details.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""


def columns_of(event: Any) -> list[Any]:
    """Return the columns that make a Seen."""
    return [getattr(event, name) for name in Seen.__dataclass_fields__]


def newest(session: Session, refs: Sequence[str], kinds: Sequence[str], limit: int) -> list[Seen]:
    """Return the newest `limit` events of each kind of each service, newest first."""
    if not refs:
        return []
    statement = _statement(session.get_bind().dialect.name == "postgresql", tuple(kinds), limit)
    found = [Seen(*row) for row in session.execute(statement, {"refs": list(refs)})]
    return sorted(found, key=lambda event: (event.occurred_at, event.sequence), reverse=True)


def newest_of_patterns(session: Session, patterns: Sequence[str], kinds: Sequence[str], limit: int) -> list[Seen]:
    """Return the newest `limit` events of each pattern, of any service, newest first."""
    if not patterns:
        return []
    has_lateral = session.get_bind().dialect.name == "postgresql"
    values = {f"pattern_{number}": pattern for number, pattern in enumerate(patterns)}
    found = [Seen(*row) for row in session.execute(_of_patterns(has_lateral, len(values), tuple(kinds), limit), values)]
    return sorted(found, key=lambda event: (event.occurred_at, event.sequence), reverse=True)


@cache
def _statement(has_lateral: bool, kinds: tuple[str, ...], limit: int) -> Select[Any]:
    """Return the statement; making it takes longer than running it."""
    wanted = union_all(*(select(literal(kind, String).label("kind")) for kind in kinds)).subquery("kinds")
    event = aliased(HistoryEvent)
    inner = (
        select(*columns_of(event), event.id)
        .where(event.entity_ref == HistoryHead.entity_ref, event.kind == wanted.c.kind)
        .order_by(event.occurred_at.desc(), event.sequence.desc())
        .limit(limit)
        .correlate(HistoryHead, wanted)
    )
    columns, joined, on = _for_each(inner, event, has_lateral)
    of_services = HistoryHead.entity_ref.in_(bindparam("refs", expanding=True))
    return select(*columns).select_from(HistoryHead).join(wanted, true()).join(joined, on).where(of_services)


@cache
def _of_patterns(has_lateral: bool, count: int, kinds: tuple[str, ...], limit: int) -> Select[Any]:
    given = (bindparam(f"pattern_{number}", type_=String).label("pattern") for number in range(count))
    wanted = union_all(*(select(one) for one in given)).subquery("patterns")
    event = aliased(HistoryEvent)
    inner = (
        select(*columns_of(event), event.id)
        .where(event.pattern == wanted.c.pattern, event.kind.in_(kinds))
        .order_by(event.occurred_at.desc())
        .limit(limit)
        .correlate(wanted)
    )
    columns, joined, on = _for_each(inner, event, has_lateral)
    return select(*columns).select_from(wanted).join(joined, on)


def _for_each(inner: Select[Any], event: Any, has_lateral: bool) -> tuple[list[Any], Any, Any]:
    """Return the columns, the table and the condition that join the events of a correlated query."""
    if has_lateral:
        each = inner.lateral("event")
        return [each.c[name] for name in Seen.__dataclass_fields__], each, true()
    # SQLite looks a correlated list of row ids up instead.
    ids = inner.with_only_columns(event.id).scalar_subquery()
    return columns_of(HistoryEvent), HistoryEvent, HistoryEvent.id.in_(ids)
