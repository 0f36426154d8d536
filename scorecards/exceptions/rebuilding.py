"""Attestations, waivers, adoptions and exemptions made again from what the histories tell of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import Model, UtcDateTime
from scorecards.campaigns.models import CampaignExemption
from scorecards.exceptions.models import AttestationRow, ModuleAdoption, WaiverRow, plain_form

KINDS = ("attestation", "waiver", "framework", "campaign")
"""The kinds of events that are told here, up to their first dot."""

ADOPTION = ("adopted", "upgraded", "overridden", "left")
"""What of `framework.…` tells of an adoption; the rest is told of engagements."""

State = dict[str, Any]
Key = tuple[type[Model], str]


@dataclass(frozen=True)
class Told:
    """An event as the history of a service tells it."""

    entity_ref: str
    kind: str
    at: datetime
    actor: str
    details: Mapping[str, Any]


def rebuild(session: Session, told: Iterable[Told]) -> list[str]:
    """Make the tables again what the events tell, in their order; return what was not so, sorted."""
    wanted = states(told)
    stored = {_key(row): row for table in _KEYS for row in session.scalars(select(table))}
    wrong = []
    for key in wanted.keys() | stored.keys():
        row, state = stored.get(key), wanted.get(key)
        if row is not None and state == plain_form(row):
            continue
        wrong.append(f"{key[0].__tablename__} {key[1]}")
        if row is not None:
            session.delete(row)
    # What is gone makes room first: of the current ones there may be only one.
    session.flush()
    for key, state in wanted.items():
        if f"{key[0].__tablename__} {key[1]}" in wrong:
            session.add(key[0](**_values(key[0], state)))
    session.flush()
    return sorted(wrong)


def states(told: Iterable[Told]) -> dict[Key, State]:
    """Return every row that the events lead to. Pure."""
    found: dict[Key, State] = {}
    for event in told:
        state = event.details.get("state")
        if not isinstance(state, dict):
            continue
        subject, _, what = event.kind.partition(".")
        if subject == "attestation":
            _end(found, AttestationRow, event, event.details.get("supersedes"), {"end_kind": "superseded"})
            found[AttestationRow, state["id"]] = state
        elif subject == "waiver":
            ended = {"state": "ended", "end_reason": f"Renewed by {state['id']}."}
            _end(found, WaiverRow, event, event.details.get("renewed"), ended)
            found[WaiverRow, state["id"]] = state
        elif subject == "framework" and what in ADOPTION:
            _keep(found, (ModuleAdoption, f"{event.entity_ref} {state['module']}"), state, what == "left")
        elif subject == "campaign":
            whole = {"entity_ref": event.entity_ref, **state}
            key = (CampaignExemption, f"{event.entity_ref} {state['campaign']}")
            _keep(found, key, whole, what == "exemption_ended")
    return found


_KEYS: Mapping[type[Model], tuple[str, ...]] = {
    AttestationRow: ("id",),
    WaiverRow: ("id",),
    ModuleAdoption: ("entity_ref", "module"),
    CampaignExemption: ("entity_ref", "campaign"),
}


def _key(row: Model) -> Key:
    return type(row), " ".join(getattr(row, name) for name in _KEYS[type(row)])


def _keep(found: dict[Key, State], key: Key, state: State, gone: bool) -> None:
    if gone:
        found.pop(key, None)
    else:
        found[key] = state


def _end(found: dict[Key, State], table: type[Model], event: Told, id_: str | None, how: State) -> None:
    """End what another took the place of."""
    if id_ is not None and (table, id_) in found:
        ended = {"ended_at": format_time(event.at), "ended_by": event.actor}
        found[table, id_] = {**found[table, id_], **ended, **how}


def _values(table: type[Model], state: State) -> State:
    values = {}
    for name, column in inspect(table).columns.items():
        value = state.get(name)
        values[name] = parse_time(value) if value is not None and isinstance(column.type, UtcDateTime) else value
    return values
