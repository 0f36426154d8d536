"""The pages that a person opens: services, one service, its incident view, a check, triage, sources; all plain HTML.

They make no answers of their own: every value comes from the functions behind the API's views.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from catalog.entities import list_faults
from engagements import history
from engagements import services as service_list
from engagements.in_force import incident_settings, review_settings
from engagements.incident_view.evidence import gather
from engagements.incident_view.page import build, span_of
from engagements.knowledge import guide
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
from portal_backend.core.errors import NotFound
from scorecards import scorecard, wording
from scorecards.checks.definitions import AXIS_TITLES, Axis
from scorecards.documents import check_form, told_override
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


@blueprint.get("/pages/<kind>/<namespace>/<name>/incident")
def incident(kind: str, namespace: str, name: str) -> str:
    """Show what somebody needs who was just paged, by the one round of queries of the incident view."""
    settings, now = incident_settings(), clock.now()
    material = gather(judging(), kind, namespace, name, settings, now)
    return render_template("incident.html", view=build(material, settings, now), **_around(material.health.values()))


@blueprint.get("/pages/checks/<check_id>")
def check(check_id: str) -> str:
    """Show the guide of a check: what it asks and why, how to pass, by what it is judged; 404 for an unknown check."""
    basis = judging()
    found = basis.catalogue.checks.get(check_id)
    if found is None:
        raise NotFound(f"There is no check {check_id}; /api/scorecards/checks lists them all.")
    now = clock.now()
    sections = guide.for_check(found, guide.sections(basis.catalogue, review_settings().guide_folder))
    with reading() as session:
        return render_template(
            "check.html",
            check=check_form(found),
            in_shadow=not found.enforced(now),
            turns_at=found.turns_at(now),
            rule=found.definition.get("rule"),
            facts=[(key, basis.told_facts[key].description, _suppliers(key)) for key in found.facts],
            axis_title=AXIS_TITLES[found.axis],
            sections=[section for section in sections if section.source == "guide"],
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


@blueprint.app_template_filter("lasting")
def lasting(seconds: float) -> str:
    """Write a duration for a person, in its largest unit: `18 minutes`."""
    return span_of(seconds)


@blueprint.app_template_filter("said")
def said(fact: dict[str, Any]) -> str:
    """Write an observed value with its unit, as verdicts write it."""
    return wording.write(fact["value"], fact["unit"], clock.now())


@blueprint.app_template_filter("path")
def path_of(ref: str) -> str:
    """Write an entity reference as the path of the API: `component:default/x` as `component/default/x`."""
    return quote(ref.replace(":", "/", 1))


blueprint.add_app_template_filter(told_override, "override")


@blueprint.app_template_filter("short")
def short(ref: str) -> str:
    """Write a reference without its kind, and without the namespace where that is the default one."""
    return ref.partition(":")[2].removeprefix("default/")


@blueprint.app_template_filter("code")
def code(text: str) -> Markup:
    """Write what stands between backticks as code; all the rest is escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def page_of(ref: str, endpoint: str = "service") -> str:
    """Return the address of a service's page."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return url_for(f"pages.{endpoint}", kind=kind, namespace=namespace, name=name)


def _suppliers(key: str) -> list[str]:
    """Return the connectors that could supply a fact."""
    return sorted(name for name, offer in judging().offers.items() if key in offer.max_ages)


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
    return _around(health(session, clock.now()).values())


def _around(sources: Iterable[SourceHealth]) -> dict[str, Any]:
    states = list(sources)
    return {
        "health": states,
        "simulated": [state.name for state in states if state.simulated],
        "troubled": [state for state in states if state.state in TROUBLED],
        "page_of": page_of,
    }
