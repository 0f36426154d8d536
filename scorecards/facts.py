"""The fact store: the latest observation of every fact, and a history of the changes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from plugins.contract import Fact, FactSpec, FactType
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks, upsert
from scorecards.bulk import among
from scorecards.evidence.derivations import NEIGHBOUR_FACTS
from scorecards.evidence.observations import Observations
from scorecards.evidence.values import normalise
from scorecards.models import EntityFacts, FactChange

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
    entries = _entries(facts, specs, now, report)
    for ref in whole:
        entries.setdefault(ref, {})
    documents = _documents(session, source, entries)
    rows: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for ref, fresh in entries.items():
        document = documents.get(ref, {})
        withdrawn = document.keys() - fresh.keys() if ref in whole else set()
        for key in withdrawn:
            del document[key]
        taken = _merge(document, fresh, specs, now)
        _report_news(report, ref, withdrawn | {key for key, news in taken.items() if news is not _News.AGE})
        if withdrawn or taken:
            rows.append({"entity_ref": ref, "source": source, "document": document, "updated_at": now})
        changes += _changes(ref, source, fresh, taken, specs)
    for chunk in chunks(rows):
        upsert(session, EntityFacts, chunk, ["entity_ref", "source"])
    if changes:
        session.execute(insert(FactChange), changes)
    return report


def _report_news(report: StoreReport, ref: str, news: Collection[str]) -> None:
    if news:
        report.changed.add(ref)
    if not NEIGHBOUR_FACTS.isdisjoint(news):
        report.bearing.add(ref)


def _entries(
    facts: Sequence[Fact], specs: Mapping[str, FactSpec], now: datetime, report: StoreReport
) -> dict[str, Document]:
    """Return the facts of a batch as they are stored, by entity and key; of a key given twice the later counts."""
    entries: dict[str, Document] = defaultdict(dict)
    for fact in facts:
        entry = _entry(fact, specs, now, report)
        if entry and _supersedes(entry, entries[fact.ref].get(fact.key)):
            entries[fact.ref][fact.key] = entry
    return entries


def _entry(fact: Fact, specs: Mapping[str, FactSpec], now: datetime, report: StoreReport) -> dict[str, Any] | None:
    """Return a fact as it is stored; None when it cannot be stored at all."""

    spec = specs.get(fact.key)
    fault = "no connector declares a fact of this key" if spec is None else _time_fault(fact.observed_at, now)
    if spec is None or fault:
        report.rejected.append(RejectedFact(fact.ref, fact.key, fault))
        return None
    observed_at = format_time(min(fact.observed_at, now))
    try:
        value = normalise(spec.type, fact.value)
    except ValueError as error:
        report.rejected.append(RejectedFact(fact.ref, fact.key, str(error)))
        return {"fault": str(error), "observed_at": observed_at, "collected_at": format_time(now)}
    return {"value": value, "observed_at": observed_at, "collected_at": format_time(now)}


def _time_fault(observed_at: datetime, now: datetime) -> str:
    if observed_at.tzinfo is None:
        return "was observed at a time without a UTC offset"
    if observed_at > now + MAX_CLOCK_SKEW:
        return f"was observed in the future, at {format_time(observed_at)}"
    return ""


def _supersedes(entry: dict[str, Any], present: dict[str, Any] | None) -> bool:
    """Say whether an entry was observed later; of two observations of one moment the later collected counts."""
    return present is None or parse_time(entry["observed_at"]) >= parse_time(present["observed_at"])


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
        entry |= {name: present[name] for name in ("recorded", "recorded_at") if present and name in present}
        if present is None or not _same_value(entry, present):
            taken[key] = _News.VALUE
        else:
            stale = parse_time(present["observed_at"]) + specs[key].max_age < now
            taken[key] = _News.REVIVED if stale else _News.AGE
    return taken


def _same_value(entry: dict[str, Any], present: dict[str, Any]) -> bool:
    """Compare value or fault; true and 1 are not the same."""
    new, old = entry.get("value"), present.get("value")
    return new == old and isinstance(new, bool) is isinstance(old, bool) and entry.get("fault") == present.get("fault")


def _is_repetition(entry: dict[str, Any], present: dict[str, Any] | None) -> bool:
    return present is not None and entry["observed_at"] == present["observed_at"] and _same_value(entry, present)


def _changes(
    ref: str, source: str, fresh: Document, taken: Iterable[str], specs: Mapping[str, FactSpec]
) -> list[dict[str, Any]]:
    """Return the rows of history: values that came new or changed. Marks in the entries what was recorded."""
    rows = []
    for key in taken:
        entry = fresh[key]
        if "value" not in entry or not _worth_recording(entry, specs[key]):
            continue
        entry |= {"recorded": entry["value"], "recorded_at": entry["observed_at"]}
        rows.append(
            {
                "entity_ref": ref,
                "source": source,
                "key": key,
                "value": entry["value"],
                "observed_at": parse_time(entry["observed_at"]),
                "collected_at": parse_time(entry["collected_at"]),
            }
        )
    return rows


def _worth_recording(entry: dict[str, Any], spec: FactSpec) -> bool:
    """Say whether the history is to get a value: each one that differs from the last, but measured numbers once a day.

    A traffic or a ratio is never twice the same; each pull would leave a row for each service.
    """
    if "recorded" not in entry:
        return True
    if _same_value({"value": entry["value"]}, {"value": entry["recorded"]}):
        return False
    since = parse_time(entry["observed_at"]) - parse_time(entry["recorded_at"])
    return spec.type is not FactType.NUMBER or since >= NUMBERS_RECORDED_EVERY


def _documents_of(session: Session, refs: Sequence[str]) -> Select[str, str, Document]:
    return select(EntityFacts.entity_ref, EntityFacts.source, EntityFacts.document).where(
        among(session, EntityFacts.entity_ref, refs)
    )


def _documents(session: Session, source: str, refs: Collection[str]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for chunk in chunks(sorted(refs)):
        for ref, _, document in session.execute(_documents_of(session, chunk).where(EntityFacts.source == source)):
            found[ref] = document
    return found


def readings(session: Session, refs: Collection[str]) -> dict[str, Observations]:
    """Return the latest observations of entities: by reference, by key, one of each source that made any."""
    found: dict[str, list[tuple[str, Document]]] = {ref: [] for ref in refs}
    for chunk in chunks(sorted(set(refs))):
        for ref, source, document in session.execute(_documents_of(session, chunk)):
            found[ref].append((source, document))
    return {ref: Observations(documents) for ref, documents in found.items()}


def forget(session: Session, refs: Collection[str]) -> None:
    """Drop everything observed of entities that the catalog no longer has."""
    for chunk in chunks(sorted(refs)):
        session.execute(delete(EntityFacts).where(EntityFacts.entity_ref.in_(chunk)))
        session.execute(delete(FactChange).where(FactChange.entity_ref.in_(chunk)))
