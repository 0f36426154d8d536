"""The review of a service's incidents: how many, which causes come back, what of the follow-ups is overdue."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from engagements import records
from engagements.corrections import without_corrected
from engagements.event_kinds import CORRECTION
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent
from engagements.records import Change
from engagements.reviews import engaged, findings
from engagements.reviews.findings import NewFinding
from engagements.reviews.models import IncidentReview
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import FindingSource, Severity
from plugins.health import health
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.principal import Principal, Role
from scorecards.evidence.view import EvidenceState, View
from scorecards.facts import readings
from scorecards.judging import Judging

CAUSES = (
    "bad_change", "bad_configuration", "capacity", "dependency", "data_corruption", "expired_certificate", "hardware",
    "network", "operator_error", "overload", "security", "unknown",
)  # fmt: skip
"""The usual causes of outages (SRE book, appendix C of its postmortems; chapter 15). An incident may name others."""
KINDS = ("incident.opened", "incident.severity_changed", "incident.resolved", "postmortem.published")
URGENT = ("P0", "P1")
SEVERE = "incidents.sev12_90d"
MEASURED = (SEVERE, "postmortems.missing_90d", "postmortems.actions.p0p1_overdue")
"""What sources may count of incidents themselves, whether or not they tell of each."""


def panel(events: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """Return what incidents and postmortems say. Pure: `events` are {kind, occurred_at, id, summary, link, details}.

    An incident is known by `details.incident`, else by its event's id. A cause that occurs twice is a repeated one.
    """
    opened, postmortems = _by_incident(events)
    causes = _causes(opened, postmortems)
    return {
        "incidents": len(opened),
        "by_severity": dict(sorted(Counter(severity_of(event["details"]) for event in opened.values()).items())),
        "repeated_causes": [
            {"pattern": cause, "incidents": sorted(ids)} for cause, ids in sorted(causes.items()) if len(ids) > 1
        ],
        "without_postmortem": sorted(
            incident
            for incident, event in opened.items()
            if severity_of(event["details"]) in ("sev1", "sev2") and incident not in postmortems
        ),
        "overdue_actions": [
            action for incident, event in sorted(postmortems.items()) for action in _overdue(incident, event, now)
        ],
    }


def repeated(events: Iterable[Mapping[str, Any]]) -> int | None:
    """Return how many causes two or more of a service's incidents had; `events` are those of `panel`. Pure.

    None while an incident tells no cause and none is known to have come back: it may be one that did.
    """
    opened, postmortems = _by_incident(events)
    causes = _causes(opened, postmortems)
    again, told = sum(len(ids) > 1 for ids in causes.values()), set().union(*causes.values())
    return again if again or (told and opened.keys() <= told) else None


def _by_incident(events: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Mapping[str, Any]], ...]:
    """Return, by incident, the event that opened it with the severity said last, and its postmortem."""
    opened: dict[str, Mapping[str, Any]] = {}
    postmortems: dict[str, Mapping[str, Any]] = {}
    for event in events:
        incident = str(event["details"].get("incident") or event["id"])
        if event["kind"] == "incident.opened":
            opened[incident] = event
        elif event["kind"] == "postmortem.published":
            postmortems[incident] = event
        elif event["kind"] == "incident.severity_changed" and incident in opened:
            details = {**opened[incident]["details"], "severity": event["details"].get("severity")}
            opened[incident] = {**opened[incident], "details": details}
    return opened, postmortems


def severity_of(details: Mapping[str, Any]) -> str:
    """Return an incident's severity as `sev1` … `sev5`, or `unknown`."""
    said = str(details.get("severity", "")).strip().lower().removeprefix("sev").strip("-_ ")
    return f"sev{said}" if said in ("1", "2", "3", "4", "5") else "unknown"


def read(
    session: Session, judging: Judging, settings: ReviewSettings, engagement: Engagement, now: datetime
) -> dict[str, Any]:
    """Return the panel of a service's incidents, what sources count beside it, and the review that was made of it."""
    found = panel(_events(session, engagement.entity_ref, settings, now), now)
    made = current(session, engagement)
    measured = _measured(session, judging, engagement.entity_ref, now)
    return {
        **found,
        "measured": measured,
        "remarks": remarks(found, measured),
        "since": now - settings.incident_window,
        "done": made is not None,
        "review": made,
        "suggested_findings": [_form(each) for each in suggested(found)],
    }


def remarks(found: Mapping[str, Any], measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say where sources count more incidents than the history has, so that nobody concludes from what is missing. Pure.

    The history reaches further back than the ninety days of the fact: it may well have more.
    """
    told = sum(found["by_severity"].get(severity, 0) for severity in ("sev1", "sev2"))
    return [
        f"{each['source']} counts {each['value']:g} incident{'' if each['value'] == 1 else 's'} of severity 1 or 2 in "
        f"90 days, and the history here has {told}: look at them there before you conclude."
        for each in measured
        if each["fact"] == SEVERE and each["value"] > told
    ]


def _measured(session: Session, judging: Judging, ref: str, now: datetime) -> list[dict[str, Any]]:
    """Return what fresh observations say of the service's incidents and postmortems."""
    view = View(readings(session, [ref])[ref], judging.supply(health(session, now)), now)
    seen = [view.get(key) for key in MEASURED if key in judging.specs]
    return [
        {"fact": one.key, "value": one.value, "source": one.source, "observed_at": one.observed_at,
         "simulated": one.simulated}
        for one in seen
        if one.state is EvidenceState.FRESH
    ]  # fmt: skip


def current(session: Session, engagement: Engagement) -> IncidentReview | None:
    """Return the incident review of the present review of an engagement."""
    return session.scalar(
        select(IncidentReview).where(
            IncidentReview.engagement_id == engagement.id, IncidentReview.review_round == engagement.review_round
        )
    )


def complete(
    session: Session, settings: ReviewSettings, engagement: Engagement, conclusion: str, principal: Principal,
    now: datetime,
) -> IncidentReview:  # fmt: skip
    """Mark the incident review done and record what it found on the axis emergency; done once, it stays."""
    made = current(session, engagement)
    if made is not None:
        return made
    records.require_role(principal, "complete an incident review", Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
    found = panel(_events(session, engagement.entity_ref, settings, now), now)
    place = engaged.place_of(engagement)
    opened = [findings.open_finding(session, place, new, principal, now).id for new in suggested(found)]
    row = records.fresh(
        IncidentReview,
        records.identity(None, IncidentReview.__tablename__, engagement.id, engagement.review_round),
        place, records.digest(conclusion), review_round=engagement.review_round, conclusion=conclusion, summary=found,
        findings=opened,
    )  # fmt: skip
    summary = f"Incidents reviewed: {found['incidents']} in the period, {len(opened)} findings."
    records.write(session, [Change(row, "incident_review.done", summary)], principal, now)
    return row


def suggested(found: Mapping[str, Any]) -> list[NewFinding]:
    """Return the findings that a panel leads to: repeated causes, overdue follow-ups, missing postmortems. Pure."""
    new = [
        NewFinding(
            f"The cause {each['pattern']} came back: {len(each['incidents'])} incidents.", "emergency",
            FindingSource.INCIDENT, Severity.MAJOR, f"Incidents: {', '.join(each['incidents'])}.", each["pattern"],
        )
        for each in found["repeated_causes"]
    ]  # fmt: skip
    new += [
        NewFinding(
            f"A follow-up of incident {each['incident']} is overdue: {each['title']}", "emergency",
            FindingSource.INCIDENT, Severity.BLOCKER if each["priority"] in URGENT else Severity.MAJOR,
            f"Priority {each['priority'] or 'not named'}, due {each['due_at']}.", "overdue_follow_up",
        )
        for each in found["overdue_actions"]
    ]  # fmt: skip
    new += [
        NewFinding(
            f"Incident {incident} has no postmortem.", "emergency", FindingSource.INCIDENT, Severity.MAJOR,
            pattern="missing_postmortem",
        )
        for incident in found["without_postmortem"]
    ]  # fmt: skip
    return new


def _form(new: NewFinding) -> dict[str, Any]:
    return {"title": new.title, "axis": new.axis, "source": new.source.value, "severity": new.severity.value,
            "pattern": new.pattern, "description": new.description}  # fmt: skip


def _events(session: Session, ref: str, settings: ReviewSettings, now: datetime) -> list[dict[str, Any]]:
    query = select(HistoryEvent).where(
        HistoryEvent.entity_ref == ref,
        HistoryEvent.kind.in_((*KINDS, CORRECTION)),
        HistoryEvent.occurred_at >= now - settings.incident_window,
    )
    events = session.scalars(query.order_by(HistoryEvent.occurred_at, HistoryEvent.sequence))
    return [told(event) for event in without_corrected(events)]


def told(event: HistoryEvent | Row[Any]) -> dict[str, Any]:
    """Return an event of the history, or a row of its columns, as `panel` reads it."""
    return {"kind": event.kind, "occurred_at": event.occurred_at, "id": event.source_event_id,
            "summary": event.summary, "link": event.link, "details": event.details}  # fmt: skip


def _causes(*sources: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the incidents of each cause; a postmortem knows the cause better than the alarm."""
    by_incident: dict[str, str] = {}
    for source in sources:
        for incident, event in source.items():
            cause = event["details"].get("cause") or event["details"].get("pattern")
            if isinstance(cause, str) and cause and cause != "unknown":
                by_incident[incident] = cause.strip().lower()
    causes: dict[str, set[str]] = {}
    for incident, cause in by_incident.items():
        causes.setdefault(cause, set()).add(incident)
    return causes


def _overdue(incident: str, event: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    actions = event["details"].get("actions")
    found = []
    for action in actions if isinstance(actions, Sequence) and not isinstance(actions, str) else ():
        if not isinstance(action, Mapping) or action.get("done"):
            continue
        due = _moment(action.get("due_at") or action.get("due"))
        if due is not None and due < now:
            found.append({"incident": incident, "title": str(action.get("title") or action.get("id") or "unnamed"),
                          "priority": action.get("priority"), "due_at": format_time(due)})  # fmt: skip
    return found


def _moment(said: Any) -> datetime | None:
    if not isinstance(said, str):
        return None
    try:
        return parse_time(said if "T" in said else f"{said}T00:00:00Z")
    except (ValueError, OverflowError):
        return None
