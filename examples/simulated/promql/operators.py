"""Binary operators between vectors and numbers, with PromQL's label matching."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from promql_parser import BinModifier, LabelModifierType, VectorMatchCardinality

from examples.simulated.promql.memory import Distinct, OfLabels, OfPairs
from examples.simulated.promql.values import METRIC_NAME, Labels, QueryError, Sample, Vector, signature, without_name

Key = tuple[tuple[str, str], ...]


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        result = left**right
    except (ZeroDivisionError, OverflowError):
        return math.inf
    return math.nan if isinstance(result, complex) else result


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _modulo,
    "^": _power,
    "atan2": math.atan2,
}
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SET_OPERATORS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True)
class Matching:
    """How elements of two vectors find each other: the `on`/`ignoring` and `group_left`/`group_right` of a query."""

    on: frozenset[str] | None = None
    ignoring: frozenset[str] = frozenset()
    many: str = ""
    """`left` or `right`: the side that may have several elements per match; empty for one to one."""
    include: tuple[str, ...] = ()
    return_bool: bool = False

    def key(self, labels: Labels) -> Key:
        """Return what two elements must have in common."""
        if self.on is not None:
            return signature({name: labels[name] for name in self.on if name in labels})
        return signature({name: labels[name] for name in labels if name != METRIC_NAME and name not in self.ignoring})

    def result_labels(self, many: Labels, one: Labels, *, keep_name: bool) -> Labels:
        """Return the labels of the result of one pair."""
        labels = {name: value for name, value in many.items() if keep_name or name != METRIC_NAME}
        if not self.many:
            on = self.on
            labels = {k: v for k, v in labels.items() if (k in on if on is not None else k not in self.ignoring)}
        for name in self.include:
            labels.pop(name, None)
            if name in one:
                labels[name] = one[name]
        return labels


def matching_of(modifier: BinModifier | None) -> Matching:
    """Read the parser's modifier."""
    if modifier is None:
        return Matching()
    labels, kind = modifier.matching, modifier.card
    on = frozenset(labels.labels) if labels is not None and labels.type == LabelModifierType.Include else None
    ignoring = frozenset(labels.labels) if labels is not None and on is None else frozenset()
    many = ""
    if kind == VectorMatchCardinality.ManyToOne:
        many = "left"
    elif kind == VectorMatchCardinality.OneToMany:
        many = "right"
    return Matching(on, ignoring, many, tuple(modifier.group_labels or ()), modifier.return_bool)


def scalar_operation(name: str, left: float, right: float) -> float:
    """Return the result between two numbers (a comparison gives 1 or 0)."""
    return float(COMPARISON[name](left, right)) if name in COMPARISON else ARITHMETIC[name](left, right)


class VectorScalar:
    """An operation between each element of a vector and a number."""

    def __init__(self, name: str, *, swapped: bool, return_bool: bool) -> None:
        self.name = name
        self.swapped = swapped
        """The number stands on the left."""
        self.filters = name in COMPARISON and not return_bool
        self._without_name = OfLabels(without_name)
        self._distinct = Distinct()

    def __call__(self, vector: Vector, number: float) -> Vector:
        """Return the result."""
        result = []
        for sample in vector:
            left, right = (number, sample.value) if self.swapped else (sample.value, number)
            if not self.filters:
                value = scalar_operation(self.name, left, right)
                result.append(Sample(self._without_name(sample.labels), value))
            elif COMPARISON[self.name](left, right):
                result.append(sample)
        return result if self.filters else self._distinct(result)


class VectorVector:
    """An operation between the elements of two vectors that match."""

    def __init__(self, name: str, matching: Matching) -> None:
        self.name = name
        self.matching = matching
        self.filters = name in COMPARISON and not matching.return_bool
        self._key = OfLabels(matching.key)
        self._labels = OfPairs(
            lambda many, one: matching.result_labels(many, one, keep_name=self.filters)  # the same object every time
        )
        self._distinct = Distinct()

    def __call__(self, left: Vector, right: Vector) -> Vector:
        """Return the result; raises QueryError when a match is ambiguous."""
        if self.name in SET_OPERATORS:
            return self._of_sets(left, right)
        swapped = self.matching.many == "right"
        many, one = (right, left) if swapped else (left, right)
        partners = self._partners(one, "left" if swapped else "right")
        result: Vector = []
        met: set[Key] = set()
        for sample in many:
            key = self._key(sample.labels)
            partner = partners.get(key)
            pair = None if partner is None else self._pair(sample, partner, swapped=swapped)
            if pair is None:
                continue
            if not self.matching.many and key in met:
                raise QueryError(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    "execution",
                )
            met.add(key)
            result.append(pair)
        return self._distinct(result)

    def _of_sets(self, left: Vector, right: Vector) -> Vector:
        if self.name == "or":
            known = {self._key(sample.labels) for sample in left}
            return left + [sample for sample in right if self._key(sample.labels) not in known]
        known = {self._key(sample.labels) for sample in right}
        return [sample for sample in left if (self._key(sample.labels) in known) == (self.name == "and")]

    def _partners(self, one: Vector, side: str) -> dict[Key, Sample]:
        partners: dict[Key, Sample] = {}
        for sample in one:
            key = self._key(sample.labels)
            if key in partners:
                raise QueryError(
                    f"found duplicate series for the match group {dict(key)} on the {side} hand-side of the "
                    "operation; many-to-many matching not allowed: matching labels must be unique on one side",
                    "execution",
                )
            partners[key] = sample
        return partners

    def _pair(self, sample: Sample, partner: Sample, *, swapped: bool) -> Sample | None:
        left, right = (partner.value, sample.value) if swapped else (sample.value, partner.value)
        if self.filters and not COMPARISON[self.name](left, right):
            return None
        value = left if self.filters else scalar_operation(self.name, left, right)
        return Sample(self._labels(sample.labels, partner.labels), value)
