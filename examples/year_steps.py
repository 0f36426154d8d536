"""Who plays the company's year, and the steps that its stories share: each somebody's request on a day. SIMULATED."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, g, request

from portal_backend.core import clock
from portal_backend.core.principal import ALL_SCOPES, Principal, Role

CAST: Mapping[str, Role] = {
    "hal": Role.DEV_LEAD,
    "falconbridge": Role.DEV,
    "portia": Role.SRE_LEAD,
    "ariel": Role.SRE,
    "miranda": Role.SRE_MANAGER,
    "prospero": Role.PLATFORM_OWNER,
    "puck": Role.LAUNCH_COORDINATOR,
}
"""Who acts, each in one role."""
TEAM = "lord-chamberlains-sre"
PLATFORM_TEAM = "stagehands"
WIKI = "https://reviews.shakespeare.example"
TRAININGS = ("design_overview", "request_flow", "production_setup", "ops_exercise")
ASPECTS = ("operations", "on_call", "change_management", "access_rights", "capacity")


class Refused(Exception):
    """The product refused a step; the message is its own."""


class Year:
    """Plays steps, each by somebody and on a day."""

    def __init__(self, app: Flask, clock_file: Path, today: datetime) -> None:
        self.client = app.test_client()
        self.clock_file = clock_file
        self.today = today
        os.environ["PORTAL_CLOCK"] = str(clock_file)
        self.day(0)

        def act() -> None:
            who = request.headers.get("X-Cast")
            if who:
                g.principal = Principal(f"{who} (simulated)", frozenset({CAST[who]}), frozenset({ALL_SCOPES}))

        app.before_request(act)

    def day(self, ago: float) -> datetime:
        """Set the clock to so many days ago, and return it."""
        moment = self.today - timedelta(days=ago)
        self.clock_file.write_text(clock.format_time(moment))
        return moment

    def on(self, ago: float) -> str:
        """Return the moment so many days ago as it is written."""
        return clock.format_time(self.today - timedelta(days=ago))

    def do(self, ago: float, who: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make a request as somebody on a day; raises Refused with the product's words."""
        self.day(ago)
        answer = self.client.open(path, method=method, json=body, headers={"X-Cast": who})
        if answer.status_code >= 400:
            raise Refused(f"{who}, {ago:g} days ago: {method} {path} {body}: {answer.get_json()}")
        return answer.get_json(silent=True)

    def post(self, ago: float, who: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST as somebody on a day."""
        return self.do(ago, who, "POST", path, body if body is not None else {})

    def put(self, ago: float, who: str, path: str, body: Mapping[str, Any]) -> Any:
        """PUT as somebody on a day."""
        return self.do(ago, who, "PUT", path, body)

    def move(self, ago: float, who: str, engagement: str, to: str, **more: Any) -> None:
        """Move an engagement to another state."""
        self.post(ago, who, f"/api/engagements/{engagement}/transitions", {"to": to, **more})


def ask(year: Year, ago: float, ref: str, model: str, one: str, forecast: float, **more: Any) -> None:
    """Ask for an engagement with all that accepting it takes."""
    body = {
        "entity_ref": ref,
        "model": model,
        "id": one,
        "reason": "It matters to every reader.",
        "consented_by": "hal (simulated)",
        "usage_forecast_rps": forecast,
        "staffing": {"developers": 2, "sres": 2, "agreed_by": ["hal (simulated)", "portia (simulated)"]},
        **more,
    }
    year.post(ago, "hal", "/api/engagements", body)


def review(year: Year, ago: float, one: str) -> None:
    """Open the checklist, answer what no fact answers, and go through the incidents."""
    of = f"/api/engagements/{one}"
    year.post(ago, "ariel", f"{of}/checklist")
    checklist = year.do(ago, "ariel", "GET", f"{of}/checklist")
    answers = [
        {
            "item": item["key"],
            "answer": "pass",
            "reason": "Gone through with the developers.",
            "evidence_url": f"{WIKI}/{one}/{item['key']}",
        }
        for item in checklist["items"]
        if item["counts"] == "unanswered"
    ]
    for start in range(0, len(answers), 50):
        year.post(ago - 10, "ariel", f"{of}/checklist/answers", {"answers": answers[start : start + 50]})
    year.post(ago - 12, "ariel", f"{of}/incident-review", {"conclusion": "Two causes came again; both have findings."})


def improve(year: Year, ago: float, one: str, title: str, finding: str) -> None:
    """Agree an improvement, sign the plan, and do it."""
    of = f"/api/engagements/{one}"
    made = year.post(
        ago,
        "ariel",
        f"{of}/improvements",
        {"title": title, "findings": [finding], "effort": "days", "owner_dev": "falconbridge", "owner_sre": "ariel"},
    )
    path = f"/api/engagements/improvements/{made['id']}/state"
    year.post(ago - 2, "ariel", path, {"state": "negotiating"})
    for who in ("hal", "portia"):
        year.post(ago - 4, who, path, {"state": "agreed"})
    year.post(ago - 5, "portia", f"{of}/plan")
    for who in ("hal", "portia"):
        year.post(ago - 6, who, f"{of}/plan/signatures", {"version": 1})
    year.post(ago - 20, "falconbridge", path, {"state": "in_progress"})
    year.post(ago - 70, "falconbridge", path, {"state": "done", "done_by": "falconbridge", "done_side": "dev"})
    year.post(ago - 74, "ariel", path, {"state": "verified", "evidence": f"{WIKI}/{one}/verified"})


def train(year: Year, ago: float, one: str, members: list[str]) -> None:
    """Hold the four kinds of training."""
    for number, kind in enumerate(TRAININGS):
        year.post(
            ago - 3 * number,
            "portia",
            f"/api/engagements/{one}/trainings",
            {
                "kind": kind,
                "lead": "portia",
                "attendees": members,
                "held_at": year.on(ago - 3 * number),
                "material_url": f"{WIKI}/{one}/{kind}",
            },
        )


def take_over(year: Year, ago: float, one: str) -> None:
    """Pass every responsibility on, carry the pager for a spin, then shadow it; both sides agree."""
    of = f"/api/engagements/{one}"
    for number, aspect in enumerate(ASPECTS):
        for holder in ("shared", "sre"):
            year.put(ago - 2 * number, "portia", f"{of}/transfers/{aspect}", {"holder": holder})
    year.put(ago - 10, "portia", f"{of}/backup", {"until": year.on(ago - 190), "developers_in_rotation": 2})
    for phase, begins in (("spin", ago - 12), ("shadow", ago - 22)):
        year.put(
            begins - 8,
            "portia",
            f"{of}/pager-shadow/{phase}",
            {"began_at": year.on(begins), "ended_at": year.on(begins - 8), "pages": 9, "critical": 7, "actionable": 8},
        )
    for who in ("hal", "portia"):
        year.post(ago - 36, who, f"{of}/takeover-signatures")


def service_review(year: Year, ago: float, name: str) -> None:
    """Hold the quarterly review of a service."""
    body = {
        "held_at": year.on(ago),
        "attendees": ["portia", "hal"],
        "notes": "Pages low, budget spent well.",
        "score": 4,
    }
    year.post(ago, "portia", f"/api/services/component/default/{name}/reviews", body)


def answer_launch(year: Year, ago: float, launch: str) -> None:
    """Answer the launch checklist and sign it."""
    found = year.do(ago, "puck", "GET", f"/api/engagements/launches/{launch}")
    answers = [
        {"item": item["key"], "answer": "pass", "reason": "Done.", "evidence_url": f"{WIKI}/launch/{item['key']}"}
        for item in found["checklist"]["items"]
    ]
    year.post(ago, "puck", f"/api/engagements/launches/{launch}/answers", {"answers": answers})
    year.post(ago - 1, "puck", f"/api/engagements/launches/{launch}/signature")
