"""Takes what other systems post to a source: the same facts and events, checked alike, stored and judged alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

import catalog.services
from engagements.event_kinds import CORRECTION, OBSERVED_KINDS
from engagements.history_reading import own_of
from plugins import registry, sources
from plugins.contract import Batch, Event, Fact, FactSpec
from plugins.pulling import Progress
from plugins.views import blueprint
from portal_backend import pipeline
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import transaction
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.faults import first_faults
from portal_backend.core.http import Moment
from portal_backend.core.principal import Role
from scorecards import facts, judging
from scorecards.evidence.values import normalise

__all__ = ["blueprint", "take"]

MAX_FACTS, MAX_EVENTS = 5_000, 1_000
MAX_TEXT = 1_000
MAX_CLOCK_SKEW = facts.MAX_CLOCK_SKEW


class PushedFactSchema(Schema):
    """One observation."""

    ref = fields.String(required=True, metadata={"description": "`component:default/checkout`"})
    key = fields.String(required=True, metadata={"description": "A declared fact: /api/plugins/fact-specs"})
    value = fields.Raw(required=True, metadata={"description": "Of the declared type."})
    observed_at = Moment(metadata={"description": "When it was so; now where it is left out."})


class PushedEventSchema(Schema):
    """One thing that happened."""

    ref = fields.String(required=True)
    id = fields.String(
        required=True,
        validate=validate.Length(1, 200),
        metadata={"description": "The sender's own id: the same id is recorded once."},
    )
    kind = fields.String(
        required=True,
        validate=validate.OneOf(sorted({*OBSERVED_KINDS, CORRECTION})),
        metadata={
            "description": "What a system can see. What people decide, and what the portal works out, it is not."
        },
    )
    occurred_at = Moment(required=True)
    summary = fields.String(required=True, validate=validate.Length(1, MAX_TEXT))
    link = fields.String(load_default="", validate=validate.Regexp(r"^(|https?://.{1,2000})$"))
    details = fields.Dict(keys=fields.String(), load_default=dict)


class PushSchema(Schema):
    """What is posted: all of it is taken, or nothing."""

    facts = fields.List(fields.Nested(PushedFactSchema), load_default=list, validate=validate.Length(max=MAX_FACTS))
    events = fields.List(fields.Nested(PushedEventSchema), load_default=list, validate=validate.Length(max=MAX_EVENTS))


class PushReportSchema(Schema):
    """What came of it."""

    facts = fields.Integer()
    services_changed = fields.Integer(metadata={"description": "Services of which a value changed."})
    events_recorded = fields.Integer(metadata={"description": "Events that the history did not have yet."})
    levels_changed = fields.Integer()


@dataclass(frozen=True)
class PushReport:
    """What came of a post."""

    facts: int
    services_changed: int
    events_recorded: int
    levels_changed: int


@blueprint.post("/sources/<string:name>/push")
@blueprint.arguments(PushSchema)
@blueprint.response(200, PushReportSchema)
@blueprint.alt_response(403, description="The caller holds no role that may report observations.")
@blueprint.alt_response(409, description="The source is one that is pulled.")
def push(body: dict[str, Any], name: str) -> PushReport:
    """Post facts and events to a source whose plugin is `push`. Safe to repeat."""
    principal = current_principal()
    if not principal.has_role(Role.PLUGIN):
        raise NotAllowed("Only a token with the role plugin may report observations; issue one with `--role plugin`.")
    return take(name, body["facts"], body["events"], clock.now())


def take(
    name: str, posted: Sequence[Mapping[str, Any]], happened: Sequence[Mapping[str, Any]], now: datetime
) -> PushReport:
    """Check, store, judge and record in one transaction.

    Raises NotFound for an unknown source, Conflict for one that is pulled, InvalidInput that names the first faults and
    counts the rest.
    """
    config = pipeline.source_config(name)
    connector = registry.connectors().get(config.plugin)
    if connector is None or connector.is_pulled:
        raise Conflict(f"The source {name} is pulled by the plugin {config.plugin}; post to one with `plugin: push`.")
    with transaction() as session:
        batch = _checked(session, name, posted, happened, now)
        progress = Progress()
        progress.add(batch, requests=0)
        sources.note_push(session, name, progress, now)
        kept = pipeline.keep_and_judge(session, config, batch, _specs(), now)
    return PushReport(len(batch.facts), len(kept.stored.changed), kept.recorded, len(kept.levels))


def _specs() -> Mapping[str, FactSpec]:
    """Every fact that may be posted: also those that only the organisation's checks declare."""
    return judging.current().specs


def _checked(
    session: Session,
    name: str,
    posted: Sequence[Mapping[str, Any]],
    happened: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Batch:
    """Return what was posted as a connector would yield it; raises InvalidInput."""
    asked = {entry["ref"].lower() for entry in (*posted, *happened)}
    types = judging.current().service_types
    known = {service.ref for service in catalog.services.services(session, types, sorted(asked))} if asked else set()
    specs = _specs()
    faults = [
        *(fault for number, entry in enumerate(posted) for fault in _fact_faults(number, entry, known, specs, now)),
        *(fault for number, entry in enumerate(happened) for fault in _event_faults(number, entry, known, now)),
        *_correction_faults(session, name, happened),
    ]
    if faults:
        message = "Nothing was taken; mend what is wrong and post all of it again."
        raise InvalidInput(message, first_faults(faults))
    return Batch(
        facts=[
            Fact(entry["ref"].lower(), entry["key"], entry["value"], entry.get("observed_at") or now)
            for entry in posted
        ],
        events=[
            Event(
                entry["ref"].lower(),
                entry["id"],
                entry["kind"],
                entry["occurred_at"],
                entry["summary"],
                entry["link"],
                entry["details"],
            )
            for entry in happened
        ],
    )


def _fact_faults(
    number: int, entry: Mapping[str, Any], known: set[str], specs: Mapping[str, FactSpec], now: datetime
) -> Iterator[Fault]:
    path = f"facts[{number}]"
    yield from _common_faults(path, entry["ref"], entry.get("observed_at"), "observed_at", known, now)
    spec = specs.get(entry["key"])
    if spec is None:
        where = "`options.facts` of the source, or `facts` of your checks"
        message = f"{entry['key']!r} is no declared fact; declare it under {where}"
        yield Fault(f"{path}.key", message)
        return
    try:
        normalise(spec.type, entry["value"])
    except ValueError as error:
        yield Fault(f"{path}.value", f"{error} (declared as {spec.type})")


def _event_faults(number: int, entry: Mapping[str, Any], known: set[str], now: datetime) -> Iterator[Fault]:
    yield from _common_faults(f"events[{number}]", entry["ref"], entry["occurred_at"], "occurred_at", known, now)


def _correction_faults(session: Session, name: str, happened: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """What others reported, or people decided, is not a system's to correct."""
    corrected = {
        number: (entry["ref"].lower(), entry["details"]["corrects"])
        for number, entry in enumerate(happened)
        if entry["kind"] == CORRECTION and isinstance(entry["details"].get("corrects"), int)
    }
    own = own_of(session, name, corrected.values())
    for number, (ref, sequence) in corrected.items():
        if (ref, sequence) not in own:
            message = f"event {sequence} of {ref} is none that {name} reported; a source corrects its own events only"
            yield Fault(f"events[{number}].details.corrects", message)


def _common_faults(
    path: str, ref: str, at: datetime | None, field: str, known: set[str], now: datetime
) -> Iterator[Fault]:
    if ref.lower() not in known:
        yield Fault(f"{path}.ref", f"the catalog has no service {ref}; register it first")
    if at is not None and at > now + MAX_CLOCK_SKEW:
        minutes = MAX_CLOCK_SKEW / timedelta(minutes=1)
        yield Fault(f"{path}.{field}", f"lies more than {minutes:g} minutes in the future; set the sender's clock")
