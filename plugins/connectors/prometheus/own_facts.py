"""Facts that an organisation measures by PromQL of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from plugins import own_facts
from plugins.connectors.prometheus.measurements import FACTS, Convert, Measurement, flag, moment_of
from plugins.contract import FactType

CONVERTERS: Mapping[FactType, Convert] = {
    FactType.BOOLEAN: flag,
    FactType.INTEGER: round,
    FactType.NUMBER: float,
    FactType.DATETIME: moment_of,
}
"""What becomes of a sample, which is always a number."""
OURS = frozenset(spec.key for spec in FACTS)


def _is_measured(kind: FactType) -> None:
    if kind not in CONVERTERS:
        raise ValidationError(f"must be one of {', '.join(sorted(CONVERTERS))}: a sample is a number")


def _is_free(key: str) -> None:
    if key in OURS:
        raise ValidationError(f"is a fact of this connector; give its query under queries: {{{key}: …}}")


def are_distinct(declared: Iterable[Mapping[str, Any]]) -> None:
    """Raise ValidationError where a fact is declared twice: one query would hide the other."""
    twice = [key for key, count in Counter(one["key"] for one in declared).items() if count > 1]
    if twice:
        raise ValidationError(f"declares {', '.join(twice)} more than once; give each fact one query")


class FactSchema(own_facts.FactSchema):
    """A fact and the query that measures it."""

    key = fields.String(required=True, validate=[*own_facts.FactSchema().fields["key"].validators, _is_free])
    type = fields.Enum(FactType, by_value=True, required=True, validate=_is_measured)
    query = fields.String(required=True, validate=validate.Length(min=1))


def measurements(declared: Iterable[Mapping[str, Any]]) -> tuple[Measurement, ...]:
    """Return what the facts of FactSchema are measured by."""
    return tuple(Measurement(own_facts.spec_of(one), one["query"], CONVERTERS[one["type"]]) for one in declared)
