"""HTTP: what is due, and which services are candidates for early engagement."""

from typing import Any

from flask import Response
from marshmallow import RAISE, Schema, fields

from engagements.blueprints import engagements_blueprint
from engagements.in_force import lifecycle_settings
from engagements.lifecycle.signals import candidates, due
from engagements.lifecycle.signals.due import SignalKind
from engagements.lifecycle.states import Criterion
from engagements.lifecycle.terms.schemas import closed
from engagements.triage_schemas import said
from portal_backend.core import clock
from portal_backend.core.clock import format_time
from portal_backend.core.db import reading
from portal_backend.core.http import Moment, PageQuery, plain_json
from scorecards.judging import current as judging


class SignalQuery(PageQuery):
    """Which signals to list."""

    class Meta:
        unknown = RAISE

    kind = fields.List(closed(SignalKind, "What a signal is about."), load_default=list)
    overdue = fields.Boolean(load_default=None, metadata=said("Only those past their day, or only the others."))


class SignalSchema(Schema):
    """Something that asks for people; it moves nothing by itself."""

    kind = closed(SignalKind, "What it is about.")
    entity_ref = fields.String()
    engagement = fields.String(allow_none=True)
    since = Moment(allow_none=True)
    due = Moment(allow_none=True, metadata=said("When it has to be settled; null where nobody knows since when."))
    overdue = fields.Boolean()
    sentence = fields.String()
    remedy = fields.String()


class SignalPageSchema(Schema):
    """A page of signals, by service."""

    items = fields.List(fields.Nested(SignalSchema))
    next_cursor = fields.String(allow_none=True)


class CandidateQuery(PageQuery):
    """A page of candidates."""

    class Meta:
        unknown = RAISE


class EarlyCandidateSchema(Schema):
    """A service in design or development that SRE might engage with early."""

    entity_ref = fields.String()
    criticality = fields.String(allow_none=True)
    lifecycle = fields.String(allow_none=True)
    owner = fields.String(allow_none=True)
    criteria = fields.List(closed(Criterion, "What speaks for it."))
    sentences = fields.List(fields.String())


class EarlyCandidatePageSchema(Schema):
    """A page of candidates, by reference."""

    items = fields.List(fields.Nested(EarlyCandidateSchema))
    next_cursor = fields.String(allow_none=True)


@engagements_blueprint.get("/signals")
@engagements_blueprint.arguments(SignalQuery, location="query")
@engagements_blueprint.response(200, SignalPageSchema)
def list_signals(query: dict[str, Any]) -> Response:
    """List what is due or overdue: agreements, pauses, conformance, reviews, back-ups, pagers, hand-backs, alerts."""
    with reading() as session:
        page = due.list_signals(
            session,
            judging(),
            lifecycle_settings(),
            clock.now(),
            query["kind"],
            query["overdue"],
            query["cursor"],
            query["limit"],
        )
    items = [
        {
            "kind": each.kind.value,
            "entity_ref": each.entity_ref,
            "engagement": each.engagement,
            "since": each.since and format_time(each.since),
            "due": each.due and format_time(each.due),
            "overdue": each.overdue,
            "sentence": each.sentence,
            "remedy": each.remedy,
        }
        for each in page.items
    ]
    return plain_json({"items": items, "next_cursor": page.next_cursor})


@engagements_blueprint.get("/early-candidates")
@engagements_blueprint.arguments(CandidateQuery, location="query")
@engagements_blueprint.response(200, EarlyCandidatePageSchema)
def list_candidates(query: dict[str, Any]) -> Any:
    """List services that are being built and match a criterion of early engagement, with what speaks for each."""
    with reading() as session:
        return candidates.list_candidates(session, judging(), lifecycle_settings(), query["cursor"], query["limit"])
