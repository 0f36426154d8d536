"""From incidents to facts and events. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from plugins.contract import Event, EventSpec, FactValue
from plugins.moments import moment, rfc3339

OPENED = EventSpec("incident.opened", "An incident was opened.")
CHANGED = EventSpec("incident.severity_changed", "An open or closed incident was given a severity, or another one.")
RESOLVED = EventSpec("incident.resolved", "An incident was resolved.")
DAYS_30, DAYS_90 = timedelta(days=30), timedelta(days=90)
SEVERE = ("sev1", "sev2")

Incident = Mapping[str, Any]


@dataclass(frozen=True)
class Severities:
    """How an account says how severe an incident is."""

    by_priority: Mapping[str, str]
    """`sev1` to `sev5` by the name of a priority, in upper case."""
    by_urgency: Mapping[str, str]
    """The same by urgency, for incidents without a priority; empty where urgency does not say it."""

    def of(self, incident: Incident) -> str | None:
        """Return `sev1` to `sev5`; None where nothing says it."""
        named = priority(incident)
        if named is not None:
            return self.by_priority.get(named.upper())
        return self.by_urgency.get(str(incident.get("urgency")))


def facts_of(
    incidents: Sequence[Incident], severities: Severities, account_tells: bool, now: datetime
) -> dict[str, FactValue]:
    """Return what the incidents of 90 days, and those of before that are still open, say of a service.

    How many were severe is told only where the account says so of some incident, or where there was no incident at all.
    The median time to resolve is told from one resolved incident on.
    """
    created = [(moment(incident.get("created_at")), incident) for incident in incidents]
    of_window = [incident for at, incident in created if at and at > now - DAYS_90]
    recent = [incident for at, incident in created if at and at > now - DAYS_30]
    resolved = [_ended(incident) for _, incident in created]
    lasted = [
        end - at
        for (at, _), end in zip(created, resolved, strict=True)
        if at and end and end >= at and at > now - DAYS_90
    ]
    found: dict[str, FactValue] = {
        "incidents.open": sum(incident.get("status") != "resolved" for incident in incidents),
        "incidents.count_30d": len(recent),
        "incidents.high_urgency_30d": sum(incident.get("urgency") == "high" for incident in recent),
    }
    if account_tells or not of_window:
        found["incidents.sev12_90d"] = sum(severities.of(incident) in SEVERE for incident in of_window)
    if lasted:
        found["incidents.resolve_seconds_median_90d"] = round(median(span.total_seconds() for span in lasted), 1)
    return found


def answered_facts(analysed: Sequence[Incident], now: datetime) -> dict[str, FactValue]:
    """Return how soon somebody answered, and how many pages of 30 days had somebody do something about them.

    A page is an incident of high urgency that came to its end; one that ended by itself, and that nobody acknowledged,
    asked for no action.
    """
    waits = [one["seconds_to_first_ack"] for one in analysed if _is_count(one.get("seconds_to_first_ack"))]
    pages = [
        one
        for one in analysed
        if one.get("urgency") == "high" and one.get("status") == "resolved" and _since(one) > now - DAYS_30
    ]
    found: dict[str, FactValue] = {}
    if waits:
        found["incidents.acknowledge_seconds_median_90d"] = float(median(waits))
    if pages:
        acted = sum(bool(one.get("acknowledgement_count")) or one.get("auto_resolved") is False for one in pages)
        found["alerts.paging.actionable_ratio_30d"] = round(acted / len(pages), 4)
    return found


def _since(analysed: Incident) -> datetime:
    """Return when an incident was created; analytics write UTC without saying so."""
    text = str(analysed.get("created_at"))
    return moment(text) or moment(f"{text}Z") or datetime.min.replace(tzinfo=UTC)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def priority(incident: Incident) -> str | None:
    """Return the name of an incident's priority, such as `P1`."""
    found = incident.get("priority")
    return (found.get("summary") or found.get("name")) if isinstance(found, dict) else None


def _ended(incident: Incident) -> datetime | None:
    if incident.get("status") != "resolved":
        return None
    return moment(incident.get("resolved_at")) or moment(incident.get("last_status_change_at"))


def severities_of(incidents: Iterable[Incident], severities: Severities) -> dict[str, str]:
    """Return what is remembered until the next pull: the severity of each incident, empty where nothing says it."""
    return {str(incident["id"]): severities.of(incident) or "" for incident in incidents}


def events_of(
    ref: str, incidents: Sequence[Incident], severities: Severities, before: Mapping[str, str], now: datetime
) -> Iterator[Event]:
    """Yield an event for each beginning, each end, and each severity that differs from the one seen `before`.

    Two services of ours may be one of PagerDuty's: the id of an event holds the service as well.
    """
    for incident in incidents:
        key, severity = str(incident["id"]), severities.of(incident)
        title = str(incident.get("title") or incident.get("summary") or "").strip()[:300] or "untitled"
        number, opened = incident.get("incident_number"), moment(incident.get("created_at"))
        details = {
            "incident": key,
            "number": number,
            "title": title,
            "urgency": incident.get("urgency"),
            "priority": priority(incident),
            **({"severity": severity} if severity else {}),
        }
        about, link = f"Incident {number or key}", str(incident.get("html_url") or "")
        if opened:
            summary = f"{about} was opened: {title}"
            yield Event(ref, f"{key}:opened:{ref}", OPENED.kind, opened, summary, link, details)
        if severity and before.get(key, severity) != severity:
            at = min(moment(incident.get("updated_at")) or now, now)
            summary = f"{about} is {severity} now: {title}"
            told = {**details, **({"was": before[key]} if before[key] else {})}
            yield Event(ref, f"{key}:{severity}:{rfc3339(at)}:{ref}", CHANGED.kind, at, summary, link, told)
        ended = _ended(incident)
        if ended:
            lasted = {"lasted_seconds": (ended - opened).total_seconds()} if opened else {}
            summary = f"{about} was resolved: {title}"
            yield Event(ref, f"{key}:resolved:{ref}", RESOLVED.kind, ended, summary, link, {**details, **lasted})
