"""HTTP: advice, lessons, the production guide, production meetings."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records, services
from engagements.blueprints import ENGAGEMENT, SERVICE, engagements_blueprint, services_blueprint
from engagements.in_force import review_settings
from engagements.knowledge import consultations, guide, lessons, meetings
from engagements.knowledge.models import Consultation, Lesson, NoLessons, ProductionMeeting
from engagements.knowledge.schemas import (
    AgendaQuery,
    AgendaSchema,
    ConsultationListSchema,
    ConsultationSchema,
    LessonListSchema,
    LessonMoveSchema,
    LessonPageSchema,
    LessonQuery,
    LessonSchema,
    MeetingPageSchema,
    MeetingSchema,
    NewConsultationSchema,
    NewLessonSchema,
    NewMeetingSchema,
    NoLessonsSchema,
    SectionListSchema,
    SectionQuery,
    ServiceGuideSchema,
)
from engagements.lifecycle import engagements
from engagements.records import Place
from engagements.reviews import engaged
from engagements.unchanged import tag_without
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import Tagged
from portal_backend.core.http import PageQuery
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards import scorecard
from scorecards.judging import current as judging

NOT_PASSING = ("fail", "unknown")


@services_blueprint.get(f"{SERVICE}/consultations")
@services_blueprint.arguments(WholeQuery, location="query")
@services_blueprint.response(200, ConsultationListSchema)
def list_consultations(query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List the advice that a service had, and what is left of its team's hours this quarter."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        found = consultations.of_service(session, judging(), review_settings(), ref, clock.now())
        return {**found, **page_of(found["items"], "consultations", query)}


@services_blueprint.post(f"{SERVICE}/consultations")
@services_blueprint.arguments(NewConsultationSchema)
@services_blueprint.response(201, ConsultationSchema)
@services_blueprint.alt_response(409, description="The team's hours of the quarter do not last; the hours left.")
def hold_consultation(body: dict[str, Any], kind: str, namespace: str, name: str) -> Consultation:
    """Record advice that was given; its recommendations become improvements that bar nothing."""
    with transaction() as session:
        place = _place(session, kind, namespace, name)
        row = consultations.hold(session, judging(), review_settings(), place, body, current_principal(), clock.now())
        return records.detached(session, row)


@engagements_blueprint.get("/lessons")
@engagements_blueprint.arguments(LessonQuery, location="query")
@engagements_blueprint.response(200, LessonPageSchema)
def list_all_lessons(query: dict[str, Any]) -> dict[str, Any]:
    """List lessons, newest first; with a pattern also the services that still have it."""
    with reading() as session:
        page = lessons.list_lessons(
            session, query["pattern"], query["state"], query["axis"], query["cursor"], query["limit"]
        )
        return {
            "items": page.items,
            "next_cursor": page.next_cursor,
            "also_exposed": lessons.exposed(session, judging(), query["pattern"]) if query["pattern"] else {},
        }


@engagements_blueprint.get(f"{ENGAGEMENT}/lessons")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, LessonListSchema)
def list_lessons(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List the lessons of an engagement."""
    with reading() as session:
        engagements.get(session, engagement_id)
        wanted = select(Lesson).where(Lesson.engagement_id == engagement_id).order_by(Lesson.created_at, Lesson.id)
        none = select(NoLessons.id).where(NoLessons.engagement_id == engagement_id)
        found = page_of(session.scalars(wanted).all(), "lessons", query)
        return {**found, "none_declared": session.scalar(none) is not None}


@engagements_blueprint.post(f"{ENGAGEMENT}/lessons")
@engagements_blueprint.arguments(NewLessonSchema)
@engagements_blueprint.response(201, LessonSchema)
def record_lesson(body: dict[str, Any], engagement_id: str) -> Lesson:
    """Record a lesson of an engagement."""
    with transaction() as session:
        place = engaged.place_of(engaged.for_writing(session, engagement_id))
        return records.detached(session, lessons.record(session, place, body, current_principal(), clock.now()))


@engagements_blueprint.post(f"{ENGAGEMENT}/lessons/none")
@engagements_blueprint.arguments(NoLessonsSchema)
@engagements_blueprint.response(200, LessonListSchema)
def declare_no_lessons(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Put on record that an engagement taught nothing that others could use."""
    with transaction() as session:
        place = engaged.place_of(engaged.for_writing(session, engagement_id))
        lessons.declare_none(session, place, body["reason"], current_principal(), clock.now())
        return {"items": [], "next_cursor": None, "none_declared": True}


@services_blueprint.post(f"{SERVICE}/lessons")
@services_blueprint.arguments(NewLessonSchema)
@services_blueprint.response(201, LessonSchema)
def record_service_lesson(body: dict[str, Any], kind: str, namespace: str, name: str) -> Lesson:
    """Record a lesson of a service that has no engagement, such as one of an incident."""
    with transaction() as session:
        place = _place(session, kind, namespace, name)
        return records.detached(session, lessons.record(session, place, body, current_principal(), clock.now()))


@engagements_blueprint.post("/lessons/<string:lesson_id>/state")
@engagements_blueprint.arguments(LessonMoveSchema)
@engagements_blueprint.response(200, LessonSchema)
@engagements_blueprint.alt_response(409, description="There is no such way.")
def move_lesson(body: dict[str, Any], lesson_id: str) -> Lesson:
    """Accept or decline a lesson, or link it to the home where it lives on."""
    home = body["home"] and {**body["home"], "kind": body["home"]["kind"].value}
    with transaction() as session:
        lesson = records.locked(session, Lesson, lesson_id, "lesson")
        row = lessons.move(
            session, judging(), lesson, body["state"], body["reason"], home, current_principal(), clock.now()
        )
        return records.detached(session, row)


@engagements_blueprint.get("/guide")
@engagements_blueprint.arguments(SectionQuery, location="query")
@engagements_blueprint.response(200, SectionListSchema)
def list_sections(query: dict[str, Any]) -> dict[str, Any]:
    """List the sections of the production guide, all or those that help with a check or an axis."""
    found = guide.sections(judging().catalogue, review_settings().guide_folder)
    with reading() as session:
        homes = _homes(session)
    wanted = [
        section
        for section in found.values()
        if (not query["check"] or set(query["check"]) & set(section.checks))
        and (not query["axis"] or section.axis in query["axis"])
    ]
    return {"items": [_section(section, homes) for section in sorted(wanted, key=lambda each: each.id)]}


@services_blueprint.get(f"{SERVICE}/guide")
@services_blueprint.response(200, ServiceGuideSchema)
def get_service_guide(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List the checks of a service that do not pass, each with the sections of the guide that help."""
    catalogue = judging().catalogue
    found = guide.sections(catalogue, review_settings().guide_folder)
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        results = scorecard.read(session, judging(), ref, clock.now())["results"]
        homes = _homes(session)
    return {
        "items": [
            {
                "check": result["check"],
                "title": result["title"],
                "axis": result["axis"],
                "status": result["status"],
                "sentence": result["sentence"],
                "sections": [
                    _section(section, homes) for section in guide.for_check(catalogue.checks[result["check"]], found)
                ],
            }
            for result in results
            if result["status"] in NOT_PASSING
        ]
    }


@engagements_blueprint.get("/meetings")
@engagements_blueprint.arguments(PageQuery, location="query")
@engagements_blueprint.response(200, MeetingPageSchema)
def list_meetings(query: dict[str, Any]) -> Any:
    """List production meetings, the newest record first."""
    with reading() as session:
        return meetings.list_meetings(session, query["cursor"], query["limit"])


@engagements_blueprint.post("/meetings")
@engagements_blueprint.arguments(NewMeetingSchema)
@engagements_blueprint.response(201, MeetingSchema)
def hold_meeting(body: dict[str, Any]) -> ProductionMeeting:
    """Record a production meeting that was held, with what stood on its list."""
    with transaction() as session:
        row = meetings.hold(session, judging(), body, current_principal(), clock.now())
        return records.detached(session, row)


@engagements_blueprint.get("/meetings/upcoming")
@engagements_blueprint.arguments(AgendaQuery, location="query")
@engagements_blueprint.response(200, AgendaSchema)
def get_agenda(query: dict[str, Any]) -> Tagged:
    """Read what the next meeting is to talk about: last week's pages, planned launches, turn-downs."""
    wanted = [ref.lower() for ref in query["service"]] or None
    with reading() as session:
        agenda = meetings.agenda(session, judging(), wanted, clock.now())
    return agenda, 200, tag_without(agenda, ("since", "until"))


def _homes(session: Session) -> dict[str, list[str]]:
    """Return the lessons that live in each section of the guide."""
    found: dict[str, list[str]] = {}
    for title, homes in session.execute(select(Lesson.title, Lesson.homes).where(Lesson.state == "linked")):
        for home in homes:
            if home["kind"] == lessons.Home.GUIDE:
                found.setdefault(home["target"], []).append(title)
    return found


def _section(section: guide.Section, homes: dict[str, list[str]]) -> dict[str, Any]:
    return {**asdict(section), "lessons": homes.get(section.id, [])}


def _place(session: Session, kind: str, namespace: str, name: str) -> Place:
    """Return where a service's records belong, held until the transaction ends; with its engagement, if one is open."""
    ref = services.service_ref(session, judging().service_types, kind, namespace, name)
    records.lock(session, ref)
    running = engagements.open_of(session, ref)
    return Place(ref, running[0].id if running else None)
