"""Verdicts on one service as small numbers, its standing, and what to do first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecards.assessment.evidence import FOREVER, FRESH, STALE, Lack, Reader, Seen
from scorecards.assessment.plan import Plan, Prepared, durations_of
from scorecards.evaluation import evaluate_fields
from scorecards.evidence.causes import CauseKind, Party
from scorecards.evidence.observations import microseconds, moment_of
from scorecards.exceptions.in_force import NOTHING_IN_FORCE, InForce
from scorecards.holding import Dark, Held, Hold, darkness, held_verdicts
from scorecards.settling import EvidenceKind, settle
from scorecards.standing import (
    CODE,
    FAIL,
    NO_BAR,
    NOT_APPLICABLE,
    PASS,
    STATUSES,
    UNKNOWN,
    Tally,
    tally,
    together,
)

MAX_REMEMBERED = 50_000
ONE_DAY = timedelta(days=1)


@dataclass(slots=True)
class Unknown:
    """Why a verdict is unknown: as much as ranks, causes of changes and attestations depend on."""

    lacks: Sequence[Lack]
    out_of_range: bool = False
    too_few: bool = False
    """It is known that there is too little to judge by."""
    waits: bool = False
    """Nobody can hasten it."""

    @property
    def is_dark(self) -> bool:
        """Owed to the sources, not to what the service's team states."""
        return any(lack.kind is CauseKind.STALE or lack.party is Party.OPERATORS for lack in self.lacks)

    @property
    def unsupplied(self) -> bool:
        """No source supplies what is lacking."""
        return not self.out_of_range and all(lack.kind is CauseKind.NO_SOURCE for lack in self.lacks)

    @property
    def for_operators(self) -> tuple[str, ...]:
        """What the portal's operators have to do, where it is theirs alone; empty otherwise."""
        if self.out_of_range or any(lack.party is not Party.OPERATORS for lack in self.lacks):
            return ()
        return tuple(dict.fromkeys(lack.action for lack in self.lacks if lack.action))


@dataclass(slots=True)
class Assessment:
    """The verdicts on one service and what follows from them."""

    codes: bytes
    """A verdict for each check of the plan, see `standing.STATUSES`."""
    kinds: Mapping[int, EvidenceKind]
    """Of the checks whose verdict rests on something else than measurements."""
    unknowns: Mapping[int, Unknown]
    """Of checks on which nothing is measured, whatever the verdict that counts."""
    axes: Sequence[Tally]
    overall: Tally
    levels: Sequence[int | None]
    """The overall level, then those of the axes, held where a source's outage holds them."""
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
        self.shadow_end = min(
            (microseconds(end) for number in self.shadow if (end := plan.checks[number].check.shadow_ends_at)),
            default=FOREVER,
        )
        self._tallies: dict[tuple[int, bytes], Tally] = {}
        self._applies: dict[tuple[Any, ...], bool | None] = {}
        self._counted = [
            ([number for number in range(start, end) if number not in self.shadow], start, end)
            for _, start, end in plan.axes
        ]

    def assess(  # noqa: C901 - one loop, run for every check of every service
        self,
        fields: Mapping[str, Any],
        seen: Seen,
        in_force: InForce = NOTHING_IN_FORCE,
        hold: Hold | None = None,
    ) -> Assessment:
        """Judge a service by its fields and the evidence on it; `hold` says what a source's outage may hold."""
        codes = bytearray(len(self.plan.checks))
        unknowns: dict[int, Unknown] = {}
        end, awaits = self.shadow_end, False
        values, ends, now = seen.values, seen.ends, self.now
        for prepared in self.plan.checks:
            number = prepared.number
            if prepared.applies_to is not None and self._does_apply(prepared, fields) is False:
                codes[number] = NOT_APPLICABLE
                continue
            slots, durations = prepared.slots, prepared.durations
            truth: bool | None = None
            enough: bool | None = True
            if prepared.needs is not None:
                enough = prepared.needs.test(values, now)
                if enough is not True:
                    slots, durations = prepared.needs.slots, _durations(prepared)
            if enough is True and prepared.rule is not None:
                truth = prepared.rule.test(values, now)
            for slot in slots:
                if ends[slot] < end:
                    end = ends[slot]
            for slot, duration in durations:
                end = min(end, _turn(values[slot], duration, now))
            if seen.is_partly_stale and enough is not False and not awaits:
                awaits = any(self._is_stale(seen, slot) for slot in slots)
            if truth is None:
                codes[number] = UNKNOWN
                unknowns[number] = self._unknown(prepared, slots, seen, enough)
            else:
                codes[number] = PASS if truth else FAIL
        kinds = self._settle(codes, unknowns, in_force) if in_force is not NOTHING_IN_FORCE else {}
        if in_force is not NOTHING_IN_FORCE:
            end = min(end, self._exceptions_end(kinds, in_force))
        return self._put_together(bytes(codes), kinds, unknowns, hold, end, awaits)

    def _does_apply(self, prepared: Prepared, fields: Mapping[str, Any]) -> bool | None:
        """Ask a condition on the service itself; services alike in what it looks at get the same answer."""
        rule = prepared.applies_to
        if rule is None:
            return True
        key = (prepared.number, *[fields.get(name) for name in prepared.fields])
        try:
            return self._applies[key]
        except KeyError:
            pass
        except TypeError:  # a list or a mapping of the entity has no hash
            return evaluate_fields(rule, fields, self.now)
        if len(self._applies) > MAX_REMEMBERED:
            self._applies.clear()
        found = self._applies[key] = evaluate_fields(rule, fields, self.now)
        return found

    def _is_stale(self, seen: Seen, slot: int) -> bool:
        if seen.states[slot] == STALE:
            return True
        cause = seen.derived.get(slot)
        return cause is not None and cause.kind is CauseKind.STALE

    def _unknown(self, prepared: Prepared, slots: Sequence[int], seen: Seen, enough: bool | None) -> Unknown:
        if enough is False:
            needs = prepared.check.needs
            return Unknown((), too_few=True, waits=not (needs and needs.action))
        lacks = [self.reader.lack(seen, slot) for slot in slots if seen.states[slot] != FRESH]
        parts = [prepared.needs] if enough is None else [prepared.rule, prepared.needs]
        leaves = [leaf for part in parts if part for leaf in part.leaves]
        out_of_range = any(
            all(seen.values[slot] is not None for slot in leaf.slots) and leaf.test(seen.values, self.now) is None
            for leaf in leaves
        )
        return Unknown(lacks, out_of_range)

    def _settle(self, codes: bytearray, unknowns: Mapping[int, Unknown], in_force: InForce) -> dict[int, EvidenceKind]:
        """Let modules, attestations and waivers speak; return what verdicts then rest on besides measurements."""
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
        return kinds

    def _exceptions_end(self, kinds: Mapping[int, EvidenceKind], in_force: InForce) -> int:
        """Return when the first waiver, attestation or module that counts ends."""
        ends = [in_force.changes_at]
        for number, kind in kinds.items():
            check = self.plan.checks[number].check
            if kind is EvidenceKind.ATTESTED and check.attested_for:
                ends.append(in_force.attestations[check.id].attested_at + check.attested_for)
        return min([microseconds(moment) for moment in ends if moment], default=FOREVER)

    def _put_together(
        self,
        codes: bytes,
        kinds: Mapping[int, EvidenceKind],
        unknowns: Mapping[int, Unknown],
        hold: Hold | None,
        end: int,
        awaits: bool,
    ) -> Assessment:
        axes = self.tallies(codes)
        overall = together(axes)
        levels = [overall.level(self.plan.top), *[axis.level(self.plan.top) for axis in axes]]
        held = held_verdicts(hold, self._in_the_dark(codes, unknowns), self.now) if hold else {}
        if held:
            levels = self._held_levels(codes, held, levels)
            end = min(end, *(microseconds(one.until) for one in held.values()))
        first, group = self._first(codes, unknowns, overall)
        valid_until = None if end == FOREVER else moment_of(end)
        return Assessment(codes, kinds, unknowns, axes, overall, levels, held, valid_until, awaits, first, group)

    def _in_the_dark(self, codes: bytes, unknowns: Mapping[int, Unknown]) -> dict[str, Dark]:
        """Return the checks that are unknown because a source is silent, each with the source."""
        found = {}
        for number, unknown in unknowns.items():
            if codes[number] == UNKNOWN and not unknown.out_of_range and number not in self.shadow:
                dark = darkness(unknown.lacks, self.reader.supply)
                if dark:
                    found[self.plan.checks[number].check.id] = dark
        return found

    def _held_levels(self, codes: bytes, held: Held, levels: list[int | None]) -> list[int | None]:
        """Return the levels as they were before the outage, as far as nothing else has changed."""
        before = bytearray(codes)
        for check in held:
            before[self.plan.number_of[check]] = PASS
        axes = self.tallies(bytes(before))
        found = [together(axes).level(self.plan.top), *[axis.level(self.plan.top) for axis in axes]]
        return [now if then is None else max(then, now or 0) for then, now in zip(found, levels, strict=True)]

    def tallies(self, codes: bytes) -> list[Tally]:
        """Count the verdicts of each axis, leaving out the checks in shadow."""
        found = []
        for place, (numbers, start, end) in enumerate(self._counted):
            key = (place, codes[start:end])
            counted = self._tallies.get(key)
            if counted is None:
                if len(self._tallies) > MAX_REMEMBERED:
                    self._tallies.clear()
                checks = self.plan.checks
                counted = tally([codes[number] for number in numbers], [checks[number].counted for number in numbers])
                self._tallies[key] = counted
            found.append(counted)
        return found

    def _first(
        self, codes: bytes, unknowns: Mapping[int, Unknown], overall: Tally
    ) -> tuple[int | None, tuple[int, ...]]:
        """Return the check to see to first, with all that wait for the same thing."""
        barred = min(overall.barred, default=NO_BAR)
        best: tuple[bool, bool, int] | None = None
        first = -1
        for prepared in self.plan.checks:
            number = prepared.number
            if codes[number] not in (FAIL, UNKNOWN) or number in self.shadow:
                continue
            unknown = unknowns.get(number)
            waits = unknown is not None and unknown.waits
            rank = (waits, prepared.counted.bars != barred or barred == NO_BAR, prepared.place)
            if best is None or rank < best:
                best, first = rank, number
        if best is None:
            return None, ()
        return first, self._waiting_alike(first, codes, unknowns)

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
        unknown = unknowns.get(number)
        if unknown is None or codes[number] != UNKNOWN or unknown.too_few:
            return ()
        return unknown.for_operators


def _durations(prepared: Prepared) -> tuple[tuple[int, timedelta], ...]:
    return durations_of([prepared.needs]) if prepared.needs else ()


def _turn(value: Any, duration: timedelta, now: datetime) -> int:
    """Return when the age of a time turns the verdict; a time a day ahead is out of range and turns nothing."""
    if not isinstance(value, datetime) or value > now + ONE_DAY:
        return FOREVER
    end = value + duration
    return microseconds(end) if end > now else FOREVER
