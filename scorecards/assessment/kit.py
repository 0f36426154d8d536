"""What judging rests on besides the observations, in a form that can be handed to another process. Pure."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any

from scorecards.assessment.plan import Plan
from scorecards.checks.definitions import CheckCatalogue
from scorecards.checks.fields import FieldSpecs, RuleSpecs
from scorecards.evidence.causes import Offer, SourceState, Spec, Supply
from scorecards.evidence.related import Compiled, compiled
from scorecards.rules.tree import Compiler, Rule


@dataclass(frozen=True)
class State:
    """A source's health, as much as judging needs of it."""

    name: str
    plugin: str
    simulated: bool
    state: str
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    failure_kind: str | None
    failure_message: str | None
    faults: int | None
    facts: frozenset[str]
    fault_sample: tuple[Mapping[str, Any], ...] = ()
    overdue_at: datetime | None = None
    is_overdue: bool = False


def state_of(health: SourceState) -> State:
    """Return what judging needs of a source's health."""
    return State(
        health.name,
        health.plugin,
        health.simulated,
        str(health.state),
        health.last_success_at,
        health.last_attempt_at,
        health.failure_kind,
        health.failure_message,
        health.faults,
        health.facts,
        tuple(health.fault_sample),
        health.overdue_at,
        health.is_overdue,
    )


@dataclass(frozen=True, eq=False)
class Kit:
    """The checks, the declarations of the facts that they look at, and who could supply them.

    Compiled rules do not travel; the other process compiles them from their trees, once for each kit.
    """

    catalogue: CheckCatalogue
    specs: Mapping[str, Spec]
    offers: Mapping[str, Offer]
    grace: timedelta
    remembered: dict[str, Any] = field(default_factory=dict)
    """What was made for the last judgement by it and serves the next one as well."""

    @cached_property
    def plan(self) -> Plan:
        """The catalogue made ready for judging many services."""
        return Plan(self.catalogue, RuleSpecs(self.specs))

    @cached_property
    def questions(self) -> tuple[Compiled, ...]:
        """What the checks ask of related entities."""
        return compiled(self.catalogue.related, RuleSpecs(self.specs).of_related)

    def supply(self, health: Mapping[str, SourceState]) -> Supply:
        """Return who supplies what, given the configured sources in their order of precedence."""
        return Supply(RuleSpecs(self.specs), health, self.offers)

    @cached_property
    def packed(self) -> bytes:
        """The kit without what is compiled of it, and without what judging does not look at."""
        checks = {name: replace(check, definition={}) for name, check in self.catalogue.checks.items()}
        file = BytesIO()
        parts = (dict(self.specs), replace(self.catalogue, checks=checks, files=()), dict(self.offers), self.grace)
        _Packer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(parts)
        return file.getvalue()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel packed; what was unpacked last is not unpacked again."""
        return _unpacked, (self.packed,)


class _Packer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Rule):
            return _bare_rule, (value.tree, value.facts, value.operators, value.negates, dict(value.thresholds))
        return NotImplemented


def _bare_rule(
    tree: Mapping[str, Any],
    facts: tuple[str, ...],
    operators: frozenset[str],
    negates: bool,
    thresholds: dict[str, str],
) -> Rule:
    """Return a rule that is not compiled yet: that takes the declarations of all facts."""
    return Rule(tree, facts, operators, negates, _not_compiled, thresholds)


def _not_compiled(*_: Any) -> bool | None:
    raise RuntimeError("the rule was unpacked without being compiled")


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Kit:
    specs, catalogue, offers, grace = pickle.loads(packed)  # noqa: S301 - packed by the process that started this one
    of_facts, of_fields = RuleSpecs(specs), FieldSpecs()
    checks = {}
    for name, check in catalogue.checks.items():
        applies_to, needs = check.applies_to, check.needs
        checks[name] = replace(
            check,
            rule=check.rule and _compiled(check.rule, of_facts, "fact"),
            applies_to=applies_to and replace(applies_to, rule=_compiled(applies_to.rule, of_fields, "field")),
            needs=needs and replace(needs, rule=_compiled(needs.rule, of_facts, "fact")),
        )
    return Kit(replace(catalogue, checks=checks), specs, offers, grace)


def _compiled(rule: Rule, specs: Mapping[str, Spec], word: str) -> Rule:
    found = Compiler(specs, word).compile(rule.tree, "rule")
    if found is None:  # the same tree compiled in the process that it comes from
        raise ValueError(f"a rule that was packed does not compile: {rule.tree}")
    return replace(rule, condition=found.condition)
