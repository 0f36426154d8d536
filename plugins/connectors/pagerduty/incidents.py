"""From incidents to facts and events. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from plugins.connectors.pagerduty.api import moment
from plugins.contract import Event, EventSpec, FactValue

OPENED = EventSpec("incident.opened", "An incident was opened.")
RESOLVED = EventSpec("incident.resolved", "An incident was resolved.")
DAYS_30, DAYS_90 = timedelta(days=30), timedelta(days=90)

Incident = Mapping[str, Any]


def facts_of(incidents: Sequence[Incident], severe: Sequence[str], uses_priorities: bool,
             now: datetime) -> dict[str, FactValue]:  # fmt: skip
    """Return what the incidents of 90 days say of a service.

    How many were severe is told only where the account sets priorities, or where there was no incident at all. The
    median time to resolve is told from one resolved incident on.
    """
    created = [(moment(incident.get("created_at")), incident) for incident in incidents]
    recent = [incident for at, incident in created if at and at > now - DAYS_30]
    resolved = [_ended(incident) for _, incident in created]
    lasted = [end - at for (at, _), end in zip(created, resolved, strict=True) if at and end and end >= at]
    found: dict[str, FactValue] = {
        "incidents.open": sum(incident.get("status") != "resolved" for incident in incidents),
        "incidents.count_30d": len(recent),
        "incidents.high_urgency_30d": sum(incident.get("urgency") == "high" for incident in recent),
    }
    if uses_priorities or not incidents:
        found["incidents.sev12_90d"] = sum(priority(incident) in severe for incident in incidents)
    if lasted:
        found["incidents.resolve_seconds_median_90d"] = round(median(span.total_seconds() for span in lasted), 1)
    return found


def priority(incident: Incident) -> str | None:
    """Return the name of an incident's priority, such as `P1`."""
    found = incident.get("priority")
    return (found.get("summary") or found.get("name")) if isinstance(found, dict) else None


def _ended(incident: Incident) -> datetime | None:
    if incident.get("status") != "resolved":
        return None
    return moment(incident.get("resolved_at")) or moment(incident.get("last_status_change_at"))


def events_of(ref: str, incidents: Sequence[Incident]) -> Iterator[Event]:
    """Yield an event for each beginning and each end."""
    for incident in incidents:
        title = str(incident.get("title") or incident.get("summary") or "").strip()[:300] or "untitled"
        number, opened = incident.get("incident_number"), moment(incident.get("created_at"))
        details = {
            "incident": incident["id"],
            "number": number,
            "title": title,
            "urgency": incident.get("urgency"),
            "priority": priority(incident),
        }
        link = str(incident.get("html_url") or "")
        if opened:
            summary = f"Incident {number or incident['id']} was opened: {title}"
            yield Event(ref, f"{incident['id']}:opened", OPENED.kind, opened, summary, link, details)
        ended = _ended(incident)
        if ended:
            lasted = {"lasted_seconds": (ended - opened).total_seconds()} if opened else {}
            summary = f"Incident {number or incident['id']} was resolved: {title}"
            yield Event(ref, f"{incident['id']}:resolved", RESOLVED.kind, ended, summary, link, {**details, **lasted})
