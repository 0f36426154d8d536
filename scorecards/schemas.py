"""JSON shapes of scorecards and checks."""

from typing import Any

from marshmallow import RAISE, Schema, fields

from portal_backend.core.http import Moment

TIERS = ("documentation", "consultation", "platform", "full_sre")
"""Support tiers."""
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
    waived = fields.Integer(metadata={"description": "Counted on neither side of percent and coverage."})
    inherited = fields.Integer(metadata={"description": "Passed by a framework module; counts as a pass."})


class StandingSchema(Schema):
    """Level, percent and coverage."""

    level = _text(f"{LEVEL}; null while no check applies.", allow_none=True)
    percent = _percent("Weight of passing checks over weight of applicable ones; an unknown is no pass.")
    coverage = _percent("Weight of checks with a verdict other than unknown over weight of applicable ones.")
    counts = fields.Nested(CountsSchema)


class GroupStandingSchema(StandingSchema):
    """Where the service stands on a part of an axis."""

    group = _text("Such as `availability`, `latency` and `efficiency` within performance.")
    title = fields.String()


class AxisStandingSchema(StandingSchema):
    """Where the service stands on one of the six axes."""

    axis = _text("`architecture`, `observability`, `emergency`, `capacity`, `change` or `performance`.")
    title = fields.String()
    groups = fields.List(fields.Nested(GroupStandingSchema), metadata={"description": "Its parts, where it has any."})


class BarredSchema(Schema):
    """The next level, and what keeps the service from it then."""

    level = _text("The next level.")
    count = fields.Integer(metadata={"description": "How many more checks bar it, or a level below it."})
    checks = fields.List(
        fields.String(), metadata={"description": "Those, the ones of the lowest level first; at most 20."}
    )
    waived = fields.List(
        fields.String(), metadata={"description": "Waived blockers that keep the service below it; at most 20."}
    )
    asks_for_percent = fields.Float(
        allow_none=True,
        metadata={"description": "Percent of the points that it asks for, where the service would have less."},
    )


class ReachSchema(Schema):
    """What is reached, all else equal. Levels that an outage holds stay as they are."""

    level = _text(f"{LEVEL}.", allow_none=True)
    percent = _percent("Over all axes.")
    sentence = _text("Whether it lifts the service, and what else bars the next level.")
    barred = fields.Nested(
        BarredSchema, allow_none=True, metadata={"description": "Null when no level is above the one reached."}
    )


class AlsoHelpsSchema(Schema):
    """Checks that cannot be judged for the same cause."""

    count = fields.Integer()
    checks = fields.List(fields.String(), metadata={"description": "At most 20."})


class StepSchema(Schema):
    """Something to do next."""

    checks = fields.List(fields.String(), metadata={"description": "The checks that it helps."})
    title = fields.String()
    sentence = _text("What is wrong, what to do first, and what it gains.")
    who = _text("`service_team` or `portal_operators`: who can do it.")
    actions = fields.List(fields.String(), metadata={"description": "What to do, step by step."})
    effort = _text("`hours`, `days` or `weeks`: what it usually takes; an estimate.")
    overall_points = fields.Float(metadata={"description": "Percent points that it gains over all axes."})
    overall_level = _text(
        "The level that the service would have after this step alone; null for a step that helps several checks.",
        allow_none=True,
    )
    also_helps = fields.Nested(
        AlsoHelpsSchema,
        metadata={"description": "Further checks with the same cause; it alone need not make them pass."},
    )
    reach = fields.Nested(ReachSchema, allow_none=True, metadata={"description": "What this step alone reaches."})


class FrozenSchema(Schema):
    """Levels that a source's outage holds for a grace period."""

    until = _time("When the first of them falls, unless the source is back.")
    since = _time("When the source last had a good run.")
    sources = fields.List(fields.String(), metadata={"description": "The sources that are dark."})
    held = fields.List(fields.String(), metadata={"description": "`overall`, or axes, whose level is held."})
    checks = fields.List(
        fields.String(), metadata={"description": "Checks that count for levels as before the outage."}
    )
    level_without_hold = _text("What the overall level will be if nothing else changes.", allow_none=True)
    sentence = fields.String()


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
        "`no_source`, `never_ran`, `source_failing`, `interrupted`, `overdue`, `not_observed`, `stale`, `wrong_type`, "
        "`out_of_range`, `too_few` or `not_attested`."
    )
    fact = fields.String()
    sentence = fields.String()
    action = _text("What mends it; empty when the remedy of the check says it.")
    party = _text("`service_team` or `portal_operators`: who can mend it.")
    source = _text("The source concerned, if one is.", allow_none=True)


class GainSchema(Schema):
    """What a pass would gain, all else equal."""

    sentence = _text("In words.")
    axis_points = fields.Float(metadata={"description": "Percent points on its axis."})
    overall_points = fields.Float(metadata={"description": "Percent points over all axes."})
    bars_level = _text("The level that the check bars; null when it bars none.", allow_none=True)
    others_on_axis = fields.Integer(metadata={"description": "Other checks of the axis that bar that level as well."})
    others_overall = fields.Integer(metadata={"description": "Other checks of all axes that bar that level as well."})
    axis_level = _text("The level that the axis would have.", allow_none=True)
    overall_level = _text("The level that the service would have.", allow_none=True)


class OverriddenFieldSchema(Schema):
    """A field of a check that a file changed."""

    field = _text("`level`, or `thresholds.most` for one threshold.")
    before = fields.Raw(allow_none=True, metadata={"description": "What stood there; null: nothing."})
    after = fields.Raw(allow_none=True, metadata={"description": "What stands there now."})


class OverriddenSchema(Schema):
    """What a file of the organisation changed about a check."""

    file = fields.String()
    reason = _text("Why, in the organisation's words; null where the file says nothing.", allow_none=True)
    changes = fields.List(fields.Nested(OverriddenFieldSchema))


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
    guide = _text("Where to read on, as the check names it.")
    guide_url = _text(
        "Where to read on: an address that can be followed; a path of this server unless `server.public_url` is set."
    )
    overridden = fields.List(
        fields.Nested(OverriddenSchema),
        metadata={"description": "By which files the check was changed, and what; empty for most."},
    )


class ResultWaiverSchema(Schema):
    """The waiver that a verdict rests on."""

    id = fields.String()
    reason = fields.String()
    compensating_control = fields.String()
    requested_by = fields.String()
    approved_by = fields.String()
    since = _time("When it was approved.")
    until = _time("When it ends.")


class ResultAttestationSchema(Schema):
    """The attestation that a verdict rests on."""

    id = fields.String()
    holds = fields.Boolean(metadata={"description": "What the check asks for is so, or is not."})
    statement = fields.String()
    evidence_url = fields.String(allow_none=True)
    attested_by = fields.String()
    attested_at = _time("When it was given.")
    expires_at = _time("When it ends.")


class ResultInheritanceSchema(Schema):
    """The framework module that a verdict rests on."""

    module = fields.String()
    module_version = fields.String()
    supported_until = _time("When the module's version leaves support; null while no end is announced.")


class ResultSchema(AboutCheckSchema):
    """A verdict of one check on the service."""

    check = _text("The check's id.")
    version = fields.Integer(metadata={"description": "The version of the check that was judged by."})
    status = _text("`pass`, `fail`, `unknown`, `not_applicable`, `waived` or `inherited`.")
    evidence = _text(
        "`measured`, `inherited` or `attested`: what it rests on, the strongest first; null where there is none.",
        allow_none=True,
    )
    shadow = fields.Boolean(metadata={"description": "The check is not enforced: it counts for nothing."})
    enforced_from = _time("From when a check in shadow counts; null where it counts already, or no day lies ahead.")
    enforced_until = _time("From when it counts no more; null: it always will.")
    sentence = _text("The verdict in a sentence, with the values that it rests on.")
    facts = fields.List(fields.Nested(FactUsedSchema))
    causes = fields.List(fields.Nested(CauseSchema), metadata={"description": "Why evidence is lacking, if it is."})
    remedy = fields.List(fields.String(), metadata={"description": "What to do, step by step; empty for a pass."})
    gain = fields.Nested(GainSchema, allow_none=True)
    waiver = fields.Nested(ResultWaiverSchema, allow_none=True)
    attestation = fields.Nested(ResultAttestationSchema, allow_none=True)
    inheritance = fields.Nested(ResultInheritanceSchema, allow_none=True)


class SourceStateSchema(Schema):
    """How a source of the evidence is doing."""

    name = fields.String()
    plugin = fields.String()
    simulated = fields.Boolean(metadata={"description": "It is no real system."})
    state = _text("`ok`, `failing`, `running`, `interrupted`, `overdue` or `never_ran`.")
    last_success_at = _time("When a run last went well.")
    failure = _text("What the last failed run said.", allow_none=True)


class ScorecardSchema(StandingSchema):
    """How ready a service is, why exactly, and what to do first."""

    ref = fields.String()
    name = fields.String()
    title = fields.String()
    criticality = _text("`T0` to `T3`; null while the catalog states none.", allow_none=True)
    frozen = fields.Nested(
        FrozenSchema, allow_none=True, metadata={"description": "Null unless an outage holds a level."}
    )
    level_meaning = fields.String(allow_none=True)
    required_level = _text("What the criticality asks for; null without one.", allow_none=True)
    distance = fields.Integer(allow_none=True, metadata={"description": "Levels below the required one."})
    summary = fields.String()
    axes = fields.List(fields.Nested(AxisStandingSchema))
    next_steps = fields.List(
        fields.Nested(StepSchema),
        metadata={"description": "The three cheapest things to do of those that bar the next level."},
    )
    reach = fields.Nested(
        ReachSchema,
        allow_none=True,
        metadata={"description": "What all next steps together reach; null when nothing is left to do."},
    )
    results = fields.List(fields.Nested(ResultSchema))
    shadow_results = fields.List(
        fields.Nested(ResultSchema),
        metadata={"description": "Checks that are not enforced yet; they count for nothing."},
    )
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
    rule = fields.Dict(
        allow_none=True,
        metadata={"description": "The tree of conditions, in json-rules-engine's spelling; null: only attested."},
    )
    attested_for_seconds = fields.Integer(
        allow_none=True,
        metadata={
            "description": "For how long an attestation answers where no source supplies the facts; null: never."
        },
    )
    confirms = _text("What whoever attests confirms.")
    group = _text("The part of its axis that it belongs to.", allow_none=True)
    thresholds = fields.Dict(metadata={"description": "The named values of the rule."})
    introduced_at = fields.String(allow_none=True, metadata={"format": "date"})
    enforce_from = fields.String(
        allow_none=True, metadata={"format": "date", "description": "Until this day it is in shadow."}
    )
    enforce_until = fields.String(
        allow_none=True, metadata={"format": "date", "description": "From this day on it is in shadow again."}
    )
    applies_to = fields.Dict(allow_none=True, metadata={"description": "Conditions on the service itself."})
    needs = fields.Dict(allow_none=True, metadata={"description": "What must hold before the rule means anything."})
    max_age_seconds = fields.Dict(metadata={"description": "For how long facts are trusted, where it is narrowed."})
    passes = _text("The sentence of a pass.")
    fails = fields.Raw(metadata={"description": "The sentence of a fail, or one for each fact."})
    if_missing = fields.Dict(metadata={"description": "What supplies a fact that a source does not report."})


class CheckGroupSchema(Schema):
    """A part of an axis, such as latency within performance."""

    id = fields.String()
    axis = fields.String()
    title = fields.String()


class CheckListSchema(Schema):
    """The catalogue of checks."""

    version = _text("Changes whenever any check does.")
    highest_level = _text("The highest level that the catalogue has checks for.")
    levels_by_points = fields.Dict(
        fields.String(),
        fields.Float(),
        allow_none=True,
        metadata={
            "description": "Percent of the points that each level asks for, beside blockers that pass; "
            "null where the checks alone make the levels."
        },
    )
    groups = fields.List(fields.Nested(CheckGroupSchema))
    disabled = fields.Dict(
        fields.String(),
        fields.String(),
        metadata={"description": "Checks that the organisation has taken out, each with its reason."},
    )
    items = fields.List(fields.Nested(CheckSchema))


class NoQuery(Schema):
    """No parameters: whatever is given is refused."""

    class Meta:
        unknown = RAISE
