"""HTTP: a service's history as a table and as a calendar, and the calendar of a team or of everything."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Response
from marshmallow import RAISE, Schema, fields, validate

from catalog.format.refs import BadReference, normal_ref
from engagements import services
from engagements.blueprints import SERVICE, engagements_blueprint, services_blueprint
from engagements.history_export.calendar import DEFAULT_SPAN, KINDS, Wanted, calendar_of
from engagements.history_export.table import rows_of
from engagements.history_reading import HistoryFilter
from engagements.schemas import EventQuery
from engagements.text_fields import PlainText, in_range
from engagements.triage_schemas import said
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.http import Moment
from portal_backend.core.streams import streamed
from scorecards.judging import current as judging

CSV, ICALENDAR = "text/csv", "text/calendar"
MAX_REFS = 100


class ServiceCalendarQuery(Schema):
    """Which entries a service's calendar holds."""

    class Meta:
        unknown = RAISE

    kind = fields.List(
        fields.String(validate=validate.OneOf(KINDS)),
        load_default=lambda: list(KINDS),
        metadata=said("Repeatable; by default all that calendars show."),
    )
    since = Moment(
        load_default=None, validate=in_range, metadata=said("By default a year ago, at the beginning of the day.")
    )
    until = Moment(load_default=None, validate=in_range)


class CalendarQuery(ServiceCalendarQuery):
    """Which entries a calendar of several services holds."""

    owner = PlainText(load_default=None, metadata=said("Reference of a group or user: what it owns."))
    service = fields.List(
        PlainText(),
        load_default=list,
        validate=validate.Length(max=MAX_REFS),
        metadata=said("References of services; repeatable."),
    )


@services_blueprint.get(f"{SERVICE}/history.csv")
@services_blueprint.arguments(EventQuery, location="query")
@services_blueprint.response(200, {"type": "string"}, content_type=CSV)
def get_history_csv(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read a service's whole history as CSV, newest first; cells that a spreadsheet would run begin with `'`."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)

    def rows() -> Iterator[bytes]:
        with reading() as session:
            yield from rows_of(session, ref, filter_of(query))

    response = Response(streamed(rows()), content_type=f"{CSV}; charset=utf-8", direct_passthrough=True)
    response.headers["Content-Disposition"] = f'attachment; filename="{ref.rpartition("/")[2]}-history.csv"'
    return response


@services_blueprint.get(f"{SERVICE}/history.ics")
@services_blueprint.arguments(ServiceCalendarQuery, location="query")
@services_blueprint.response(200, {"type": "string"}, content_type=ICALENDAR)
def get_history_ics(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read a service's launches, meetings, reviews and hand-overs as a calendar to subscribe to."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        return _calendar(calendar_of(session, ref, _wanted(query, refs=[ref])))


@engagements_blueprint.get("/calendar.ics")
@engagements_blueprint.arguments(CalendarQuery, location="query")
@engagements_blueprint.response(200, {"type": "string"}, content_type=ICALENDAR)
def get_calendar(query: dict[str, Any]) -> Response:
    """Read the calendar of all services, of some, or of those that a team owns."""
    refs = [_ref("service", text) for text in query["service"]]
    owner = _ref("owner", query["owner"]) if query["owner"] else None
    with reading() as session:
        name = owner or (", ".join(refs) if refs else "All services")
        return _calendar(calendar_of(session, name, _wanted(query, refs=refs, owner=owner)))


def filter_of(query: dict[str, Any]) -> HistoryFilter:
    """Return the filter that a query for events asks for."""
    return HistoryFilter(
        kinds=query["kind"],
        sources=query["source"],
        since=query["since"],
        until=query["until"],
        actors=query["actor"],
        text=query["q"],
        at=query["at"],
        recorded_before=query["recorded_before"],
    )


def _wanted(query: dict[str, Any], refs: list[str], owner: str | None = None) -> Wanted:
    since = query["since"] or _a_year_ago(clock.now())
    return Wanted(refs=refs, owner=owner, kinds=query["kind"], since=since, until=query["until"])


def _a_year_ago(now: datetime) -> datetime:
    return (now - DEFAULT_SPAN).replace(hour=0, minute=0, second=0, microsecond=0)


def _ref(field: str, text: str) -> str:
    try:
        return normal_ref(text)
    except BadReference as error:
        raise InvalidInput(f"{error}.", [Fault(field, str(error))]) from error


def _calendar(text: bytes) -> Response:
    return Response(text, content_type=f"{ICALENDAR}; charset=utf-8")
