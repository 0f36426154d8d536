"""PagerDuty: rotations, who is on call, incidents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from marshmallow import Schema, fields, validate

from plugins.connectors.pagerduty import api, incidents, oncall
from plugins.connectors.pagerduty.joining import INTEGRATION_KEY, SERVICE_ID, Joined, claiming, join
from plugins.connectors.pagerduty.memory import Memory
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Event,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)
from plugins.grouping import in_groups
from plugins.parts import checked, part

ANALYTICS, USERS = "analytics", "users"
SERVICES_PER_BATCH = 200
ENDED_AT_ONCE = 100
"""Incidents that were open for more than 90 days and are asked for one by one once they have ended."""
HOUR, HOURS_72 = timedelta(hours=1), timedelta(hours=72)

_SEVERITY = validate.OneOf([f"sev{number}" for number in range(1, 6)])


class OptionsSchema(Schema):
    """How severe an incident is."""

    severities = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1)),
        values=fields.String(validate=_SEVERITY),
        load_default=lambda: {
            f"{word}{number}": f"sev{number}" for word in ("P", "SEV", "SEV-") for number in range(1, 6)
        },
        metadata={"description": "sev1 to sev5 by the name of a priority, in any case."},
    )
    urgencies = fields.Dict(
        keys=fields.String(validate=validate.OneOf(["high", "low"])),
        values=fields.String(validate=_SEVERITY),
        load_default=dict,
        metadata={"description": "The same by urgency, for incidents without a priority: `{high: sev2}`."},
    )


FACTS = (
    FactSpec("oncall.schedule.id", FactType.STRING, "", "Schedules on the first escalation level.", HOURS_72),
    FactSpec("oncall.escalation.levels", FactType.INTEGER, "count", "Levels of the escalation policy.", HOURS_72),
    FactSpec("oncall.members", FactType.INTEGER, "count", "People on the first escalation level.", HOURS_72),
    FactSpec(
        "oncall.sites", FactType.INTEGER, "count",
        "Sites that these people work at: time zones four hours apart or more.", HOURS_72,
    ),
    FactSpec("oncall.now", FactType.SET, "", "Names of those who are on call on the first level now.", HOUR),
    FactSpec("oncall.covered_now", FactType.BOOLEAN, "", "Somebody is on call on the first level now.", HOUR),
    FactSpec(
        "oncall.gap_hours_14d", FactType.NUMBER, "hours", "Hours of the next 14 days with nobody on the first level.",
        HOURS_72,
    ),
    FactSpec(
        "oncall.shifts_30d", FactType.NUMBER, "count", "Shifts of 12 hours that were covered within 30 days.", HOURS_72
    ),
    FactSpec("incidents.open", FactType.INTEGER, "count", "Incidents that are not resolved.", HOUR),
    FactSpec("incidents.count_30d", FactType.INTEGER, "count", "Incidents of the last 30 days.", HOURS_72),
    FactSpec("incidents.high_urgency_30d", FactType.INTEGER, "count", "Those of high urgency.", HOURS_72),
    FactSpec("incidents.sev12_90d", FactType.INTEGER, "count", "Severity 1 or 2, within 90 days.", HOURS_72),
    FactSpec(
        "incidents.acknowledge_seconds_median_90d", FactType.NUMBER, "seconds",
        "Median time from opening to the first acknowledgement, of the incidents of 90 days that had one.", HOURS_72,
    ),
    FactSpec(
        "alerts.paging.actionable_ratio_30d", FactType.NUMBER, "ratio",
        "Share of the resolved incidents of high urgency of 30 days that somebody acknowledged or resolved; the others "
        "ended by themselves.", HOURS_72,
    ),
    FactSpec(
        "incidents.resolve_seconds_median_90d", FactType.NUMBER, "seconds",
        "Median time from opening to resolving, of the incidents opened within 90 days and resolved.", HOURS_72,
    ),
)  # fmt: skip


_NO_SERVICE = (
    "PagerDuty lists no service: the key's user sees none of them (it answers an empty list instead of a refusal), or "
    "the key is another account's"
)


class PagerDutyConnector(Connector):
    """Reads one PagerDuty account."""

    name: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty"
    facts = FACTS
    events = (incidents.OPENED, incidents.CHANGED, incidents.RESOLVED)
    annotations = (
        AnnotationSpec(SERVICE_ID, "Id of the service in PagerDuty, such as `PIJ90N7`.", "PIJ90N7", needed=True),
        AnnotationSpec(
            INTEGRATION_KEY,
            "Integration key of one of its integrations; used where there is no id.",
            "e93facc04764012d7bfb002500d5d1a6",
            needed=True,
        ),
    )
    permissions = (
        "a read-only REST API key: services, escalation policies, schedules, on-calls, users, incidents",
        "analytics (on the plans that have them): acknowledgement times and actionable pages",
    )
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """List the services, and try the other lists; raises PullFailed when none of ours is among them."""
        joined = join(context.targets, list(api.services(context.client)))
        if claiming(context.targets) and not joined.services:
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"PagerDuty answers, but no service of the catalog names one of its: see {SERVICE_ID} (such as "
                "`PIJ90N7`, the end of the service's address in PagerDuty) and the key's rights",
            )
        answered = f"PagerDuty answers and knows {len(joined.services)} of {len(context.targets)} services"
        return checked(answered, _hidden(context, min(joined.services.items())[1]) if joined.services else [])

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Ask by list, never by service, and yield what the answers say of each."""
        services = list(api.services(context.client))
        if not services and claiming(context.targets):
            raise PullFailed(FailureKind.PERMISSION, _NO_SERVICE)
        joined = join(context.targets, services)
        yield Batch(faults=joined.faults, unmatched=joined.unmatched)
        if not joined.services:
            return
        names = {name.upper(): severity for name, severity in context.options["severities"].items()}
        severities = incidents.Severities(names, context.options["urgencies"])
        before, seen = Memory.loaded(context.cursor), Memory()
        hidden: list[PullFault] = []
        account = _read(context, joined, before, hidden)
        yield Batch(faults=hidden)
        tells_severity = account.tells_severity(severities)
        for refs in in_groups(sorted(joined.services), SERVICES_PER_BATCH):
            facts: list[Fact] = []
            events: list[Event] = []
            for ref in refs:
                service = joined.services[ref]
                own = account.by_service.get(service["id"], [])
                values = incidents.facts_of(own, severities, tells_severity, context.now)
                values |= account.facts_of(service, context.now)
                facts += [Fact(ref, key, value, context.now) for key, value in values.items()]
                events += incidents.events_of(ref, own, severities, before.severities, context.now)
                seen.note(own, severities)
            yield Batch(facts=facts, events=events)
        yield Batch(cursor=seen.dumped())


@dataclass(frozen=True)
class _Account:
    """What the lists of one pull say, by PagerDuty's own ids."""

    rotations: Mapping[str, oncall.Rotation]
    """By escalation policy."""
    by_service: Mapping[str, list[incidents.Incident]]
    """The incidents of each service."""
    analysed: Mapping[str, Sequence[incidents.Incident]]
    """What analytics know of incidents, by service."""
    zones: Mapping[str, str | None]
    """Where people live, by user."""

    def tells_severity(self, severities: incidents.Severities) -> bool:
        """Say whether any incident has a priority or a severity: without one, none is known to be mild."""
        every = (one for found in self.by_service.values() for one in found)
        return any(incidents.priority(one) is not None or severities.of(one) is not None for one in every)

    def facts_of(self, service: api.Entry, now: datetime) -> dict[str, FactValue]:
        """Return what analytics and the rotation say of a service."""
        values = incidents.answered_facts(self.analysed.get(service["id"], ()), now)
        rotation = self.rotations.get(_policy_id(service))
        if rotation:
            values |= oncall.facts_of(rotation, now)
            spread = oncall.sites(rotation.members, self.zones, now)
            values |= {} if spread is None else {"oncall.sites": spread}
        return values


def _read(context: PullContext, joined: Joined, before: Memory, hidden: list[PullFault]) -> _Account:
    """Ask for each list once; not every plan and key has analytics and users, and the rest goes on without."""
    rotations = _rotations(context, joined)
    by_service: dict[str, list[incidents.Incident]] = {}
    for incident in _incidents(context, before):
        by_service.setdefault((incident.get("service") or {}).get("id", ""), []).append(incident)
    analysed = part(ANALYTICS, partial(_analysed, context), hidden) or {}
    zones = part(USERS, partial(_time_zones, context), hidden) or {}
    return _Account(rotations, by_service, analysed, zones)


def _incidents(context: PullContext, before: Memory) -> Iterator[incidents.Incident]:
    """Yield the incidents of 90 days, those of before that are open, and those of before that were open until now."""
    seen: set[str] = set()
    for incident in api.incidents(context.client, context.now - incidents.DAYS_90, context.now):
        seen.add(str(incident["id"]))
        yield incident
    for incident in api.open_incidents(context.client, context.now):
        if str(incident["id"]) not in seen:
            seen.add(str(incident["id"]))
            yield incident
    for number in sorted(before.open - seen)[:ENDED_AT_ONCE]:
        ended = api.incident(context.client, number)
        if ended:
            yield ended


def _rotations(context: PullContext, joined: Joined) -> dict[str, oncall.Rotation]:
    """Read the escalation policies of our services, each once."""
    people = {
        schedule["id"]: [user["id"] for user in schedule.get("users") or [] if isinstance(user, dict) and "id" in user]
        for schedule in api.schedules(context.client)
        if schedule.get("id")
    }
    used = {_policy_id(service) for service in joined.services.values()}
    policies = {policy["id"]: policy for policy in api.escalation_policies(context.client) if policy.get("id") in used}
    rotations = {key: oncall.rotation_of(policy, people) for key, policy in policies.items()}
    since, until = context.now - oncall.BEHIND, context.now + oncall.AHEAD
    oncall.add_oncalls(rotations, api.oncalls(context.client, sorted(rotations), since, until), since, until)
    return rotations


def _analysed(context: PullContext) -> dict[str, list[incidents.Incident]]:
    """Return what analytics know, by service."""
    found: dict[str, list[incidents.Incident]] = {}
    for one in api.analysed(context.client, context.now - incidents.DAYS_90, context.now):
        found.setdefault(str(one.get("service_id")), []).append(one)
    return found


def _time_zones(context: PullContext) -> dict[str, str | None]:
    """Return where people live, by user."""
    return {str(user.get("id")): user.get("time_zone") for user in api.users(context.client)}


def _hidden(context: PullContext, service: api.Entry) -> list[PullFault]:
    """Ask once for each list that a pull reads; return what is kept from the key."""
    client, now, faults = context.client, context.now, list[PullFault]()
    lists = {
        "escalation policies": api.escalation_policies(client),
        "schedules": api.schedules(client),
        "on-calls": api.oncalls(client, [_policy_id(service)], now, now + HOUR),
        "incidents": api.incidents(client, now - HOUR, now),
        USERS: api.users(client),
    }
    for scope, entries in lists.items():
        part(scope, partial(next, entries, None), faults)
    unsold: list[PullFault] = []
    part(ANALYTICS, partial(next, api.analysed(client, now - HOUR, now), None), unsold)
    return [*faults, *(PullFault(one.scope, one.message) for one in unsold)]


def _policy_id(service: api.Entry) -> str:
    return str((service.get("escalation_policy") or {}).get("id") or "")


CONNECTOR = PagerDutyConnector()
