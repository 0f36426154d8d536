"""The fact store: the latest observation of every fact, and a history of the changes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from plugins.contract import Fact, FactSpec, FactType
from portal_backend.core.arrays import among
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks
from scorecards import fact_history, repetitions
from scorecards.bulk import upsert
from scorecards.evidence.derivations import NEIGHBOUR_FACTS
from scorecards.evidence.observations import Observations, Told, timed
from scorecards.evidence.values import normalise
from scorecards.fact_history import Change
from scorecards.models import EntityFacts
from scorecards.repetitions import Stamp

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of our clock a source's may be; what lies further ahead would shut out every later observation."""

NUMBERS_RECORDED_EVERY = timedelta(days=1)

Document = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class RejectedFact:
    """A fact that was not taken as it came, and why."""

    ref: str
    key: str
    fault: str


@dataclass(frozen=True)
class StoreReport:
    """What storing a batch changed."""

    changed: set[str] = field(default_factory=set)
    """Entities to judge again: a value changed, came new, or was observed again after it had grown stale."""
    bearing: set[str] = field(default_factory=set)
    """Those of them whose dependents are to be judged again too: their verdicts rest on a fact that changed."""
    rejected: list[RejectedFact] = field(default_factory=list)
    """Facts of a wrong type are kept as such and make their checks unknown; others are left out."""


def store(
    session: Session,
    source: str,
    facts: Sequence[Fact],
    specs: Mapping[str, FactSpec],
    now: datetime,
    whole: Collection[str] = frozenset(),
) -> StoreReport:
    """Take a batch of one source's facts into the store.

    Keys that the batch lacks stay and age; an observation never replaces a later one; a repeated batch changes nothing.
    `whole` names entities of which the batch holds all that the source has to say, as when the catalog has read their
    documents: what it said of them before and no longer says is withdrawn.
    """
    report = StoreReport()
    batches: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        batches[fact.ref].append(fact)
    some = {ref: batch for ref, batch in batches.items() if ref not in whole}
    stamped = repetitions.stamps(some, specs, now + MAX_CLOCK_SKEW, now)
    for ref in repetitions.renew(session, source, stamped, now):
        del batches[ref]
    entries = _entries(batches, specs, now, report)
    for ref in whole:
        entries.setdefault(ref, {})
    documents = _documents(session, source, entries)
    rows: list[dict[str, Any]] = []
    changes: list[Change] = []
    for ref, fresh in entries.items():
        document = documents.get(ref, {})
        withdrawn = document.keys() - fresh.keys() if ref in whole else set()
        for key in withdrawn:
            del document[key]
        taken = _merge(document, fresh, specs, now)
        _report_news(report, ref, withdrawn | {key for key, news in taken.items() if news is not _News.AGE})
        changes += _changes(ref, source, fresh, taken, specs)
        if withdrawn or taken:
            stamp = stamped.get(ref) if len(taken) == len(fresh) else None
            rows.append(_row(ref, source, document, fresh, stamp, specs, now))
    upsert(session, EntityFacts, rows, ["entity_ref", "source"])
    fact_history.record(session, changes)
    return report


def _row(
    ref: str,
    source: str,
    document: Document,
    fresh: Document,
    stamp: Stamp | None,
    specs: Mapping[str, FactSpec],
    now: datetime,
) -> dict[str, Any]:
    """Return an entity's document as it is stored; with a stamp, what is fresh in it leaves its times to the row."""
    told: dict[str, Any] = dict.fromkeys(
        ("batch_digest", "batch_observed_at", "batch_collected_at", "batch_repeats_until")
    )
    if stamp and all("value" in entry for entry in fresh.values()):
        due = [_due_at(entry) for entry in fresh.values() if "recorded" in entry]
        told = {
            "batch_digest": stamp.digest,
            "batch_observed_at": stamp.observed_at,
            "batch_collected_at": now,
            "batch_repeats_until": min(due, default=None),
        }
        document = document | {key: _timeless(entry, specs[key]) for key, entry in fresh.items()}
    return {"entity_ref": ref, "source": source, "document": document, **told, "updated_at": now}


def _timeless(entry: dict[str, Any], spec: FactSpec) -> dict[str, Any]:
    """Leave out the times that the row tells, and when a value entered the history where only its difference counts."""
    kept = ("value", "recorded", "recorded_at") if spec.type is FactType.NUMBER else ("value", "recorded")
    return {name: entry[name] for name in kept if name in entry}


def _due_at(entry: dict[str, Any]) -> datetime:
    """Return when a number that moved since it was recorded is recorded again."""
    return _parsed(entry["recorded_at"]) + NUMBERS_RECORDED_EVERY


def _report_news(report: StoreReport, ref: str, news: Collection[str]) -> None:
    if news:
        report.changed.add(ref)
    if not NEIGHBOUR_FACTS.isdisjoint(news):
        report.bearing.add(ref)


def _entries(
    batches: Mapping[str, Sequence[Fact]], specs: Mapping[str, FactSpec], now: datetime, report: StoreReport
) -> dict[str, Document]:
    """Return the facts of a batch as they are stored, by entity and key; of a key given twice the later counts."""
    entries: dict[str, Document] = {}
    collected_at, written = format_time(now), lru_cache(format_time)
    for ref, facts in batches.items():
        entries[ref] = {}
        for fact in facts:
            entry = _entry(fact, specs, now, collected_at, written, report)
            if entry and _supersedes(entry, entries[ref].get(fact.key)):
                entries[ref][fact.key] = entry
    return entries


def _entry(
    fact: Fact,
    specs: Mapping[str, FactSpec],
    now: datetime,
    collected_at: str,
    written: Callable[[datetime], str],
    report: StoreReport,
) -> dict[str, Any] | None:
    """Return a fact as it is stored; None when it cannot be stored at all."""

    spec = specs.get(fact.key)
    fault = "no connector declares a fact of this key" if spec is None else _time_fault(fact.observed_at, now)
    if spec is None or fault:
        report.rejected.append(RejectedFact(fact.ref, fact.key, fault))
        return None
    observed_at = written(min(fact.observed_at, now))
    try:
        value = normalise(spec.type, fact.value)
    except ValueError as error:
        report.rejected.append(RejectedFact(fact.ref, fact.key, str(error)))
        return {"fault": str(error), "observed_at": observed_at, "collected_at": collected_at}
    return {"value": value, "observed_at": observed_at, "collected_at": collected_at}


def _time_fault(observed_at: datetime, now: datetime) -> str:
    if observed_at.tzinfo is None:
        return "was observed at a time without a UTC offset"
    if observed_at > now + MAX_CLOCK_SKEW:
        return f"was observed in the future, at {format_time(observed_at)}"
    return ""


def _supersedes(entry: dict[str, Any], present: dict[str, Any] | None) -> bool:
    """Say whether an entry was observed later; of two observations of one moment the later collected counts."""
    if present is None or entry["observed_at"] == present["observed_at"]:
        return True
    return _parsed(entry["observed_at"]) >= _parsed(present["observed_at"])


@lru_cache(maxsize=4096)
def _parsed(text: str) -> datetime:
    """Read a time of ours; most entries of a batch were observed at the same one."""
    return parse_time(text)


class _News(Enum):
    """What an entry that was taken into a document changes."""

    VALUE = "another value, or the first one"
    REVIVED = "the same value, which had grown stale"
    AGE = "the same value, observed again in time"


def _merge(document: Document, fresh: Document, specs: Mapping[str, FactSpec], now: datetime) -> dict[str, _News]:
    """Put fresh entries into an entity's document; return what each one that was taken changes."""
    taken: dict[str, _News] = {}
    for key, entry in fresh.items():
        present = document.get(key)
        if not _supersedes(entry, present) or _is_repetition(entry, present):
            continue
        document[key] = entry
        if present is not None:
            _remember(entry, present)
        if present is None or not _same_value(entry, present):
            taken[key] = _News.VALUE
        else:
            stale = _parsed(present["observed_at"]) + specs[key].max_age < now
            taken[key] = _News.REVIVED if stale else _News.AGE
    return taken


def _remember(entry: dict[str, Any], present: dict[str, Any]) -> None:
    """Carry over what the history holds last: the value itself, where a document does not say otherwise."""
    for name in ("recorded", "value"):
        if name in present:
            entry["recorded"] = present[name]
            entry["recorded_at"] = present.get("recorded_at", present["observed_at"])
            return


def _same_value(entry: dict[str, Any], present: dict[str, Any]) -> bool:
    """Compare value or fault; true and 1 are not the same."""
    new, old = entry.get("value"), present.get("value")
    return new == old and isinstance(new, bool) is isinstance(old, bool) and entry.get("fault") == present.get("fault")


def _is_repetition(entry: dict[str, Any], present: dict[str, Any] | None) -> bool:
    return present is not None and entry["observed_at"] == present["observed_at"] and _same_value(entry, present)


def _changes(
    ref: str, source: str, fresh: Document, taken: Iterable[str], specs: Mapping[str, FactSpec]
) -> list[Change]:
    """Return what enters the history: values that came new or changed. Marks in the entries what was recorded."""
    changes = []
    for key in taken:
        entry = fresh[key]
        if "value" not in entry:
            continue
        if _worth_recording(entry, specs[key]):
            entry["recorded_at"] = entry["observed_at"]
            changes.append(Change(ref, source, key, entry["value"], _parsed(entry["observed_at"])))
            entry.pop("recorded", None)
        elif _same_value({"value": entry["value"]}, {"value": entry["recorded"]}):
            del entry["recorded"]
    return changes


def _worth_recording(entry: dict[str, Any], spec: FactSpec) -> bool:
    """Say whether the history is to get a value: each one that differs from the last, but measured numbers once a day.

    A traffic or a ratio is never twice the same; each pull would leave a row for each service.
    """
    if "recorded" not in entry:
        return True
    if _same_value({"value": entry["value"]}, {"value": entry["recorded"]}):
        return False
    since = _parsed(entry["observed_at"]) - _parsed(entry["recorded_at"])
    return spec.type is not FactType.NUMBER or since >= NUMBERS_RECORDED_EVERY


DOCUMENT_COLUMNS = (
    EntityFacts.entity_ref,
    EntityFacts.source,
    EntityFacts.document,
    EntityFacts.batch_observed_at,
    EntityFacts.batch_collected_at,
)


def _documents_of(session: Session, refs: Sequence[str]) -> Select[Any]:
    return select(*DOCUMENT_COLUMNS).where(among(session, EntityFacts.entity_ref, refs))


def _documents(session: Session, source: str, refs: Collection[str]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for chunk in chunks(sorted(refs)):
        for ref, _, *stored in session.execute(_documents_of(session, chunk).where(EntityFacts.source == source)):
            found[ref] = timed(*stored)
    return found


def readings(session: Session, refs: Collection[str]) -> dict[str, Observations]:
    """Return the latest observations of entities: by reference, by key, one of each source that made any."""
    rows = (row for chunk in chunks(sorted(set(refs))) for row in session.execute(_documents_of(session, chunk)))
    return observations_of(refs, rows)


def observations_of(refs: Collection[str], rows: Iterable[Sequence[Any]]) -> dict[str, Observations]:
    """Return the observations of entities as rows of DOCUMENT_COLUMNS hold them; entities without any have none."""
    found: dict[str, list[Told]] = {ref: [] for ref in refs}
    for ref, *stored in rows:
        found[ref].append(Told._make(stored))
    return {ref: Observations.as_stored(told) for ref, told in found.items()}


def forget(session: Session, refs: Collection[str]) -> None:
    """Drop everything observed of entities that the catalog no longer has."""
    for chunk in chunks(sorted(refs)):
        session.execute(delete(EntityFacts).where(EntityFacts.entity_ref.in_(chunk)))
    fact_history.forget(session, refs)
