"""Verdicts on services as small numbers, their standing, and what to do first. Pure.

Many are judged together, one check of all of them after the other; a service's own verdicts are then read across.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecards.assessment.counting import MAX_REMEMBERED, Count, Counting, Standing, standing
from scorecards.assessment.evidence import FOREVER, STALE, Reader, Seen
from scorecards.assessment.plan import Plan, Prepared, durations_of
from scorecards.assessment.rules import Column
from scorecards.assessment.unknowns import Departure, Departures, Explainer, Unknown, Unknowns
from scorecards.evaluation import evaluate_fields
from scorecards.evidence.causes import CauseKind
from scorecards.evidence.observations import microseconds, moment_of
from scorecards.exceptions.in_force import NOTHING_IN_FORCE, InForce
from scorecards.holding import Dark, Held, Hold, darkness, held_verdicts
from scorecards.rules.operators import MOST_AHEAD
from scorecards.settling import EvidenceKind, settle
from scorecards.standing import (
    CODE,
    FAIL,
    NO_BAR,
    NOT_APPLICABLE,
    OPEN_CODES,
    PASS,
    STATUSES,
    UNKNOWN,
    Tally,
)

CODE_OF: Mapping[bool | None, int] = {True: PASS, False: FAIL, None: UNKNOWN}


@dataclass(frozen=True, slots=True)
class Given:
    """A service to be judged."""

    fields: Mapping[str, Any]
    seen: Seen
    in_force: InForce = NOTHING_IN_FORCE
    hold: Hold | None = None
    """What a source's outage may hold."""


@dataclass(frozen=True, slots=True)
class _Use:
    """What verdicts rest on, given the checks that are not judged by their rules."""

    slots: tuple[int, ...]
    awaited: tuple[int, ...]
    """Those of them of which a fresh observation would matter."""
    durations: tuple[tuple[int, timedelta], ...]


@dataclass(slots=True)
class Assessment:
    """The verdicts on one service and what follows from them."""

    codes: bytes
    """A verdict for each check of the plan, see `standing.STATUSES`."""
    kinds: Mapping[int, EvidenceKind]
    """Of the checks whose verdict rests on something else than measurements."""
    unknowns: Unknowns
    """Of checks on which nothing is measured, whatever the verdict that counts."""
    axes: Sequence[Tally]
    overall: Tally
    levels: Sequence[int | None]
    """The overall level, then those of the axes, held where a source's outage holds them."""
    standings: Sequence[Standing]
    """The same with percent and coverage."""
    held: Held
    valid_until: datetime | None
    awaits_evidence: bool
    first: int | None
    """The check to see to first; None when nothing is left."""
    first_group: tuple[int, ...]
    """All checks that wait for the same thing as the first."""


class Assessor:
    """Judges services of one catalogue at one moment."""

    def __init__(self, plan: Plan, reader: Reader, now: datetime) -> None:
        self.plan = plan
        self.reader = reader
        self.now = now
        self.shadow = frozenset(prepared.number for prepared in plan.checks if not prepared.check.enforced(now))
        turns = [prepared.check.turns_at(now) for prepared in plan.checks]
        self.shadow_end = min((microseconds(turn) for turn in turns if turn), default=FOREVER)
        self.explainer = Explainer(plan, reader, now)
        self.counting = Counting(plan, self.shadow)
        self._conditions = {repr(rule.tree): rule for rule in (one.applies_to for one in plan.checks) if rule}
        """Under which checks apply; many checks share one."""
        self._condition_of = [repr(one.applies_to.tree) if one.applies_to else None for one in plan.checks]
        self._applies: dict[str, dict[Any, bool | None]] = {condition: {} for condition in self._conditions}
        self._turns: dict[tuple[Any, timedelta], int] = {}
        self._uses: dict[Departures, _Use] = {}
        self._orders: dict[int, Sequence[int]] = {}

    def assess(self, services: Sequence[Given]) -> list[Assessment]:
        """Judge services by their fields and the evidence on them; the answers come in the same order."""
        columns = list(zip(*[one.seen.values for one in services], strict=True))
        departures: list[list[tuple[int, Departure]]] = [[] for _ in services]
        exempt = {condition: self._exempt(condition, services) for condition in self._conditions}
        measured = []
        for prepared, condition in zip(self.plan.checks, self._condition_of, strict=True):
            exempted = exempt[condition] if condition else ()
            measured.append(self._column(prepared, columns, exempted, departures))
        rows = zip(*measured, strict=True) if measured else [()] * len(services)
        return [
            self._assessment(one, bytes(row), tuple(departed))
            for one, row, departed in zip(services, rows, departures, strict=True)
        ]

    def _column(
        self,
        prepared: Prepared,
        columns: Sequence[Column],
        exempt: Sequence[int],
        departures: Sequence[list[tuple[int, Departure]]],
    ) -> list[int]:
        """Judge one check on all services; adds those that are not judged by its rule to their departures.

        `exempt` are the places of those that it does not apply to.
        """
        number = prepared.number
        truths = prepared.rule.test(columns, self.now) if prepared.rule else [None] * len(departures)
        codes = [CODE_OF[truth] for truth in truths]
        for place in exempt:
            codes[place] = NOT_APPLICABLE
            departures[place].append((number, Departure.NOT_APPLICABLE))
        if prepared.needs is not None:
            for place, enough in enumerate(prepared.needs.test(columns, self.now)):
                if enough is not True and codes[place] != NOT_APPLICABLE:
                    codes[place] = UNKNOWN
                    departures[place].append((number, Departure.UNSURE if enough is None else Departure.TOO_FEW))
        return codes

    def _assessment(self, one: Given, measured: bytes, departures: Departures) -> Assessment:
        unknowns = Unknowns(self.explainer, one.seen, measured, departures)
        end, awaits = self._time(one.seen, departures)
        codes = measured
        kinds: Mapping[int, EvidenceKind] = {}
        if one.in_force is not NOTHING_IN_FORCE:
            codes, kinds = self._settle(measured, unknowns, one.in_force)
            end = min(end, self._exceptions_end(kinds, one.in_force))
        count = self.counting.count(codes)
        levels, standings = count.levels, count.standings
        held = held_verdicts(one.hold, self._in_the_dark(codes, unknowns), self.now) if one.hold else {}
        if held:
            before = self.as_held(codes, held).levels
            levels = [now if then is None else max(then, now or 0) for then, now in zip(before, levels, strict=True)]
            standings = [standing(level, one) for level, one in zip(levels, [count.overall, *count.axes], strict=True)]
            end = min(end, *(microseconds(kept.until) for kept in held.values()))
        first = self._first(codes, departures, count.overall)
        return Assessment(
            codes,
            kinds,
            unknowns,
            count.axes,
            count.overall,
            levels,
            standings,
            held,
            None if end == FOREVER else moment_of(end),
            awaits,
            first,
            () if first is None else self._waiting_alike(first, codes, unknowns),
        )

    def _time(self, seen: Seen, departures: Departures) -> tuple[int, bool]:
        """Return when time alone may change a verdict, and whether some evidence is stale."""
        use = self._use(departures)
        ends, values = seen.ends, seen.values
        end = min([ends[slot] for slot in use.slots], default=FOREVER)
        turns = [self._turn(values[slot], duration) for slot, duration in use.durations]
        end = min(end, self.shadow_end, *turns)
        return end, seen.is_partly_stale and any(self._is_stale(seen, slot) for slot in use.awaited)

    def _turn(self, value: Any, duration: timedelta) -> int:
        """Return when the age of a time turns the verdict."""
        if not isinstance(value, datetime):
            return FOREVER
        found = self._turns.get((value, duration))
        if found is None:
            if len(self._turns) > MAX_REMEMBERED:
                self._turns.clear()
            found = self._turns[value, duration] = _turn(value, duration, self.now)
        return found

    def _use(self, departures: Departures) -> _Use:
        use = self._uses.get(departures)
        if use is None:
            if len(self._uses) > MAX_REMEMBERED:
                self._uses.clear()
            use = self._uses[departures] = self._find_use(dict(departures))
        return use

    def _find_use(self, departures: Mapping[int, Departure]) -> _Use:
        slots: dict[int, None] = {}
        awaited: dict[int, None] = {}
        durations: dict[tuple[int, timedelta], None] = {}
        for prepared in self.plan.checks:
            departure = departures.get(prepared.number)
            if departure is Departure.NOT_APPLICABLE:
                continue
            needs = prepared.needs if departure else None
            own = needs.slots if needs else prepared.slots
            slots |= dict.fromkeys(own)
            durations |= dict.fromkeys(durations_of([needs]) if needs else prepared.durations)
            if departure is not Departure.TOO_FEW:
                awaited |= dict.fromkeys(own)
        return _Use(tuple(slots), tuple(awaited), tuple(durations))

    def _exempt(self, condition: str, services: Sequence[Given]) -> list[int]:
        """Return the places of the services for which a condition does not hold, so that its checks do not apply.

        Services alike in what the condition looks at get the same answer.
        """
        rule, known = self._conditions[condition], self._applies[condition]
        names = rule.facts
        if len(known) > MAX_REMEMBERED:
            known.clear()
        found = []
        for place, one in enumerate(services):
            look = one.fields.get
            alike = tuple([(type(value), value) for value in map(look, names)])  # true is no 1, though they are equal
            try:
                applies = known[alike]
            except KeyError:
                applies = known[alike] = evaluate_fields(rule, one.fields, self.now)
            except TypeError:  # a list or a mapping of the entity has no hash
                applies = evaluate_fields(rule, one.fields, self.now)
            if applies is False:
                found.append(place)
        return found

    def _is_stale(self, seen: Seen, slot: int) -> bool:
        if seen.states[slot] == STALE:
            return True
        cause = seen.derived.get(slot)
        return cause is not None and cause.kind is CauseKind.STALE

    def _settle(
        self, measured: bytes, unknowns: Mapping[int, Unknown], in_force: InForce
    ) -> tuple[bytes, dict[int, EvidenceKind]]:
        """Let modules, attestations and waivers speak; return verdicts and what they rest on besides measurements."""
        codes = bytearray(measured)
        kinds: dict[int, EvidenceKind] = {}
        touched = in_force.waivers.keys() | in_force.attestations.keys() | in_force.inherited.keys()
        for number in [self.plan.number_of[check] for check in touched if check in self.plan.number_of]:
            code = codes[number]
            if code == NOT_APPLICABLE:
                continue
            unknown = unknowns.get(number)
            unsupplied = unknown is not None and not unknown.too_few and unknown.unsupplied
            settled = settle(self.plan.checks[number].check, STATUSES[code], unsupplied, in_force, self.now)
            codes[number] = CODE[settled.status]
            if settled.evidence in {EvidenceKind.ATTESTED, EvidenceKind.INHERITED}:
                kinds[number] = settled.evidence
        return bytes(codes), kinds

    def _exceptions_end(self, kinds: Mapping[int, EvidenceKind], in_force: InForce) -> int:
        """Return when the first waiver, attestation or module that counts ends."""
        ends = [in_force.changes_at]
        for number, kind in kinds.items():
            check = self.plan.checks[number].check
            if kind is EvidenceKind.ATTESTED and check.attested_for:
                ends.append(in_force.attestations[check.id].attested_at + check.attested_for)
        return min([microseconds(moment) for moment in ends if moment], default=FOREVER)

    def _in_the_dark(self, codes: bytes, unknowns: Mapping[int, Unknown]) -> dict[str, Dark]:
        """Return the checks that are unknown because a source is silent, each with the source."""
        found = {}
        for number, unknown in unknowns.items():
            if codes[number] == UNKNOWN and not unknown.out_of_range and number not in self.shadow:
                dark = darkness(unknown.lacks, self.reader.supply)
                if dark:
                    found[self.plan.checks[number].check.id] = dark
        return found

    def as_held(self, codes: bytes, held: Held) -> Count:
        """Count verdicts as levels do, by which what an outage holds has passed as before."""
        before = bytearray(codes)
        for check in held:
            before[self.plan.number_of[check]] = PASS
        return self.counting.count(bytes(before))

    def _first(self, codes: bytes, departures: Departures, overall: Tally) -> int | None:
        """Return the check to see to first; what nobody can hasten comes last."""
        waiting: Collection[int] = [
            number
            for number, departure in departures
            if departure is Departure.TOO_FEW and self.explainer.waits(number)
        ]
        last = None
        for number in self._order(overall.lowest_barred):
            if codes[number] in OPEN_CODES:
                if number not in waiting:
                    return number
                last = number if last is None else last
        return last

    def _order(self, barred: int) -> Sequence[int]:
        """Return the checks that count, those first that bar the next level, then by their place."""
        order = self._orders.get(barred)
        if order is None:
            checks = [prepared for prepared in self.plan.checks if prepared.number not in self.shadow]
            checks.sort(key=lambda one: (one.counted.bars != barred or barred == NO_BAR, one.place))
            order = self._orders[barred] = [prepared.number for prepared in checks]
        return order

    def _waiting_alike(self, first: int, codes: bytes, unknowns: Mapping[int, Unknown]) -> tuple[int, ...]:
        alike = self._waits_for(first, codes, unknowns)
        if not alike:
            return (first,)
        return tuple(
            number
            for number in unknowns
            if number not in self.shadow and self._waits_for(number, codes, unknowns) == alike
        )

    def _waits_for(self, number: int, codes: bytes, unknowns: Mapping[int, Unknown]) -> tuple[str, ...]:
        if codes[number] != UNKNOWN:
            return ()
        unknown = unknowns[number]
        return () if unknown.too_few else unknown.for_operators


def _turn(value: datetime, duration: timedelta, now: datetime) -> int:
    """Return when the age of a time turns the verdict; a time a day ahead is out of range and turns nothing.

    A duration below zero is how far ahead a time has to lie.
    """
    if duration > timedelta() and value > now + MOST_AHEAD:
        return FOREVER
    end = value + duration
    return microseconds(end) if end > now else FOREVER
