"""Runs a pull, and holds what comes out of it against the rules that hold whatever the system does."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from plugins.conformance.case import Case, NotConforming
from plugins.conformance.serving import Front
from plugins.contract import (
    Batch,
    Event,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)
from plugins.http_client import Limits, SourceClient
from plugins.transport.conditional import KeptAnswers
from portal_backend.core import clock
from portal_backend.core.config import Secret, SourceAuth

PATIENT = Limits(connect_seconds=5, read_seconds=60, total_seconds=120, attempts=2)
"""For answers that are good: no haste, since a machine that runs tests may be busy."""


@dataclass
class Outcome:
    """What a pull brought."""

    facts: list[Fact] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[PullFault] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    cursor: str | None = None
    failure: PullFailed | None = None
    requests: int = 0
    """As the server counted them: a connector may ask by other ways than the client it is given."""

    @property
    def values(self) -> dict[tuple[str, str], FactValue]:
        """The facts by entity reference and key."""
        return {(fact.ref, fact.key): fact.value for fact in self.facts}

    @property
    def event_ids(self) -> set[tuple[str, str]]:
        """The events by entity reference and the system's own id."""
        return {(event.ref, event.source_event_id) for event in self.events}

    def take(self, batch: Batch) -> None:
        """Add what a batch holds."""
        self.facts += batch.facts
        self.events += batch.events
        self.faults += batch.faults
        self.unmatched += batch.unmatched
        self.cursor = batch.cursor if batch.cursor is not None else self.cursor


def context(
    case: Case, url: str, limits: Limits, folder: Path, kept: KeptAnswers | None = None, **parts: Any
) -> PullContext:
    """Return what the host would give to the connector; `kept` holds answers of earlier pulls."""
    (folder / "secret").write_text(case.secret)
    secret = Secret(f"file:{folder / 'secret'}")
    auth = SourceAuth(header=case.auth_header, value=secret) if case.auth_header else SourceAuth(token=secret)
    given = PullContext(
        source="conformance",
        client=SourceClient(url, auth, limits, kept=kept),
        options=case.connector.options_schema().load(case.options),
        targets=case.targets,
        now=case.now or clock.now(),
        base_dir=folder,
    )
    return replace(given, **parts)


def pull(case: Case, front: Front, *, limits: Limits = PATIENT, url: str = "", **parts: Any) -> Outcome:
    """Pull once and check the rules; `parts` replace parts of the context. Raises NotConforming."""
    outcome = Outcome()
    asked_before = len(front.questions)
    with tempfile.TemporaryDirectory() as folder:
        given = context(case, url or front.url, limits, Path(folder), **parts)
        with given.client:
            try:
                for batch in case.connector.pull(given):
                    outcome.take(batch)
            except PullFailed as failure:
                outcome.failure = failure
            except Exception as error:
                raise NotConforming(f"{error!r} left the pull; only PullFailed may") from error
    outcome.requests = len(front.questions) - asked_before
    check_rules(case, outcome, given)
    return outcome


def check_rules(case: Case, outcome: Outcome, given: PullContext) -> None:
    """Check what holds for each pull, good or bad. Raises NotConforming."""
    specs = {spec.key: spec for spec in (*case.connector.facts, *case.connector.declared(given.options))}
    refs = {target.ref for target in given.targets}
    for fact in outcome.facts:
        require(fact.ref in refs, f"a fact is about {fact.ref!r}, which is none of the targets")
        _check_fact(fact, specs, given.now)
    kinds = {spec.kind for spec in case.connector.events}
    for event in outcome.events:
        _check_event(event, refs, kinds, given.now)
    _check_ids(outcome.events)
    require(outcome.cursor is None or isinstance(outcome.cursor, str), "the cursor is no string")
    require(all(isinstance(name, str) for name in outcome.unmatched), "a name in `unmatched` is no string")
    said = [fault.message for fault in outcome.faults] + [fault.scope for fault in outcome.faults] + outcome.unmatched
    if outcome.failure:
        require(bool(outcome.failure.message.strip()), "PullFailed says nothing")
        said.append(outcome.failure.message)
    said += [str(fact.value) for fact in outcome.facts] + [repr(event) for event in outcome.events]
    leaked = next((text for text in [*said, outcome.cursor or ""] if case.secret in text), None)
    require(leaked is None, f"the secret stands in {leaked!r:.200}")


def _check_fact(fact: Fact, specs: Mapping[str, FactSpec], now: datetime) -> None:
    spec = specs.get(fact.key)
    if spec is None:
        raise NotConforming(f"the fact {fact.key} is not declared")
    require(is_of(spec.type, fact.value), f"{fact.key} is declared {spec.type} and came as {fact.value!r}")
    require(fact.observed_at.tzinfo is not None, f"{fact.key} was observed at a time without a UTC offset")
    require(fact.observed_at <= now, f"{fact.key} was observed at {fact.observed_at}, which is in the future of {now}")


def _check_event(event: Event, refs: set[str], kinds: set[str], now: datetime) -> None:
    require(event.ref in refs, f"an event is about {event.ref!r}, which is none of the targets")
    require(event.kind in kinds, f"an event of kind {event.kind!r} came; declared are {sorted(kinds)}")
    require(bool(event.source_event_id), f"an event of kind {event.kind} has no id")
    require(bool(event.summary.strip()), f"the event {event.source_event_id} has no summary")
    require(event.occurred_at.tzinfo is not None, f"{event.source_event_id} occurred at a time without a UTC offset")


def _check_ids(events: Sequence[Event]) -> None:
    about: dict[str, str] = {}
    for event in events:
        first = about.setdefault(event.source_event_id, event.ref)
        require(
            first == event.ref,
            f"{event.source_event_id} is the id of an event of {first} and of one of {event.ref}: a history takes it "
            "once, so put the service's ref into it",
        )


def is_of(kind: FactType, value: Any) -> bool:
    """Say whether a value is of a fact's type. A bool is never a number; infinity and NaN are none either."""
    checks = {
        FactType.BOOLEAN: lambda: isinstance(value, bool),
        FactType.INTEGER: lambda: isinstance(value, int) and not isinstance(value, bool),
        FactType.NUMBER: lambda: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ),
        FactType.STRING: lambda: isinstance(value, str),
        FactType.DATETIME: lambda: isinstance(value, str) and _is_utc(value),
        FactType.SET: lambda: _is_set(value),
    }
    return checks[kind]()


def _is_utc(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).utcoffset() == timedelta(0)
    except ValueError:
        return False


def _is_set(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        return False
    return value == sorted(set(value))


def require(holds: bool, otherwise: str) -> None:
    """Raise NotConforming unless something holds."""
    if not holds:
        raise NotConforming(otherwise)


def require_same(good: Outcome, other: Outcome, when: str) -> None:
    """Raise NotConforming unless two pulls mean the same."""
    require(other.failure is None, f"{when}: the pull failed: {other.failure}")
    require_nothing_else(good, other, when)
    lost = sorted(good.values.keys() - other.values.keys())
    require(not lost, f"{when}: these facts are missing: {lost[:5]}; faults: {other.faults[:3]}")
    require(good.event_ids == other.event_ids, f"{when}: the events are {sorted(good.event_ids ^ other.event_ids)[:5]}")


def require_nothing_else(good: Outcome, other: Outcome, when: str) -> None:
    """Raise NotConforming when a pull says anything that the good one did not: a fault makes facts missing only."""
    for key, value in other.values.items():
        require(key in good.values, f"{when}: {key} came out of nowhere as {value!r}")
        said = good.values[key]
        require(alike(said, value), f"{when}: {key} is {value!r} and was {said!r}")
    invented = sorted(other.event_ids - good.event_ids)
    require(not invented, f"{when}: these events came out of nowhere: {invented[:5]}")


def alike(one: FactValue, other: FactValue) -> bool:
    """Compare two values; measured numbers may differ by a thousandth, for a running system goes on running."""
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, int | float):
        return one == other and type(one) is type(other)
    return isinstance(other, int | float) and math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-6)


def crowd(targets: Sequence[Target], size: int) -> list[Target]:
    """Return the targets and, up to `size`, others that are tied to the same things."""
    others = (
        replace(target, ref=f"{target.ref}-{number}", name=f"{target.name}-{number}")
        for number in range(size)
        for target in targets
    )
    return [*targets, *(other for other, _ in zip(others, range(size - len(targets)), strict=False))]
