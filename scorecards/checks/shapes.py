"""The shapes of a catalogue file: what may stand where, before any rule is compiled."""

from datetime import date
from difflib import get_close_matches
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from plugins.contract import FactType
from portal_backend.core.errors import Fault, flatten_messages
from scorecards.checks.definitions import Axis, Criticality, Effort

ID = validate.Regexp(r"^[A-Za-z][A-Za-z0-9_.-]{0,99}\Z")
NAME = validate.Regexp(r"^[a-z][a-z0-9_]*$", error="must be lower-case letters, digits and _, beginning with a letter.")
FACT_KEY = validate.Regexp(
    r"^[a-z][a-z0-9_]*(\.[a-zA-Z0-9_]+)+$", error="must be words joined by dots: `backup.last_at`."
)
FILLED = validate.Length(min=1)
UNKNOWN = "Unknown field."
"""As marshmallow says it."""
FEW = 10
"""So many fields are listed to whoever guessed one wrong."""
RESERVED = frozenset({"missing"})
"""Placeholders of their own."""


def _rule(value: Any) -> None:
    if not isinstance(value, str | dict):
        raise ValidationError("Must be a condition: a text such as `deploys.count_30d >= 10`, or a tree.")


class _ConditionSchema(Schema):
    when = fields.Raw(required=True, validate=_rule)
    otherwise = fields.String(required=True, validate=FILLED)


class _NeedsSchema(_ConditionSchema):
    action = fields.String(load_default="")


class AppliesTo(fields.Field[Any]):
    """`{when, otherwise}`, or a condition as text alone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if isinstance(value, str):
            return {"when": value, "otherwise": f"It is asked only of services where {value}."}
        loaded: dict[str, Any] = _ConditionSchema().load(value)
        return loaded


class Day(fields.Field[date]):
    """A day, `2027-01-15`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValidationError("Must be a day such as 2027-01-15.") from error


class Step(fields.Field[tuple[str, str]]):
    """What to do, or `{fact: what to do}` where it mends the condition on one fact; loaded as a pair, fact first."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, str]:
        fact, words = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", value)
        if not (isinstance(fact, str) and isinstance(words, str) and words):
            raise ValidationError("Must be what to do, or `{fact: what to do}`.")
        return fact, words


class _AttestSchema(Schema):
    valid_for = fields.String(required=True, data_key="for")
    confirms = fields.String(required=True, validate=FILLED)


class CheckSchema(Schema):
    """One check."""

    id = fields.String(required=True, validate=ID)
    title = fields.String(required=True, validate=validate.Length(1, 120))
    question = fields.String(required=True, validate=FILLED)
    axis = fields.Enum(Axis, by_value=True, required=True)
    group = fields.String(load_default="")
    level = fields.Integer(required=True, strict=True, validate=validate.Range(1, 4))
    weight = fields.Integer(required=True, strict=True, validate=validate.Range(1, 5))
    criticality = fields.Enum(Criticality, by_value=True, required=True)
    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))
    owner = fields.String(required=True, validate=FILLED)
    sources = fields.List(fields.String(), required=True, validate=FILLED)
    why = fields.String(required=True, validate=FILLED)
    how_to_fix = fields.List(Step(), required=True, validate=FILLED)
    guide = fields.String(required=True, validate=FILLED)
    effort = fields.Enum(Effort, by_value=True, required=True)
    applies_to = AppliesTo()
    needs = fields.Nested(_NeedsSchema)
    thresholds = fields.Dict(fields.String(validate=NAME), fields.Raw(), load_default=dict)
    rule = fields.Raw(validate=_rule)
    passes = fields.String(validate=FILLED)
    fails = fields.Raw()
    attest = fields.Nested(_AttestSchema)
    introduced_at = Day()
    enforce_from = Day()
    enforce_until = Day()
    max_age = fields.Dict(fields.String(), fields.String())
    if_missing = fields.Dict(fields.String(), fields.String())
    tech_insights = fields.Dict(fields.String(), fields.Raw())
    """The check as Tech Insights' configuration has it, where it comes from there."""
    overrides = fields.Boolean(truthy={True}, falsy={False})

    @validates_schema
    def answered_somehow(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """A check is answered by a rule, by an attestation, or by both."""
        if "rule" not in data and "attest" not in data:
            raise ValidationError("Missing data for required field, unless `attest` takes its place.", "rule")
        for name in ("passes", "fails") if "rule" in data else ():
            if name not in data:
                raise ValidationError("Missing data for required field.", name)
        for name in ("needs", "passes", "fails", "max_age", "if_missing") if "rule" not in data else ():
            if name in data:
                raise ValidationError("Says something of facts, but the check has no rule.", name)
        begins, ends = data.get("enforce_from"), data.get("enforce_until")
        if begins and ends and ends <= begins:
            raise ValidationError("Must be later than enforce_from.", "enforce_until")
        if RESERVED & data.get("thresholds", {}).keys():
            raise ValidationError("`missing` is taken: it stands for what `subsetOf` found lacking.", "thresholds")


class OverrideSchema(Schema):
    """Changes a check of an earlier file without copying it: whatever is named here takes the place of what it says."""

    check = fields.String(required=True, validate=FILLED)
    reason = fields.String(load_default="")
    change = fields.Dict(fields.String(), fields.Raw(allow_none=True), required=True, validate=FILLED)


class DisabledSchema(Schema):
    """Takes a check of an earlier file out."""

    check = fields.String(required=True, validate=FILLED)
    reason = fields.String(required=True, validate=FILLED)


class GroupSchema(Schema):
    """A part of an axis."""

    id = fields.String(required=True, validate=NAME)
    axis = fields.Enum(Axis, by_value=True, required=True)
    title = fields.String(required=True, validate=FILLED)


class FactSchema(Schema):
    """Declares a fact that the organisation's own checks ask for and something will supply."""

    key = fields.String(required=True, validate=FACT_KEY)
    type = fields.Enum(FactType, by_value=True, required=True)
    unit = fields.String(load_default="")
    description = fields.String(required=True, validate=FILLED)
    max_age = fields.String(load_default="72h")


class TechInsightsSchema(Schema):
    """Checks of Tech Insights' json-rules fact checker, as its configuration has them."""

    checks = fields.Raw(required=True)
    facts = fields.Dict(fields.String(), fields.String(), load_default=dict)
    place = fields.Dict(fields.String(), fields.Raw(), load_default=dict)


def faults_of(error: ValidationError, schema: Schema) -> list[Fault]:
    """Return what is wrong with a document of a shape, each at its path; an unknown field with what may be meant."""
    return flatten_messages(_with_names(error.messages, schema))


def _with_names(messages: Any, schema: Schema) -> Any:
    if not isinstance(messages, dict):
        return messages
    known = {field.data_key or name: field for name, field in schema.load_fields.items()}
    found: dict[Any, Any] = {}
    for name, told in messages.items():
        field = known.get(name)
        if told == [UNKNOWN]:
            meant = get_close_matches(str(name), known, 1)
            listed = f"there are {', '.join(sorted(known))}" if len(known) <= FEW else "docs/checks.md has them all"
            rest = f"did you mean {meant[0]}?" if meant else f"{listed}."
            told = [f"Unknown field; {rest}"]
        elif isinstance(field, fields.Nested):
            told = _with_names(told, field.schema)
        found[name] = told
    return found


class FileSchema(Schema):
    """A catalogue file with more than checks."""

    defaults = fields.Dict(fields.String(), fields.Raw(), load_default=dict)
    facts = fields.List(fields.Dict(), load_default=list)
    groups = fields.List(fields.Dict(), load_default=list)
    checks = fields.List(fields.Raw(), load_default=list)
    overrides = fields.List(fields.Raw(), load_default=list)
    disabled = fields.List(fields.Raw(), load_default=list)
    tech_insights = fields.List(fields.Raw(), load_default=list)
    levels_by_points = fields.Dict(fields.String(), fields.Raw(), validate=FILLED)
