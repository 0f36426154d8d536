"""JSON shapes of the terms of an engagement: agreement, trainings, takeover, hand-back, framework."""

from enum import StrEnum
from typing import Any

from marshmallow import RAISE, Schema, fields, validate, validates_schema
from marshmallow.exceptions import ValidationError

from engagements.lifecycle.states import Aspect, Holder, LadderStep, Side, TrainingKind
from engagements.lifecycle.terms.oncall import Scope
from engagements.text_fields import PlainText, in_range
from engagements.tiers import UNIFORM_CAPABILITIES
from engagements.triage_schemas import said
from portal_backend.core.http import Moment

MAX_TEXT, MAX_NAME, MAX_LIST = 2000, 200, 200
KINDS = [kind.value for kind in TrainingKind]


def closed(values: type[StrEnum], text: str, **more: Any) -> fields.String:
    """Return a field that holds one of few words."""
    words = [each.value for each in values]
    return fields.String(validate=validate.OneOf(words), metadata=said(text), **more)


def text_field(text: str, load_default: Any = None, **more: Any) -> PlainText:
    """Return a field of free text."""
    if load_default is not None:
        more["load_default"] = load_default
    return PlainText(validate=validate.Length(max=MAX_TEXT), metadata=said(text), **more)


def name_field(text: str, **more: Any) -> PlainText:
    """Return a field that holds a name."""
    if more.get("load_default", 0) is None:
        more["allow_none"] = True
    return PlainText(validate=validate.Length(1, MAX_NAME), metadata=said(text), **more)


def names_field(text: str, **more: Any) -> fields.List[str]:
    """Return a field that holds several names."""
    most = more.pop("most", MAX_LIST)
    return fields.List(
        name_field("A name."), validate=validate.Length(more.pop("fewest", 0), most), metadata=said(text), **more
    )


def holder_fields(text: str) -> fields.Dict:
    """Return a field that says who has each responsibility."""
    return fields.Dict(
        fields.String(validate=validate.OneOf([aspect.value for aspect in Aspect])),
        fields.String(validate=validate.OneOf([holder.value for holder in Holder])),
        metadata=said(text),
    )


class StaffingSchema(Schema):
    """Whom both teams give, and who agreed on it."""

    class Meta:
        unknown = RAISE

    developers = fields.Float(required=True, allow_nan=False, validate=validate.Range(0, 1000))
    sres = fields.Float(required=True, allow_nan=False, validate=validate.Range(0, 1000))
    agreed_by = names_field("Who agreed, of both sides.", required=True, fewest=1, most=20)
    note = text_field("")


class ObjectiveSchema(Schema):
    """An objective (SLO)."""

    class Meta:
        unknown = RAISE

    name = name_field("Such as `availability`.", required=True)
    objective = fields.Float(
        required=True,
        allow_nan=False,
        validate=validate.Range(0, 1, min_inclusive=False),
        metadata=said("The share of good events that is promised, above 0 and up to 1: 0.999."),
    )
    window_days = fields.Integer(load_default=28, validate=validate.Range(1, 366))
    indicator = text_field("How it is measured.", "")


class SignatureSchema(Schema):
    """Who signed, and when."""

    by = fields.String()
    at = fields.String()
    roles = fields.List(fields.String(), metadata=said("What the signer was: an administrator is told as one."))


class AgreementSchema(Schema):
    """What the review is to deliver. A changed agreement has to be signed again by both sides.

    Example: {"slo": [{"name": "availability", "objective": 0.999}], "deliverables": ["review document"],
    "schedule": "analysis in May, improvements until July", "reviewers": ["sam"]}.
    """

    class Meta:
        unknown = RAISE

    slo = fields.List(fields.Nested(ObjectiveSchema), load_default=list, validate=validate.Length(max=20))
    deliverables = fields.List(
        text_field("A deliverable."), required=True, validate=validate.Length(1, 50), metadata=said("What it delivers.")
    )
    schedule = text_field("By when.", required=True)
    reviewers = names_field("One to three reviewers; the first leads.", required=True, fewest=1, most=20)
    training_kinds = fields.List(
        closed(TrainingKind, "A kind of training."),
        load_default=lambda: list(KINDS),
        validate=validate.Length(max=len(KINDS)),
        metadata=said("The trainings that this review takes; all four by default."),
    )
    training_attendance = fields.Float(
        load_default=None,
        allow_none=True,
        allow_nan=False,
        validate=validate.Range(0, 1),
        metadata=said("The share of the rotation that must attend each; that of the template (0.8) by default."),
    )
    training_change_reason = text_field("Why trainings or attendance differ from the template.", "")
    error_budget_policy = text_field(
        "Where the error budget policy stands that both sides sign with this agreement; the fact ebp.approved_by.", ""
    )
    revision = fields.Integer(dump_only=True, metadata=said("How many times it was written."))
    signatures = fields.Dict(
        fields.String(validate=validate.OneOf([side.value for side in Side])),
        fields.Nested(SignatureSchema),
        dump_only=True,
    )


class SignSchema(Schema):
    """A signature. Nobody signs for both sides but an administrator, and the history says so.

    Example: {"side": "dev_lead"}.
    """

    class Meta:
        unknown = RAISE

    side = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([*(side.value for side in Side), "dev", "sre"]),
        metadata=said("For whom: it takes that lead's role. Left out, it is the side that you lead."),
    )


class RotationSchema(Schema):
    """Who is in the rotation that takes the service over."""

    class Meta:
        unknown = RAISE

    members = names_field("Names, as `attendees` of the trainings names them.", required=True, fewest=1)
    source = text_field("Where the roster comes from.", "")


class TrainingSchema(Schema):
    """A training that was held.

    Example: {"kind": "design_overview", "lead": "sam", "attendees": ["ann", "bob"], "held_at":
    "2026-05-04T09:00:00Z", "material_url": "https://wiki/design"}.
    """

    class Meta:
        unknown = RAISE

    id = fields.String(
        validate=validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        metadata=said("Of your own choice, or left out: then all of it tells trainings apart."),
    )
    kind = closed(TrainingKind, "What it was about.", required=True)
    lead = name_field("The SRE who held it.", required=True)
    attendees = names_field("Who attended.", required=True)
    held_at = Moment(required=True, validate=in_range)
    material_url = text_field("Where its material is.", "")
    review_round = fields.Integer(dump_only=True)
    recorded_by = fields.String(dump_only=True)
    recorded_at = fields.String(dump_only=True)


class TransferSchema(Schema):
    """Who has a responsibility from now on: `dev` to `shared` to `sre` and back, one step at a time."""

    class Meta:
        unknown = RAISE

    holder = closed(Holder, "Who has it.", required=True)
    note = text_field("", "")


class BackupSchema(Schema):
    """Until when the developers back SRE up, and how many of them stay in the rotation."""

    class Meta:
        unknown = RAISE

    until = Moment(required=True, validate=in_range, metadata=said("A time to come."))
    developers_in_rotation = fields.Integer(
        required=True, validate=validate.Range(0, 1000), metadata=said("A takeover takes at least one.")
    )


class PagerPhaseSchema(Schema):
    """SRE with the pager: the spin (at least 7 days) that judges its pages, or the shadowing after it.

    Example: {"began_at": "2026-05-04T09:00:00Z", "ended_at": "2026-05-11T09:00:00Z", "pages": 9, "critical": 7,
    "actionable": 8}.
    """

    class Meta:
        unknown = RAISE

    began_at = Moment(required=True, validate=in_range)
    ended_at = Moment(required=True, validate=in_range)
    pages = fields.Integer(required=True, validate=validate.Range(0, 100_000))
    critical = fields.Integer(
        load_default=0, validate=validate.Range(0, 100_000), metadata=said("Those that mattered.")
    )
    actionable = fields.Integer(
        load_default=0, validate=validate.Range(0, 100_000), metadata=said("Those that took a human.")
    )
    note = text_field("", "")


class DutySchema(Schema):
    """What shows that a duty is done. Example: {"evidence_url": "https://oncall/bards"}."""

    class Meta:
        unknown = RAISE

    note = text_field("", "")
    evidence_url = text_field("", "")


class EscalationSchema(Schema):
    """A step of the ladder for a neglected service (SRE workbook, chapter 18)."""

    class Meta:
        unknown = RAISE

    id = fields.String(validate=validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))
    step = closed(LadderStep, "Which step.", required=True)
    note = text_field("Who, until when.", "")
    recorded_by = fields.String(dump_only=True)
    recorded_at = fields.String(dump_only=True)


class PagerSchema(Schema):
    """Who carries the pager of an active service: `dev` for a while, with a reason and a dated review, or `sre`."""

    class Meta:
        unknown = RAISE

    carrier = fields.String(required=True, validate=validate.OneOf(["dev", "sre"]))
    reason = text_field("Why it goes back; needed for `dev`.", "")
    review_on = Moment(
        load_default=None,
        allow_none=True,
        validate=in_range,
        metadata=said("The day of its review; 28 days by default."),
    )


class ModuleSchema(Schema):
    """A module of the framework."""

    class Meta:
        unknown = RAISE

    name = name_field("Its name.", required=True)
    version = PlainText(load_default="", validate=validate.Length(max=MAX_NAME))


class ModulesSchema(Schema):
    """The modules that the service is built on. Example: {"modules": [{"name": "request-log", "version": "2"}]}."""

    class Meta:
        unknown = RAISE

    modules = fields.List(fields.Nested(ModuleSchema), required=True, validate=validate.Length(max=MAX_LIST))

    @validates_schema
    def refuse_twice(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a module that is named twice."""
        names = [module["name"] for module in data["modules"]]
        if len(set(names)) != len(names):
            raise ValidationError("A module is named twice.", "modules")


class ConformanceSchema(Schema):
    """A conformance run. What a source measures counts before it.

    Example: {"passed": true, "version_supported": true, "framework": "globe", "version": "4", "capabilities":
    {"logging": true, "monitoring": true, "configuration": true, "controls": true}}.
    """

    class Meta:
        unknown = RAISE

    passed = fields.Boolean(required=True)
    version_supported = fields.Boolean(required=True, metadata=said("The framework's version is still supported."))
    framework = PlainText(load_default="", validate=validate.Length(max=MAX_NAME))
    version = PlainText(load_default="", validate=validate.Length(max=MAX_NAME))
    revision = PlainText(load_default="", validate=validate.Length(max=MAX_NAME), metadata=said("Of the service."))
    report_url = text_field("", "")
    areas = fields.Dict(
        fields.String(
            validate=validate.OneOf(["code_structure", "style", "tests", "dependencies", "data_privacy", "security"])
        ),
        fields.Boolean(),
        load_default=dict,
        metadata=said("What the run says of each area."),
    )
    capabilities = fields.Dict(
        fields.String(validate=validate.OneOf(UNIFORM_CAPABILITIES)),
        fields.Boolean(),
        load_default=dict,
        metadata=said(
            "Whether the service uses the platform's uniform capabilities; the tier platform takes all four."
        ),
    )
    facts = fields.Dict(dump_only=True)
    reported_by = fields.String(dump_only=True)
    reported_at = fields.String(dump_only=True)
    lost_at = fields.String(dump_only=True, allow_none=True, metadata=said("Since when it fails."))


class SplitSchema(Schema):
    """Whose each alert is: exactly one scope. Example: {"routes": {"HostDown": "platform_infra", "CheckoutSlow":
    "service_function"}}.
    """

    class Meta:
        unknown = RAISE

    routes = fields.Dict(
        PlainText(validate=validate.Length(1, MAX_NAME)),
        closed(Scope, "`platform_infra` is SRE's, `service_function` the developers'."),
        required=True,
        validate=validate.Length(1, 1000),
    )
    entity_ref = fields.String(dump_only=True)
    unrouted = fields.List(fields.String(), dump_only=True, metadata=said("Alerts of 90 days that are nobody's."))
    agreed_by = fields.String(dump_only=True)
    agreed_at = Moment(dump_only=True, allow_none=True)
    version = fields.Integer(dump_only=True)


class RevisionSchema(Schema):
    """The major revision that runs; a new one makes a review due."""

    class Meta:
        unknown = RAISE

    revision = name_field("Such as `2`.", required=True)
    entity_ref = fields.String(dump_only=True)
    set_by = fields.String(dump_only=True)
    set_at = Moment(dump_only=True)
