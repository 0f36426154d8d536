"""Tables: the configured sources with their state, and their runs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class RunState(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """It fell silent (killed, hung), its lease ran out, and another run took over."""


class Source(Model):
    """A configured source: where its last pull got to, who pulls it now, and how it is doing."""

    __tablename__ = "plugin_source"

    name: Mapped[str] = mapped_column(primary_key=True)
    plugin: Mapped[str]
    position: Mapped[int]
    """Its place in the configuration: of two fresh values of one fact, the source named first wins."""
    simulated: Mapped[bool]
    configured: Mapped[bool]
    """False once it left the configuration: its runs stay readable, but it is pulled and reported no more."""
    identity: Mapped[str]
    """Which system this is (a digest of plugin and address): with another one the cursor means nothing."""
    every_seconds: Mapped[int]
    cursor: Mapped[str | None]
    lease_token: Mapped[str | None]
    """Names the run that may write for this source; a run whose token was replaced may not."""
    lease_until: Mapped[datetime | None]
    next_due_at: Mapped[datetime | None]
    """None: as soon as possible."""
    last_attempt_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    failure_kind: Mapped[str | None]
    """Of the last pull, if it failed; a success clears it."""
    failure_message: Mapped[str | None]
    consecutive_failures: Mapped[int] = mapped_column(default=0)
    circuit_opened_at: Mapped[datetime | None]
    """Since when it is left alone but for a probe now and then; None while it is read as planned."""
    reconciled_at: Mapped[datetime | None]
    """When it was last read whole, rather than what was new in it."""
    targets: Mapped[int | None]
    """Services that the last good pull was asked about."""
    matched: Mapped[int | None]
    """Those among them that it could say something about."""
    unmatched: Mapped[int | None]
    """Names in the source that no service claims."""
    unmatched_sample: Mapped[list[str]] = mapped_column(JSON, default=list)
    faults: Mapped[int | None]
    """Parts of the last good pull that failed while the rest went on."""
    fault_sample: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)


class SourceRun(Model):
    """One pull of one source."""

    __tablename__ = "plugin_source_run"
    __table_args__ = (Index(None, "source", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    source: Mapped[str]
    state: Mapped[str]
    """A RunState."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    """For an interrupted run: when the next one noticed."""
    probe: Mapped[bool | None]
    """Whether it tried a source whose circuit was open; None in runs of before there were circuits."""
    reconcile: Mapped[bool | None]
    """Whether it read the source whole."""
    requests: Mapped[int] = mapped_column(default=0)
    facts: Mapped[int] = mapped_column(default=0)
    events: Mapped[int] = mapped_column(default=0)
    targets: Mapped[int] = mapped_column(default=0)
    matched: Mapped[int] = mapped_column(default=0)
    unmatched: Mapped[int] = mapped_column(default=0)
    unmatched_sample: Mapped[list[str]] = mapped_column(JSON, default=list)
    faults: Mapped[int] = mapped_column(default=0)
    fault_sample: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    failure_kind: Mapped[str | None]
    failure_message: Mapped[str | None]


class KeptAnswer(Model):
    """An answer that a source may be asked about again by its ETag."""

    __tablename__ = "plugin_kept_answer"

    source: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """Digest of the question."""
    etag: Mapped[str]
    following: Mapped[str]
    """Where its `Link` header says that the next page is; empty when it names none."""
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Packed by zlib."""
    held_at: Mapped[datetime] = mapped_column(index=True)
    """When the source last gave or confirmed it, to the day: those that nobody asks for any more are deleted."""
