"""What follows when evidence or an exception changes: the histories are told and the services judged again.

The histories lie above this package, so the application says at its start how that is done (`init_app`). Whoever
writes opens a transaction, calls `begin`, the domain function, and `settle` with what it returned.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from flask import Flask, current_app
from sqlalchemy.orm import Session

from portal_backend.core.db import serialise
from scorecards.changes import LevelChange

Value = TypeVar("Value")

JUDGING = "judging"
"""The purpose under which one transaction at a time judges; whoever changes what is judged by holds it as well."""


@dataclass(frozen=True)
class Happening:
    """Something that the history of a service is to hold."""

    entity_ref: str
    kind: str
    event_id: str
    """The same however often it is told."""
    at: datetime
    summary: str
    actor: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """The whole state after it, so that the tables can be made again from the histories."""


@dataclass(frozen=True)
class Done(Generic[Value]):
    """What a change led to. Without happenings nothing changed: it had been done before."""

    value: Value
    happenings: tuple[Happening, ...] = ()


Recorder = Callable[[Session, Sequence[Happening], Collection[str], datetime], list[LevelChange]]
"""Tells the histories what happened and judges the services again, in the caller's transaction; returns the levels
that moved."""


def init_app(app: Flask, recorder: Recorder) -> None:
    """Say how what happens is recorded."""
    app.extensions["scorecards.recorder"] = recorder


def begin(session: Session) -> None:
    """Wait for whoever judges or changes evidence at this moment, so that what is read next still holds."""
    serialise(session, JUDGING)


def settle(
    session: Session, happenings: Sequence[Happening], now: datetime, rejudged: Collection[str] | None = None
) -> list[LevelChange]:
    """Record what happened and judge the services concerned again (`rejudged`, where it is not those of the
    happenings); return the levels that moved."""
    refs = {happening.entity_ref for happening in happenings} if rejudged is None else set(rejudged)
    if not happenings and not refs:
        return []
    recorder: Recorder = current_app.extensions["scorecards.recorder"]
    return recorder(session, happenings, refs, now)
