"""PagerDuty: services, escalation policies, schedules, on-calls and incidents, paged by offset as it pages."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake

OFFSET_CAP = 10_000


def reference(kind: str, key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": f"{kind}_reference", "summary": key, **more}


class PagerDuty(Fake):
    """Keeps an account; the add_ methods stand for what people do in its pages."""

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.services: list[dict[str, Any]] = []
        self.policies: dict[str, dict[str, Any]] = {}
        self.schedules: list[dict[str, Any]] = []
        self.oncalls: list[dict[str, Any]] = []
        self.incidents: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        """What analytics know besides, by incident: acknowledgement_count, seconds_to_first_ack, auto_resolved."""
        self.analytics_refused = 0
        self.page_limit = 100
        self.empty_pages: set[str] = set()
        """Lists whose first page is empty, with more behind it: what a key may not see is taken out of a page."""
        self.offset_cap = OFFSET_CAP
        super().__init__(spec_file, token)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Two things the document says in words but not in its types: integrations come whole where they are asked for,
        and an on-call may have no start and no end.
        """
        schemas = spec["components"]["schemas"]
        for name in ("start", "end"):
            schemas["Oncall"]["properties"][name]["nullable"] = True
        for part in schemas["Service"]["allOf"]:
            if "integrations" in part.get("properties", {}):
                part["properties"]["integrations"]["items"] = {"type": "object"}
        return spec

    def authorized(self) -> bool:
        return bool(
            request.headers.get("Authorization") == f"Token token={self.token}"
            and request.headers.get("Accept") == "application/vnd.pagerduty+json;version=2"
        )

    def register(self) -> None:
        lists = {
            "services": self.shown_services,
            "escalation_policies": lambda: list(self.policies.values()),
            "schedules": lambda: self.schedules,
            "oncalls": self.asked_oncalls,
            "users": lambda: self.users,
            "incidents": self.asked_incidents,
        }
        for name, entries in lists.items():
            self.app.add_url_rule(f"/{name}", name, partial(self.page, name, entries))

        self.app.post("/analytics/raw/incidents")(self.analysed)
        self.app.get("/incidents/<id>")(self.incident)

    def incident(self, id: str) -> Any:
        found = [one for one in self.incidents if one["id"] == id]
        return {"incident": found[0]} if found else self.refuse(404, "Not Found")

    def analysed(self) -> Any:
        """Incidents in the words of the analytics, by pages that a cursor names."""
        asked = request.get_json()
        if self.analytics_refused:
            return self.refuse(self.analytics_refused, "Analytics are no part of this plan")
        since, until = (asked["filters"][f"created_at_{end}"] for end in ("start", "end"))
        ids = [one["id"] for one in self.incidents if since <= one["created_at"] < until]
        begin = ids.index(asked["starting_after"]) + 1 if "starting_after" in asked else 0
        shown = ids[begin : begin + min(asked["limit"], self.page_limit)]
        by_id = {one["id"]: one for one in self.incidents}
        return {
            "first": shown[0] if shown else "",
            "last": shown[-1] if shown else "",
            "limit": asked["limit"],
            "more": begin + len(shown) < len(ids),
            "order": asked["order"],
            "order_by": asked["order_by"],
            "time_zone": "Etc/UTC",
            "data": [_in_analytics(by_id[key], self.answers.get(key, {})) for key in shown],
        }

    def add_schedule(self, key: str, *users: str) -> None:
        self.schedules.append(
            {
                "id": key,
                "type": "schedule",
                "name": key,
                "time_zone": "Europe/London",
                "users": [reference("user", user) for user in users],
            }
        )

    def add_users(self, **zones: str) -> None:
        """Each is an id, and the time zone that the person lives in."""
        self.users += [
            {"id": key, "type": "user", "name": key, "email": f"{key}@example.org", "time_zone": zone}
            for key, zone in zones.items()
        ]

    def add_policy(self, key: str, *levels: list[tuple[str, str]]) -> None:
        """Each level is a list of (`user` or `schedule`, id)."""
        rules = [
            {"id": f"{key}{number}", "escalation_delay_in_minutes": 30, "targets": [reference(*one) for one in level]}
            for number, level in enumerate(levels)
        ]
        self.policies[key] = {"id": key, "type": "escalation_policy", "name": key, "escalation_rules": rules}

    def add_service(self, key: str, policy: str, integration_key: str = "") -> None:
        integrations = [
            {"id": f"{key}I", "type": "events_api_v2_inbound_integration", "integration_key": integration_key}
        ]
        self.services.append(
            {
                "id": key,
                "type": "service",
                "name": f"Service {key}",
                "status": "active",
                "escalation_policy": policy,
                "integrations": integrations if integration_key else [],
            }
        )

    def add_oncall(self, policy: str, user: str, start: datetime | None, end: datetime | None, level: int = 1) -> None:
        self.oncalls.append(
            {
                "escalation_policy": reference("escalation_policy", policy),
                "user": reference("user", user),
                "schedule": reference("schedule", "S1"),
                "escalation_level": level,
                "start": rfc3339(start) if start else None,
                "end": rfc3339(end) if end else None,
            }
        )

    def add_incident(
        self, key: str, service: str, created: datetime, resolved: datetime | None = None, **more: Any
    ) -> None:
        incident = {
            "id": key,
            "type": "incident",
            "summary": f"[#{key}] {key}",
            "incident_number": len(self.incidents) + 1,
            "title": more.pop("title", f"Trouble {key}"),
            "created_at": rfc3339(created),
            "status": "resolved" if resolved else "triggered",
            "urgency": more.pop("urgency", "high"),
            "service": reference("service", service),
            "html_url": f"https://example.pagerduty.com/incidents/{key}",
        }
        if resolved:
            incident["resolved_at"] = rfc3339(resolved)
        if priority := more.pop("priority", None):
            incident["priority"] = {"id": priority, "type": "priority", "summary": priority}
        self.incidents.append(incident | more)

    def shown_services(self) -> list[dict[str, Any]]:
        included = request.args.getlist("include[]")
        return [
            {
                **service,
                "escalation_policy": reference("escalation_policy", service["escalation_policy"]),
                "integrations": service["integrations"]
                if "integrations" in included
                else [reference("events_api_v2_inbound_integration", one["id"]) for one in service["integrations"]],
            }
            for service in self.services
        ]

    def asked_oncalls(self) -> list[dict[str, Any]]:
        policies = request.args.getlist("escalation_policy_ids[]")
        since, until = request.args["since"], request.args["until"]
        return [
            one
            for one in self.oncalls
            if one["escalation_policy"]["id"] in policies
            and (one["start"] or "") < until
            and (one["end"] is None or one["end"] > since)
        ]

    def asked_incidents(self) -> list[dict[str, Any]]:
        since, until = request.args["since"], request.args["until"]
        assert request.args["sort_by"] == "created_at:asc"
        statuses = request.args.getlist("statuses[]")
        found = [one for one in self.incidents if not statuses or one["status"] in statuses]
        if request.args.get("date_range") != "all":
            found = [one for one in found if since <= one["created_at"] <= until]
        return sorted(found, key=lambda one: one["created_at"])

    def page(self, name: str, listed: Callable[[], list[dict[str, Any]]]) -> Any:
        entries = listed()
        limit, offset = min(int(request.args.get("limit", 25)), self.page_limit), int(request.args.get("offset", 0))
        if limit + int(offset) > self.offset_cap:
            return self.refuse(400, "Offset must be less than or equal to 10000")
        if name in self.empty_pages:
            entries = [*[None] * limit, *entries]
        shown = [entry for entry in entries[offset : offset + limit] if entry is not None]
        more = offset + limit < len(entries)
        return {name: shown, "limit": limit, "offset": offset, "more": more, "total": None}


def _in_analytics(incident: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": incident["id"],
        "service_id": incident["service"]["id"],
        "created_at": incident["created_at"].removesuffix("Z"),
        "status": incident["status"],
        "urgency": incident["urgency"],
        "acknowledgement_count": 0,
        **more,
    }
