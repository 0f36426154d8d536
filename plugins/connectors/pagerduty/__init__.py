"""PagerDuty: rotations, who is on call, incidents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import ClassVar

from marshmallow import Schema, fields, validate

from plugins.connectors.pagerduty import api, incidents, oncall
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Event,
    Fact,
    FactSpec,
    FactType,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)
from plugins.parts import checked, part

SERVICE_ID = "pagerduty.com/service-id"
INTEGRATION_KEY = "pagerduty.com/integration-key"
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
        joined = _join(context.targets, list(api.services(context.client)))
        if _claiming(context.targets) and not joined.services:
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"PagerDuty answers, but no service of the catalog names one of its: see {SERVICE_ID} (such as "
                "`PIJ90N7`, the end of the service's address in PagerDuty) and the key's rights",
            )
        answered = f"PagerDuty answers and knows {len(joined.services)} of {len(context.targets)} services"
        return checked(answered, _hidden(context, min(joined.services.items())[1]) if joined.services else [])

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Ask by list, never by service, and yield what the answers say of each."""
        options = OptionsSchema().load(context.options)
        joined = _join(context.targets, list(api.services(context.client)))
        yield Batch(faults=joined.faults, unmatched=joined.unmatched)
        if not joined.services:
            return
        rotations = _rotations(context, joined)
        severities = incidents.Severities(
            {name.upper(): severity for name, severity in options["severities"].items()}, options["urgencies"]
        )
        before = Memory.loaded(context.cursor)
        by_service: dict[str, list[incidents.Incident]] = {}
        account_tells = False
        for incident in _incidents(context, before):
            told = incidents.priority(incident) is not None or severities.of(incident) is not None
            account_tells = account_tells or told
            by_service.setdefault((incident.get("service") or {}).get("id", ""), []).append(incident)
        hidden: list[PullFault] = []  # not every plan and key has these, and the rest goes on without
        analysed = part(ANALYTICS, partial(_analysed, context), hidden) or {}
        zones = part(USERS, partial(_time_zones, context), hidden) or {}
        yield Batch(faults=hidden)
        seen = Memory()
        refs = sorted(joined.services)
        for start in range(0, len(refs), SERVICES_PER_BATCH):
            found: list[Fact] = []
            events: list[Event] = []
            for ref in refs[start : start + SERVICES_PER_BATCH]:
                service = joined.services[ref]
                own = by_service.get(service["id"], [])
                values = incidents.facts_of(own, severities, account_tells, context.now)
                values |= incidents.answered_facts(analysed.get(service["id"], ()), context.now)
                rotation = rotations.get(_policy_id(service))
                if rotation:
                    values |= oncall.facts_of(rotation, context.now)
                    spread = oncall.sites(rotation.members, zones, context.now)
                    values |= {} if spread is None else {"oncall.sites": spread}
                found += [Fact(ref, key, value, context.now) for key, value in values.items()]
                events += incidents.events_of(ref, own, severities, before.severities, context.now)
                seen.severities |= incidents.severities_of(own, severities)
                seen.open |= {str(one["id"]) for one in own if one.get("status") != "resolved"}
            yield Batch(facts=found, events=events)
        yield Batch(cursor=seen.dumped())


@dataclass
class Memory:
    """The cursor: what the incidents of our services were at the last pull."""

    severities: dict[str, str] = field(default_factory=dict)
    """By incident; empty where nothing said it."""
    open: set[str] = field(default_factory=set)
    """Those that were not resolved."""

    @classmethod
    def loaded(cls, cursor: str | None) -> "Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored = json.loads(cursor or "{}")
            severities = {str(key): str(severity) for key, severity in stored["severities"].items()}
            return cls(severities, {str(key) for key in stored["open"]})
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def dumped(self) -> str:
        """Return the cursor as text."""
        return json.dumps({"severities": self.severities, "open": sorted(self.open)}, separators=(",", ":"))


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


@dataclass(frozen=True)
class Joined:
    """Which of PagerDuty's services each of ours is."""

    services: Mapping[str, api.Entry]
    faults: Sequence[PullFault]
    unmatched: Sequence[str]


def _join(targets: Sequence[Target], services: Sequence[api.Entry]) -> Joined:
    by_id = {service["id"]: service for service in services if service.get("id")}
    by_key = {
        integration["integration_key"]: service
        for service in by_id.values()
        for integration in service.get("integrations") or []
        if isinstance(integration, dict) and integration.get("integration_key")
    }
    found: dict[str, api.Entry] = {}
    faults: list[PullFault] = []
    for target in _claiming(targets):
        wanted = target.annotations.get(SERVICE_ID, "").strip()
        service = by_id.get(wanted) if wanted else by_key.get(target.annotations[INTEGRATION_KEY].strip())
        if service is not None:
            found[target.ref] = service
        elif wanted:
            faults.append(PullFault(target.ref, f"{SERVICE_ID} names {wanted}, which the key sees nowhere"))
        else:
            faults.append(PullFault(target.ref, f"no integration carries the key that {INTEGRATION_KEY} holds"))
    claimed = {service["id"] for service in found.values()}
    unmatched = sorted(str(service.get("name") or key) for key, service in by_id.items() if key not in claimed)
    return Joined(found, faults, unmatched)


def _claiming(targets: Sequence[Target]) -> list[Target]:
    return [
        target
        for target in targets
        if target.annotations.get(SERVICE_ID, "").strip() or target.annotations.get(INTEGRATION_KEY, "").strip()
    ]


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
