"""Deploys of the last 30 days, remembered between pulls: Argo CD itself keeps the last ten of an application."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from plugins.connectors.argocd.applications import Application, Deploy, FailedSync
from plugins.contract import Event

WINDOW = timedelta(days=30)
MAX_REMEMBERED = 400
"""Per application: 13 deploys a day. Beyond it the window that is known becomes shorter, and says so."""


@dataclass(frozen=True)
class Record:
    """What is known of one application's deploys: those that Argo CD still lists, and those we remember."""

    deploys: Sequence[Deploy]
    """By id, without gaps before the first known one unless an id is missing."""
    failed_at: Sequence[int]
    """Starts of failed syncs, in seconds since 1970."""
    last_id: int
    """Deploys up to this one are in the history already, for the services in `refs`."""
    refs: frozenset[str]


@dataclass(frozen=True)
class Counts:
    """What the last 30 days of an application hold."""

    deploys: int
    automated: int
    """Of those whose initiator is known."""
    initiator_known: int
    rolled_back: int
    failed: int
    known_for: timedelta
    """How far back every deploy is known: 30 days, or less where Argo CD dropped entries before we saw them."""
    last_at: datetime | None
    last_rollback_at: datetime | None


@dataclass
class Memory:
    """The cursor: one record per application that some service claims."""

    records: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def loaded(cls, cursor: str | None) -> "Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        if not cursor:
            return cls()
        try:
            stored = json.loads(cursor)["applications"]
            return cls({key: _record(value) for key, value in stored.items()})
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            return cls()

    def update(self, records: Mapping[str, Record], refs_of: Mapping[str, Iterable[str]], now: datetime) -> None:
        """Take over what this pull knows. An application that it did not see is remembered until its deploys are old:
        it may be back, as after a lost permission or one broken answer.
        """
        unseen = {key: record for key, record in self.records.items() if key not in records}
        self.records = {k: r for k, r in unseen.items() if any(d.at >= now - WINDOW for d in r.deploys)}
        self.records |= {key: to_remember(record, refs_of[key], now) for key, record in records.items()}

    def dumped(self) -> str:
        """Return the cursor as text: about 40 bytes per deploy."""
        stored = {key: _stored(record) for key, record in self.records.items()}
        return json.dumps({"version": 1, "applications": stored}, separators=(",", ":"))


def recall(application: Application, remembered: Record | None, now: datetime) -> Record:
    """Join what Argo CD lists of an application with what is remembered of it."""
    listed = {deploy.id: deploy for deploy in application.deploys}
    if remembered and listed and max(listed) < remembered.last_id:
        remembered = None  # the ids began anew: the status was cleared
    known = {deploy.id: deploy for deploy in remembered.deploys} if remembered else {}
    deploys = sorted((known | listed).values(), key=lambda deploy: deploy.id)
    failed = set(remembered.failed_at) if remembered else set()
    if application.failed_sync:
        failed.add(int(application.failed_sync.started_at.timestamp()))
    since = (now - WINDOW).timestamp()
    return Record(
        deploys=deploys,
        failed_at=sorted(second for second in failed if second >= since)[-MAX_REMEMBERED:],
        last_id=remembered.last_id if remembered else -1,
        refs=remembered.refs if remembered else frozenset(),
    )


def to_remember(record: Record, refs: Iterable[str], now: datetime) -> Record:
    """Return what the next pull needs: the deploys of the window, and the one before it, which proves it complete."""
    recent = [deploy for deploy in record.deploys if deploy.at >= now - WINDOW]
    older = [deploy for deploy in record.deploys if deploy.at < now - WINDOW]
    last_id = max((deploy.id for deploy in record.deploys), default=record.last_id)
    return Record([*older[-1:], *recent][-MAX_REMEMBERED:], record.failed_at, last_id, frozenset(refs))


def rollbacks(deploys: Sequence[Deploy]) -> dict[int, Deploy]:
    """Return the deploy that each rollback undid, by the rollback's id.

    A rollback puts out what an earlier deploy had put out, after something else stood in between. A revert in Git is a
    new revision and does not count.
    """
    undone: dict[int, Deploy] = {}
    seen: set[str] = {deploys[0].identity} if deploys else set()
    for before, deploy in pairwise(deploys):
        if deploy.identity != before.identity and deploy.identity in seen:
            undone[deploy.id] = before
        seen.add(deploy.identity)
    return undone


def count(record: Record, now: datetime) -> Counts:
    """Count the last 30 days."""
    recent = [deploy for deploy in record.deploys if deploy.at >= now - WINDOW]
    back = rollbacks(record.deploys)
    undone = {before.id for rollback, before in back.items() if before.id == rollback - 1}
    known = [deploy.automated for deploy in recent if deploy.automated is not None]
    rollback_times = [deploy.at for deploy in record.deploys if deploy.id in back]
    return Counts(
        deploys=len(recent),
        automated=sum(known),
        initiator_known=len(known),
        rolled_back=sum(1 for deploy in recent if deploy.id in undone),
        failed=len(record.failed_at),
        known_for=_known_for(record.deploys, now),
        last_at=max((deploy.at for deploy in record.deploys), default=None),
        last_rollback_at=max(rollback_times, default=None),
    )


def events(application: Application, record: Record, ref: str, link: str) -> list[Event]:
    """Return what the service's history does not have yet: deploys, rollbacks and failed syncs."""
    since = record.last_id if ref in record.refs else -1
    back = rollbacks(record.deploys)
    found = []
    for deploy in application.deploys:
        if deploy.id > since:
            found.append(_finished(application, deploy, ref, link))
            if deploy.id in back:
                found.append(_rolled_back(application, deploy, back[deploy.id], ref, link))
    if application.failed_sync:
        found.append(_failed(application, application.failed_sync, ref, link))
    return found


def _known_for(deploys: Sequence[Deploy], now: datetime) -> timedelta:
    """Return how far back the deploys are known without a gap, at most 30 days. Ids count up by one from 0."""
    expected = None
    known_since = now
    for deploy in reversed(deploys):
        if expected is not None and deploy.id != expected:
            return min(WINDOW, now - known_since)
        if deploy.id == 0 or deploy.at < now - WINDOW:
            return WINDOW
        known_since, expected = deploy.at, deploy.id - 1
    return min(WINDOW, now - known_since) if deploys else WINDOW


def _finished(application: Application, deploy: Deploy, ref: str, link: str) -> Event:
    by = f" by {deploy.initiator}" if deploy.initiator else ""
    details: dict[str, Any] = {"application": application.title, "revision": deploy.revision}
    if deploy.automated is not None:
        details["automated"] = deploy.automated
    if deploy.started_at:
        details["duration_seconds"] = max(0.0, (deploy.at - deploy.started_at).total_seconds())
    summary = f"{application.title} deployed {_short(deploy.revision)}{by}"
    return Event(
        ref, _event_id(application, deploy, "finished", ref), "deploy.finished", deploy.at, summary, link, details
    )


def _rolled_back(application: Application, deploy: Deploy, undone: Deploy, ref: str, link: str) -> Event:
    details = {"application": application.title, "revision": deploy.revision, "undone_revision": undone.revision}
    summary = f"{application.title} rolled back to {_short(deploy.revision)}"
    event_id = _event_id(application, deploy, "rolled_back", ref)
    return Event(ref, event_id, "deploy.rolled_back", deploy.at, summary, link, details)


def _failed(application: Application, failed: FailedSync, ref: str, link: str) -> Event:
    details = {"application": application.title, "revision": failed.revision, "phase": failed.phase}
    summary = f"{application.title} failed to deploy {_short(failed.revision)}"
    event_id = f"{application.key}:failed:{int(failed.started_at.timestamp())}:{ref}"
    return Event(ref, event_id, "deploy.failed", failed.at, summary, link, details)


def _event_id(application: Application, deploy: Deploy, what: str, ref: str) -> str:
    """Return an id that is the same at every pull. The time guards against ids that began anew."""
    return f"{application.key}:{what}:{deploy.id}:{int(deploy.at.timestamp())}:{ref}"


def _short(revision: str) -> str:
    """Shorten Git hashes as people write them; leave chart versions alone."""
    parts = [part[:8] if len(part) == 40 else part for part in revision.split(", ")]
    return ", ".join(parts) or "an unnamed revision"


def _stored(record: Record) -> dict[str, Any]:
    return {
        "refs": sorted(record.refs),
        "last": record.last_id,
        "deploys": [[d.id, int(d.at.timestamp()), d.identity, d.automated] for d in record.deploys],
        "failed": list(record.failed_at),
    }


def _record(stored: Mapping[str, Any]) -> Record:
    deploys = [
        Deploy(int(number), datetime.fromtimestamp(second, UTC), str(identity), automated)
        for number, second, identity, automated in stored["deploys"]
    ]
    failed = [int(second) for second in stored["failed"]]
    return Record(deploys, failed, int(stored["last"]), frozenset(stored["refs"]))
