"""JSON shapes of scorecards and checks."""

from typing import Any

from marshmallow import RAISE, Schema, fields

from portal_backend.core.http import Moment, PageQuery

LEVEL = "`L0` (below registered) to `L4` (exemplary)"


def _text(description: str, **given: Any) -> fields.String:
    return fields.String(metadata={"description": description}, **given)


def _time(description: str) -> fields.String:
    """A time that is stored as RFC 3339 text already."""
    return fields.String(allow_none=True, metadata={"description": description, "format": "date-time"})


def _percent(description: str) -> fields.Float:
    return fields.Float(allow_none=True, metadata={"description": f"0 to 100. {description}"})


class CountsSchema(Schema):
    """How many checks have which verdict."""

    passed = fields.Integer(data_key="pass", attribute="pass")
    fail = fields.Integer()
    not_known = fields.Integer(data_key="unknown", attribute="unknown")
    not_applicable = fields.Integer()


class StandingSchema(Schema):
    """Level, percent and coverage."""

    level = _text(f"{LEVEL}; null while no check applies.", allow_none=True)
    percent = _percent("Weight of passing checks over weight of applicable ones; an unknown is no pass.")
    coverage = _percent("Weight of checks with a verdict other than unknown over weight of applicable ones.")
    counts = fields.Nested(CountsSchema)


class AxisStandingSchema(StandingSchema):
    """Where the service stands on one of the six axes."""

    axis = _text("`architecture`, `observability`, `emergency`, `capacity`, `change` or `performance`.")
    title = fields.String()


class StepSchema(Schema):
    """Something to do next."""

    checks = fields.List(fields.String(), metadata={"description": "The checks that it helps."})
    title = fields.String()
    sentence = _text("What is wrong, what to do first, and what it gains.")
    who = _text("`service_team` or `portal_operators`: who can do it.")
    actions = fields.List(fields.String(), metadata={"description": "What to do, step by step."})


class FactUsedSchema(Schema):
    """A fact that a verdict rests on, as it was seen."""

    key = fields.String()
    state = _text("`fresh`, `stale` (older than it may be), `missing` or `wrong_type`; only fresh ones are judged by.")
    value = fields.Raw(allow_none=True, metadata={"description": "Null when there is none."})
    unit = _text("`ratio` (0 to 1), `seconds`, `bytes`, `requests_per_second`, `days`, `count`, or empty.")
    display = _text("The value as a person reads it.")
    source = _text("The configured source that observed it; of a derived fact, all that took part.", allow_none=True)
    simulated = fields.Boolean(metadata={"description": "The source is no real system."})
    observed_at = _time("When the source observed it.")
    valid_until = _time("When the observation grows, or grew, stale.")


class CauseSchema(Schema):
    """Why a fact is unknown."""

    kind = _text(
        "`no_source`, `never_ran`, `source_failing`, `interrupted`, `not_observed`, `stale`, `wrong_type`, "
        "`out_of_range` or `too_few`."
    )
    fact = fields.String()
    sentence = fields.String()
    action = _text("What mends it; empty when the remedy of the check says it.")
    party = _text("`service_team` or `portal_operators`: who can mend it.")
    source = _text("The source concerned, if one is.", allow_none=True)


class GainSchema(Schema):
    """What a pass would gain, all else equal."""

    axis_points = fields.Float(metadata={"description": "Percent points on its axis."})
    overall_points = fields.Float(metadata={"description": "Percent points over all axes."})
    bars_level = _text("The level that the check bars; null when it bars none.", allow_none=True)
    others_on_axis = fields.Integer(metadata={"description": "Other checks of the axis that bar that level as well."})
    others_overall = fields.Integer(metadata={"description": "Other checks of all axes that bar that level as well."})
    axis_level = _text("The level that the axis would have.", allow_none=True)
    overall_level = _text("The level that the service would have.", allow_none=True)


class AboutCheckSchema(Schema):
    """What a check asks, and why."""

    title = fields.String()
    question = fields.String()
    axis = fields.String()
    level = _text("The level for which the check has to pass.")
    weight = fields.Integer(metadata={"description": "1 to 5: its share in the percentages."})
    criticality = _text("`blocker` and `major` bar their level, `minor` bars L4 only.")
    effort = _text("`hours`, `days` or `weeks`: what the fix usually takes; an estimate.")
    owner = _text("Who keeps the check.")
    sources = fields.List(fields.String(), metadata={"description": "Where the question comes from."})
    why = fields.String()
    guide = _text("Where to read on.")


class ResultSchema(AboutCheckSchema):
    """A verdict of one check on the service."""

    check = _text("The check's id.")
    version = fields.Integer(metadata={"description": "The version of the check that was judged by."})
    status = _text("`pass`, `fail`, `unknown` or `not_applicable`.")
    sentence = _text("The verdict in a sentence, with the values that it rests on.")
    facts = fields.List(fields.Nested(FactUsedSchema))
    causes = fields.List(fields.Nested(CauseSchema), metadata={"description": "Why evidence is lacking, if it is."})
    remedy = fields.List(fields.String(), metadata={"description": "What to do, step by step; empty for a pass."})
    gain = fields.Nested(GainSchema, allow_none=True)


class SourceStateSchema(Schema):
    """How a source of the evidence is doing."""

    name = fields.String()
    plugin = fields.String()
    simulated = fields.Boolean(metadata={"description": "It is no real system."})
    state = _text("`ok`, `failing`, `running`, `interrupted` or `never_ran`.")
    last_success_at = _time("When a run last went well.")
    failure = _text("What the last failed run said.", allow_none=True)


class ScorecardSchema(StandingSchema):
    """How ready a service is, why exactly, and what to do first."""

    ref = fields.String()
    name = fields.String()
    title = fields.String()
    criticality = _text("`T0` to `T3`; null while the catalog states none.", allow_none=True)
    level_meaning = fields.String(allow_none=True)
    required_level = _text("What the criticality asks for; null without one.", allow_none=True)
    distance = fields.Integer(allow_none=True, metadata={"description": "Levels below the required one."})
    summary = fields.String()
    axes = fields.List(fields.Nested(AxisStandingSchema))
    next_steps = fields.List(fields.Nested(StepSchema), metadata={"description": "The first three things to do."})
    results = fields.List(fields.Nested(ResultSchema))
    sources = fields.List(fields.Nested(SourceStateSchema))
    simulated_sources = fields.List(
        fields.String(), metadata={"description": "Sources of this evidence that are no real systems."}
    )
    evaluated_at = Moment()
    valid_until = Moment(
        allow_none=True, metadata={"description": "When the passing of time alone may change a verdict."}
    )


class CheckSchema(AboutCheckSchema):
    """A check of the catalogue."""

    id = fields.String()
    version = fields.Integer()
    how_to_fix = fields.List(fields.String())
    facts = fields.List(fields.String(), metadata={"description": "Keys of the facts that the verdict rests on."})
    rule = fields.Dict(metadata={"description": "The tree of conditions, in json-rules-engine's spelling."})
    applies_to = fields.Dict(allow_none=True, metadata={"description": "Conditions on the service itself."})
    needs = fields.Dict(allow_none=True, metadata={"description": "What must hold before the rule means anything."})
    max_age_seconds = fields.Dict(metadata={"description": "For how long facts are trusted, where it is narrowed."})
    passes = _text("The sentence of a pass.")
    fails = fields.Raw(metadata={"description": "The sentence of a fail, or one for each fact."})
    if_missing = fields.Dict(metadata={"description": "What supplies a fact that a source does not report."})


class CheckListSchema(Schema):
    """The catalogue of checks."""

    version = _text("Changes whenever any check does.")
    highest_level = _text("The highest level that the catalogue has checks for.")
    items = fields.List(fields.Nested(CheckSchema))


class ChangeSchema(Schema):
    """A verdict that changed."""

    check = fields.String(attribute="check_id")
    from_status = _text("Null when the check was judged for the first time.", allow_none=True)
    to_status = _text("Null when the catalogue no longer has the check.", allow_none=True)
    cause = _text(
        "`service_changed`, `rule_changed`, `evidence_lost` (nothing is known to be worse), `evidence_gained` or "
        "`first_judged`."
    )
    check_version = fields.Integer()
    sentence = fields.String()
    at = Moment()


class ChangePageSchema(Schema):
    """A page of changes."""

    items = fields.List(fields.Nested(ChangeSchema))
    next_cursor = fields.String(allow_none=True)


class ChangeQuery(PageQuery):
    """Which page of changes."""

    class Meta:
        unknown = RAISE


class NoQuery(Schema):
    """No parameters: whatever is given is refused."""

    class Meta:
        unknown = RAISE
