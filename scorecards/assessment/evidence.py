"""What is known of one service, as a list of values beside the list of facts that the catalogue asks for. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecards.assessment.plan import Plan
from scorecards.evidence.causes import Cause, CauseKind, Party, Supply, absence, staleness, wrong_type
from scorecards.evidence.observations import MICROSECOND, Observations, Told, microseconds
from scorecards.evidence.values import typed
from scorecards.evidence.view import EvidenceState, View

FOREVER = 2**62
"""Later than every moment, in microseconds."""
FRESH, STALE, WRONG_TYPE, MISSING = range(4)
"""States of a slot, the better first."""
AS_STORED: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}
"""Types whose stored form is the value itself; what is of another form is read with care."""

MAX_SHAPES = 5_000
"""How many sets of keys are remembered; a source's documents have a few."""

SlotInfo = tuple[str, int, str, tuple[type, ...], int]
"""The fact, the number of its slot, its type, types of Python that are its stored form, allowed age in microseconds."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a fact is not known: as much of its cause as verdicts and ranks depend on."""

    kind: CauseKind
    party: Party
    action: str
    source: str | None


def lack_of(cause: Cause) -> Lack:
    """Return the part of a cause that verdicts and ranks depend on."""
    return Lack(cause.kind, cause.party, cause.action, cause.source)


@dataclass(slots=True)
class Seen:
    """The evidence on one service."""

    values: list[Any]
    """By slot; None where it is not known."""
    ends: list[int]
    """By slot: until when the value is fresh, in microseconds."""
    states: list[int]
    sources: list[str]
    """By slot: whose observation counts, or would if it were fresh."""
    derived: dict[int, Cause]
    """Of facts made of others: why they are not known."""
    known_to: Collection[str]
    """The sources that have ever observed anything of the service."""
    is_partly_stale: bool


class Reader:
    """Reads the evidence on many services at one moment, each with the same sources."""

    def __init__(self, plan: Plan, supply: Supply, now: datetime) -> None:
        self.plan = plan
        self.supply = supply
        self.now = now
        self._now = microseconds(now)
        self._wanted: dict[str, dict[str, tuple[SlotInfo, ...]]] = {}
        self._shapes: dict[tuple[str, ...], Sequence[SlotInfo]] = {}
        self._moments: dict[str, int] = {}
        self._batches: dict[datetime, int] = {}
        self._times: dict[Any, datetime] = {}
        self._lacks: dict[tuple[int, int, str], Lack] = {}
        self._width = len(plan.slots)
        self._suppliers = {slot.key: [state.name for state in supply.suppliers(slot.key)] for slot in plan.slots}

    def read(self, observations: Observations, view: View | None = None, derived: Sequence[str] = ()) -> Seen:
        """Return the evidence on a service; `derived` names the facts that `view` makes of others."""
        seen = Seen(
            [None] * self._width,
            [FOREVER] * self._width,
            [MISSING] * self._width,
            [""] * self._width,
            {},
            observations.sources,
            False,
        )
        for told in self._ranked(observations):
            self._read_document(told, seen)
        if view and derived:
            self._derive(seen, view, derived)
        seen.is_partly_stale = STALE in seen.states or any(
            cause.kind is CauseKind.STALE for cause in seen.derived.values()
        )
        return seen

    def _ranked(self, observations: Observations) -> Sequence[Told]:
        ranks = self.supply.ranks
        if len(observations.told) < 2:
            return observations.told
        return sorted(observations.told, key=lambda one: ranks.get(one.source, len(ranks)))

    def _read_document(self, told: Told, seen: Seen) -> None:  # noqa: C901 - one loop, run for every fact of a service
        moments, now, document = self._moments, self._now, told.document
        states, values, ends, sources = seen.states, seen.values, seen.ends, seen.sources
        batch_at = None if told.observed_at is None else self._moment(told.observed_at)
        last_text, observed_at = "", 0
        for key, number, kind, forms, allowed in self._shape(told):
            if states[number] == FRESH:
                continue
            entry = document[key]
            text = entry["observed_at"] if batch_at is None else entry.get("observed_at")
            if text is None:
                last_text, observed_at = "", batch_at or 0
            elif text != last_text:  # most entries of a document were observed at the same time
                if text not in moments:
                    moments[text] = microseconds(datetime.fromisoformat(text))
                last_text, observed_at = text, moments[text]
            value, state = entry.get("value"), FRESH
            if type(value) not in forms or "fault" in entry:
                value, state = self._with_care(kind, value, entry.get("fault"))
            end = observed_at + allowed
            if state == FRESH and end >= now:
                states[number], values[number], ends[number], sources[number] = FRESH, value, end, told.source
                continue
            state = max(state, STALE)
            if state < states[number]:
                states[number], sources[number] = state, told.source

    def _moment(self, moment: datetime) -> int:
        """Batches of one pull have one time."""
        found = self._batches.get(moment)
        if found is None:
            found = self._batches[moment] = microseconds(moment)
        return found

    def _shape(self, told: Told) -> Sequence[SlotInfo]:
        """Return which slots the entries of a document may fill; documents with the same keys share the answer."""
        shape = (told.source, *told.document)
        found = self._shapes.get(shape)
        if found is None:
            if len(self._shapes) > MAX_SHAPES:
                self._shapes.clear()
            wanted = self._wanted.get(told.source)
            if wanted is None:
                wanted = self._wanted[told.source] = self._wanted_of(told.source)
            found = self._shapes[shape] = [info for key in told.document for info in wanted.get(key, ())]
        return found

    def _with_care(self, kind: str, value: Any, fault: str | None) -> tuple[Any, int]:
        """Read a value that is not in its type's plain form; return it with FRESH or WRONG_TYPE."""
        if fault:
            return None, WRONG_TYPE
        if type(value) is str and value in self._times and kind == "datetime":
            return self._times[value], FRESH
        if kind == "set" and type(value) is list:  # sorted and freed of duplicates when it was stored
            return tuple(value), FRESH
        try:
            found = typed(kind, value)
        except ValueError:
            return None, WRONG_TYPE
        if isinstance(found, datetime) and isinstance(value, str):
            self._times[value] = found
        return found, FRESH

    def _wanted_of(self, source: str) -> dict[str, tuple[SlotInfo, ...]]:
        """Return the slots that a source may fill, by fact."""
        found = {}
        for key, numbers in self.plan.slots_of.items():
            spec = self.plan.specs[key]
            forms, allowed = AS_STORED.get(spec.type, ()), self.supply.max_age(source, key)
            found[key] = tuple(
                (key, number, spec.type, forms, _shorter(allowed, self.plan.slots[number].max_age))
                for number in numbers
            )
        return found

    def _derive(self, seen: Seen, view: View, derived: Sequence[str]) -> None:
        for key in derived:
            for number in self.plan.slots_of.get(key, ()):
                evidence = view.get(key, self.plan.slots[number].max_age)
                fresh = evidence.state is EvidenceState.FRESH
                # What is not known of other entities has an end as well: then it is asked again.
                ends = evidence.valid_until if evidence.state is not EvidenceState.STALE else None
                seen.values[number] = evidence.value if fresh else None
                seen.ends[number] = microseconds(ends) if ends else FOREVER
                seen.states[number] = FRESH if fresh else MISSING
                if evidence.cause:
                    seen.derived[number] = evidence.cause

    def lack(self, seen: Seen, number: int) -> Lack:
        """Return why a slot holds no value."""
        cause = seen.derived.get(number)
        if cause:
            return lack_of(cause)
        state, source = seen.states[number], seen.sources[number]
        if state == MISSING:
            # Which sentence tells it depends on whether the first source that supplies the fact knows the service.
            suppliers = self._suppliers[self.plan.slots[number].key]
            source = "known" if suppliers and suppliers[0] in seen.known_to else ""
        found = self._lacks.get((number, state, source))
        if found is None:
            found = self._lacks[number, state, source] = lack_of(self._cause(seen, number, state, source))
        return found

    def _cause(self, seen: Seen, number: int, state: int, source: str) -> Cause:
        key = self.plan.slots[number].key
        if state == STALE:
            return staleness(self.supply, key, source, self.now, timedelta())
        if state == WRONG_TYPE:
            return wrong_type(key, self.plan.specs[key].type, source, "")
        return absence(self.supply, key, seen.known_to)


def _shorter(allowed: timedelta, max_age: timedelta | None) -> int:
    return (allowed if max_age is None else min(allowed, max_age)) // MICROSECOND
