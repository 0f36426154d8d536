"""JSON shapes of attestations and waivers."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from portal_backend.core.http import Moment, PageQuery
from scorecards.exceptions.listing import ATTESTATION_STATES, WAIVER_STATES
from scorecards.exceptions.text_fields import PlainText, WebLink, in_range, sentence, word


def _text(description: str) -> fields.String:
    return fields.String(allow_none=True, metadata={"description": description})


def _moment(description: str, **given: Any) -> Moment:
    return Moment(metadata={"description": description}, **given)


def _filter_words(description: str) -> fields.List[Any]:
    text = PlainText(validate=validate.Length(1, 200))
    return fields.List(text, load_default=(), metadata={"description": description})


class _Body(Schema):
    class Meta:
        unknown = RAISE


class AnswerSchema(_Body):
    """What somebody attests."""

    id = fields.UUID(load_default=None, metadata={"description": "Yours, so that a repeated request is known as such."})
    check = word("The check that it answers.", required=True)
    holds = fields.Boolean(
        required=True,
        truthy={True},
        falsy={False},
        metadata={"description": "Whether what the check asks for is so. False is an honest answer too."},
    )
    statement = sentence("What was seen, where and when.", required=True)
    evidence_url = WebLink(
        load_default=None,
        metadata={"description": "Where the evidence lies; required where the check holds."},
    )
    expires_at = _moment("By default as late as the check allows.", load_default=None, validate=in_range)


class ExceptionReasonSchema(_Body):
    """Why."""

    reason = sentence("Why; it stands in the service's history.", required=True)


class AttestationSchema(Schema):
    """What somebody vouches for."""

    id = fields.String()
    ref = fields.String(attribute="entity_ref", metadata={"description": "The service."})
    check = fields.String(attribute="check_id")
    check_version = fields.Integer(metadata={"description": "The version of the check that was answered."})
    holds = fields.Boolean()
    statement = fields.String()
    evidence_url = fields.String(allow_none=True)
    attested_by = fields.String()
    attested_at = Moment()
    expires_at = Moment()
    state = _text(f"One of {', '.join(ATTESTATION_STATES)}; only `in_force` counts.")
    ended_at = Moment(allow_none=True)
    ended_by = fields.String(allow_none=True)
    end_reason = fields.String(allow_none=True)


class AttestationPageSchema(Schema):
    """A page of attestations."""

    items = fields.List(fields.Nested(AttestationSchema))
    next_cursor = fields.String(allow_none=True)


class AttestationQuestionSchema(Schema):
    """A check that people may answer, with the last answer to start from."""

    check = fields.String()
    title = fields.String()
    question = fields.String()
    confirms = _text("What whoever attests confirms.")
    attested_for_days = fields.Integer()
    open = fields.Boolean(metadata={"description": "An attestation is taken for this service."})
    obstacle = _text("Why not, if not: a source answers it, or it does not apply.")
    answered = fields.Boolean(
        metadata={"description": "The last answer counts: it is in force, and answers the check as it stands now."}
    )
    last = fields.Nested(AttestationSchema, allow_none=True, metadata={"description": "Whatever became of it."})


class AttestationQuestionListSchema(Schema):
    """What people may answer for a service."""

    items = fields.List(fields.Nested(AttestationQuestionSchema))


class WaiverRequestSchema(_Body):
    """What somebody asks to be exempt from."""

    id = fields.UUID(load_default=None, metadata={"description": "Yours, so that a repeated request is known as such."})
    check = word("The check to do without.", required=True)
    reason = sentence("Why it cannot be met by then.", required=True)
    compensating_control = sentence("What limits the risk meanwhile.", required=True)
    until = _moment("When it ends: 180 days ahead at most.", required=True, validate=in_range)
    renews = fields.UUID(load_default=None, metadata={"description": "The waiver that this one continues."})


class ApprovalSchema(_Body):
    """On what terms a waiver is granted."""

    reason = sentence("Why it may be.", load_default=None)
    until = _moment("An earlier end than was asked for.", load_default=None, validate=in_range)


class WaiverSchema(Schema):
    """An exemption from a check."""

    id = fields.String()
    ref = fields.String(attribute="entity_ref", metadata={"description": "The service."})
    check = fields.String(attribute="check_id")
    reason = fields.String()
    compensating_control = fields.String()
    until = Moment()
    renews = fields.String(allow_none=True)
    state = _text(f"One of {', '.join(WAIVER_STATES)}; only `approved` counts.")
    requested_by = fields.String()
    requested_at = Moment()
    decided_by = fields.String(allow_none=True)
    decided_at = Moment(allow_none=True)
    decision_reason = fields.String(allow_none=True)
    ended_by = fields.String(allow_none=True)
    ended_at = Moment(allow_none=True)
    end_reason = fields.String(allow_none=True)


class WaiverPageSchema(Schema):
    """A page of waivers."""

    items = fields.List(fields.Nested(WaiverSchema))
    next_cursor = fields.String(allow_none=True)


class _FleetQuery(PageQuery):
    class Meta:
        unknown = RAISE

    check = _filter_words("Of these checks; may be repeated.")
    owner = word("Of services that this entity owns, `group:default/bards`.", load_default=None)
    by = word("Attested, or asked for, by this person.", load_default=None)
    expiring_before = _moment("Those that count now and end before this time.", load_default=None, validate=in_range)


def _states(known: tuple[str, ...]) -> fields.List[Any]:
    message = f"must be one of {', '.join(known)}"
    return fields.List(
        fields.String(validate=validate.OneOf(known, error=message)),
        load_default=(),
        metadata={"description": "In one of these states; may be repeated."},
    )


class AttestationQuery(_FleetQuery):
    """Which attestations."""

    state = _states(ATTESTATION_STATES)


class WaiverQuery(_FleetQuery):
    """Which waivers."""

    state = _states(WAIVER_STATES)


class OfServiceQuery(PageQuery):
    """Which page of those of one service."""

    class Meta:
        unknown = RAISE

    check = _filter_words("Of these checks; may be repeated.")
