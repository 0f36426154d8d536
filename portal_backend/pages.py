"""The pages that a person opens first: services, one service, triage, sources. Plain HTML of what the API answers.

They make no answers of their own: every value comes from the functions behind the API's views.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from catalog.entities import list_faults
from engagements import history
from engagements import services as service_list
from engagements.lifecycle import reading as lifecycle
from engagements.schemas import HistoryEventSchema
from engagements.service_query import ServiceFilter, parse_sort
from engagements.triage.directions import Direction
from engagements.triage_lists import reading as stored_triage
from engagements.triage_lists.reading import StoredPage
from plugins.health import SourceHealth, SourceState, health
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading
from scorecards import scorecard
from scorecards.checks.definitions import AXIS_TITLES, Axis
from scorecards.judging import current as judging

blueprint = Blueprint("pages", __name__)

SHORT_LIST = 3
EVENTS_SHOWN = 30
ENGAGEMENTS_SHOWN = 5
FAULTS_SHOWN = 50
AXES = [{"name": axis.value, "title": AXIS_TITLES[axis]} for axis in Axis]
TROUBLED = frozenset({SourceState.FAILING, SourceState.INTERRUPTED, SourceState.OVERDUE})


@blueprint.get("/")
def overview() -> str:
    """Show which services exist, how ready they are, what SRE does for them, and which to take on next."""
    with reading() as session:
        page = service_list.list_services(
            session, judging().service_types, ServiceFilter({}), parse_sort("name"), request.args.get("cursor"), 100
        )
        lists = _triage(session)
        frame = _frame(session)
    onboard, hand_back = lists[Direction.ONBOARD].items, lists[Direction.HAND_BACK].items
    return render_template(
        "overview.html",
        services=page.items,
        next_cursor=page.next_cursor,
        onboard=[row for row in onboard if row["verdict"] == "candidate"][:SHORT_LIST],
        hand_back=[row for row in hand_back if row["urgency"] <= 1][:SHORT_LIST],
        axes=AXES,
        **frame,
    )


@blueprint.get("/pages/<kind>/<namespace>/<name>")
def service(kind: str, namespace: str, name: str) -> str:
    """Show where a service stands, why, and what to do first."""
    with reading() as session:
        types = judging().service_types
        item = service_list.get_service(session, types, kind, namespace, name)
        card = scorecard.read(session, judging(), item["ref"], clock.now())
        events = history.read(session, item["ref"], cursor=request.args.get("cursor"), limit=EVENTS_SHOWN)
        return render_template(
            "service.html",
            service=item,
            card=card,
            engagements=_engagements(session, item["ref"]),
            events=HistoryEventSchema(many=True).dump(events.items),
            next_cursor=events.next_cursor,
            **_frame(session),
        )


@blueprint.get("/pages/triage")
def triage() -> str:
    """Show both triage lists with every term."""
    with reading() as session:
        lists = _triage(session)
        return render_template(
            "triage.html",
            onboard=lists[Direction.ONBOARD].items,
            hand_back=lists[Direction.HAND_BACK].items,
            **_frame(session),
        )


@blueprint.get("/pages/sources")
def sources() -> str:
    """Show how the sources are doing, and what is wrong with catalog files."""
    with reading() as session:
        faults = list_faults(session, FAULTS_SHOWN)
        return render_template("sources.html", faults=faults.items, **_frame(session))


@blueprint.app_template_filter("when")
def when(moment: str | datetime) -> str:
    """Write a time for a person: the minute, in UTC."""
    parsed = clock.parse_time(moment) if isinstance(moment, str) else moment
    return parsed.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


@blueprint.app_template_filter("path")
def path_of(ref: str) -> str:
    """Write an entity reference as the path of the API: `component:default/x` as `component/default/x`."""
    return quote(ref.replace(":", "/", 1))


@blueprint.app_template_filter("short")
def short(ref: str) -> str:
    """Write a reference without its kind, and without the namespace where that is the default one."""
    return ref.partition(":")[2].removeprefix("default/")


@blueprint.app_template_filter("code")
def code(text: str) -> Markup:
    """Write what stands between backticks as code; all the rest is escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def page_of(ref: str) -> str:
    """Return the address of a service's page."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return url_for("pages.service", kind=kind, namespace=namespace, name=name)


def _triage(session: Session) -> dict[Direction, StoredPage]:
    return stored_triage.read(session, clock.now())


def _engagements(session: Session, ref: str) -> list[dict[str, Any]]:
    """Return a service's engagements, the newest first; an open one with what stands before its next states."""
    page = lifecycle.list_engagements(session, lifecycle.EngagementFilter(services=[ref]), None, ENGAGEMENTS_SHOWN)
    return [
        item
        if item["closed_at"]
        else lifecycle.describe(session, judging(), item["id"], current_principal(), clock.now())
        for item in page.items
    ]


def _frame(session: Session) -> dict[str, Any]:
    """Return what every page shows around its content."""
    states: list[SourceHealth] = list(health(session, clock.now()).values())
    return {
        "health": states,
        "simulated": [state.name for state in states if state.simulated],
        "troubled": [state for state in states if state.state in TROUBLED],
        "page_of": page_of,
    }
