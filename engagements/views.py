"""HTTP: the service list, a service's support and history."""

from dataclasses import asdict
from typing import Any

from flask import Response

from engagements import circumstances, history, services, support
from engagements.blueprints import SERVICE, services_blueprint
from engagements.history_export.views import filter_of
from engagements.history_reading import corrections, told
from engagements.history_state import state_at
from engagements.in_force import review_settings
from engagements.schemas import (
    HistoryPageSchema,
    HistoryQuery,
    MoveSchema,
    ServiceDetailSchema,
    ServicePageSchema,
    ServiceQuery,
    SupportSchema,
)
from engagements.service_query import FILTERS, ServiceFilter, parse_sort
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import Tagged, version_asked_for, with_tag
from portal_backend.core.http import plain_json
from scorecards.judging import current as judging


@services_blueprint.get("")
@services_blueprint.arguments(ServiceQuery, location="query")
@services_blueprint.response(200, ServicePageSchema)
def list_services(query: dict[str, Any]) -> Response:
    """List services, filtered and sorted by any of what they show."""
    values = {name: query[f"filter_{name.replace('.', '_')}"] for name in FILTERS}
    wanted = ServiceFilter(values, query["tag"], query["q"])
    with reading() as session:
        page = services.list_services(
            session,
            judging().service_types,
            wanted,
            parse_sort(query["sort"]),
            query["cursor"],
            query["limit"],
            query["include_total"],
        )
    return plain_json({"items": page.items, "next_cursor": page.next_cursor, "total": page.total})


@services_blueprint.get(SERVICE)
@services_blueprint.response(200, ServiceDetailSchema)
def get_service(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Read one service with the terms of its support."""
    with reading() as session:
        return services.get_service(session, judging().service_types, kind, namespace, name)


@services_blueprint.get(f"{SERVICE}/history")
@services_blueprint.arguments(HistoryQuery, location="query")
@services_blueprint.response(200, HistoryPageSchema)
def get_history(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read what happened to a service, newest first; with `at`, also what state it was in then."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        page = history.read(session, ref, filter_of(query), query["cursor"], query["limit"])
        state = state_at(session, ref, query["at"], query["recorded_before"]) if query["at"] else None
        items = told(page.items, corrections(session, ref, page.items))
    cursors = {"next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor}
    return plain_json({"items": items, **cursors, "state": asdict(state) if state else None})


@services_blueprint.get(f"{SERVICE}/tier")
@services_blueprint.response(200, SupportSchema)
def get_tier(kind: str, namespace: str, name: str) -> Tagged:
    """Read a service's support; its ETag is what If-Match takes."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        state = support.read(session, ref)
        return with_tag(state, state.version)


@services_blueprint.post(f"{SERVICE}/tier")
@services_blueprint.arguments(MoveSchema)
@services_blueprint.response(200, SupportSchema)
@services_blueprint.alt_response(403, description="The caller lacks the role; nothing else stands in the way.")
@services_blueprint.alt_response(409, description="Guards that fail, each with what would meet it.")
@services_blueprint.alt_response(412, description="The support changed since the caller read it.")
def move_tier(body: dict[str, Any], kind: str, namespace: str, name: str) -> Tagged:
    """Move a service to another support tier."""
    now, if_match = clock.now(), version_asked_for()
    with transaction() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        hours = review_settings().advice_hours_per_quarter
        found = circumstances.gather(session, judging(), ref, body["consented_by"], now, hours)
        state = support.move(session, ref, body["tier"], body["reason"], current_principal(), found, now, if_match)
        return with_tag(state, state.version)
