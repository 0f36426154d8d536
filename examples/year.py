"""A year of the Shakespeare company, played through the product's own HTTP API with the clock of each day.

SIMULATED: nobody did any of it, and the name of everybody who acts says so. What the guards ask for is given, never
gone round: a step that the product refuses ends the play with the product's own words.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from examples.year_steps import (
    ASPECTS,
    PLATFORM_TEAM,
    TEAM,
    WIKI,
    Year,
    answer_launch,
    ask,
    improve,
    review,
    service_review,
    take_over,
    train,
)
from portal_backend import judgement
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config, load_config
from portal_backend.settings import option_schemas


def play(config: Config, clock_file: Path, today: datetime) -> bool:
    """Play the year up to `today`, once; return whether it was played now. Raises Refused."""
    app = create_app(config)
    before = os.environ.get("PORTAL_CLOCK")
    try:
        year = Year(app, clock_file, today)
        if year.client.get("/api/engagements/globe-frontend-2025").status_code == 200:
            return False
        for story in STORIES:
            story(year)
    finally:
        os.environ.pop("PORTAL_CLOCK", None)
        if before is not None:
            os.environ["PORTAL_CLOCK"] = before
    with app.app_context():
        judgement.rejudge_due()  # triage follows at once what the year has changed
    return True


def the_teams(year: Year) -> None:
    """What there is of SRE, and what is under way already."""
    team = {"headcount": 8, "sites": 1, "project_sres": 6, "max_stacks": 5, "reason": "The year's plan."}
    year.put(364, "miranda", f"/api/engagements/teams/group/default/{TEAM}", team)
    platform = {"kind": "platform", "headcount": 3, "reason": "Keeps proscenium."}
    year.put(364, "miranda", f"/api/engagements/teams/group/default/{PLATFORM_TEAM}", platform)
    year.post(363, "miranda", "/api/engagements/adopt")


def a_review_and_a_takeover(year: Year) -> None:
    """globe-frontend: the simple production readiness review, from the first request to the pager."""
    one, of = "globe-frontend-2025", "/api/engagements/globe-frontend-2025"
    ask(year, 362, "component:default/globe-frontend", "simple_prr", one, 1500)
    year.move(355, "miranda", one, "accepted", sre_team=TEAM)
    year.move(341, "portia", one, "engagement")
    agreement = {
        "slo": [{"name": "availability", "objective": 0.999}, {"name": "latency", "objective": 0.99}],
        "deliverables": ["review document", "runbooks for every page", "load test at 1.5 times the peak"],
        "schedule": "analysis for four weeks, improvements until they are done",
        "reviewers": ["ariel", "portia"],
    }
    year.put(336, "portia", f"{of}/agreement", agreement)
    for who in ("hal", "portia"):
        year.post(335, who, f"{of}/agreement/signatures")
    year.move(334, "portia", one, "analysis")
    review(year, 330, one)
    finding = year.post(
        310,
        "ariel",
        f"{of}/findings",
        {
            "title": "No runbook for pages of the session store",
            "source": "incident",
            "axis": "emergency",
            "severity": "blocker",
            "evidence": [f"{WIKI}/globe-frontend/runbooks"],
        },
    )
    year.move(306, "portia", one, "improvement")
    improve(year, 300, one, "Write the runbooks that pages lack", finding["id"])
    year.post(
        221,
        "ariel",
        f"/api/engagements/findings/{finding['id']}/state",
        {"state": "resolved", "reason": "Every page has one.", "evidence": [f"{WIKI}/globe-frontend/runbooks"]},
    )
    year.move(214, "portia", one, "training")
    year.put(213, "portia", f"{of}/rotation", {"members": ["ariel", "portia", "ferdinand", "gonzalo"]})
    train(year, 208, one, ["ariel", "portia", "ferdinand", "gonzalo"])
    year.move(190, "portia", one, "onboarding")
    take_over(year, 188, one)
    year.move(150, "portia", one, "active")
    service_review(year, 60, "globe-frontend")


def a_graduation(year: Year) -> None:
    """cordelia-profile: engaged early, launched dark first, watched for 90 days, and left to its developers."""
    one, of = "cordelia-profile-2026", "/api/engagements/cordelia-profile-2026"
    ask(year, 330, "component:default/cordelia-profile", "early", one, 300, criteria=["business_value", "team_asked"])
    year.move(325, "miranda", one, "accepted", sre_team=TEAM)
    _design(year, one, of)
    _launch_by_stages(year, one, of)
    year.post(
        120,
        "ariel",
        f"{of}/lessons",
        {
            "title": "A dark launch finds what a load test does not",
            "source": "lesson",
            "axis": "change",
            "pattern": "cold-cache",
            "text": "The cache was cold for an hour; warm it before the canary.",
        },
    )
    year.move(
        110,
        "portia",
        one,
        "disengaging",
        outcome="graduated",
        evidence=f"{WIKI}/cordelia/after-90-days",
        reason="Two quiet quarters; its developers keep it well.",
    )
    year.move(108, "portia", one, "disengaged")


def _design(year: Year, one: str, of: str) -> None:
    year.move(320, "portia", one, "design", reviewers=["ariel"])
    year.post(
        305,
        "ariel",
        f"{of}/design-reviews",
        {
            "held_at": year.on(305),
            "reviewers": ["ariel"],
            "document_url": f"{WIKI}/cordelia/design",
            "summary": "Reads from a replica; survives the loss of a zone.",
        },
    )
    year.post(
        304,
        "hal",
        f"{of}/trade-offs",
        {
            "choice": "one region",
            "rejected_option": "two regions",
            "accepted_by": "hal",
            "reliability_cost": "a region's outage is ours: about two hours a year",
        },
    )


def _launch_by_stages(year: Year, one: str, of: str) -> None:
    year.move(300, "ariel", one, "build")
    launch = year.post(260, "puck", f"{of}/launches", {"name": "Profiles for everybody", "planned_at": year.on(228)})
    year.move(250, "portia", one, "launch")
    answer_launch(year, 245, launch["id"])
    stages = [("dark", 100, 240), ("canary", 5, 234), ("ramp", 40, 230), ("full", 100, 228)]
    for stage, share, ago in stages:
        body = {"stage": stage, "traffic_percent": share, "abort_rule": "error ratio above 1 % for five minutes"}
        year.post(ago, "puck", f"/api/engagements/launches/{launch['id']}/stages", body)
    year.move(227, "portia", one, "post_launch")


FRAMEWORK: Sequence[tuple[float, str, Mapping[str, Any], str, Sequence[str]]] = (
    (
        320,
        "proscenium-telemetry",
        {
            "title": "Telemetry",
            "kind": "instrumentation_metrics",
            "owner": PLATFORM_TEAM,
            "axis": "observability",
            "description": "Standard metrics, labels and request logs.",
            "capabilities": ["logging", "monitoring"],
        },
        "4",
        ("obs.dimensions", "obs.reqlog"),
    ),
    (
        318,
        "proscenium-traffic",
        {
            "title": "Traffic control",
            "kind": "traffic_load_control",
            "owner": PLATFORM_TEAM,
            "axis": "capacity",
            "description": "Time-outs, retries, load shedding.",
            "capabilities": ["configuration", "controls"],
        },
        "2",
        ("arch.timeouts", "cap.loadshed", "cap.overload"),
    ),
)
"""The modules of proscenium: days ago, name, what it is, and the release with the checks that it satisfies."""


def the_framework(year: Year) -> None:
    """proscenium: the company's framework, of two modules."""
    for ago, name, module, version, checks in FRAMEWORK:
        path = f"/api/scorecards/modules/{name}"
        year.put(ago, "prospero", path, module)
        release = {"released_at": year.on(ago - 1), "satisfies_checks": checks}
        year.put(ago - 1, "prospero", f"{path}/releases/{version}", release)


def a_platform(year: Year) -> None:
    """playbill-catalog: built anew on proscenium, and on the platform since."""
    one, of = "playbill-catalog-2026", "/api/engagements/playbill-catalog-2026"
    ask(year, 300, "component:default/playbill-catalog", "framework", one, 200)
    modules = [{"name": name, "version": version} for _, name, _, version, _ in FRAMEWORK]
    year.put(295, "hal", f"{of}/modules", {"modules": modules})
    year.move(294, "hal", one, "adopting")
    conformance = {
        "passed": True,
        "version_supported": True,
        "framework": "proscenium",
        "version": "4",
        "report_url": f"{WIKI}/playbill/conformance",
        "capabilities": dict.fromkeys(("logging", "monitoring", "configuration", "controls"), True),
    }
    year.put(250, "prospero", f"{of}/conformance", conformance)
    year.move(249, "hal", one, "conformant")
    routes = {"PlaybillDown": "service_function", "ProsceniumDown": "platform_infra"}
    year.put(246, "hal", "/api/services/component/default/playbill-catalog/oncall-split", {"routes": routes})
    year.move(245, "prospero", one, "platform_active")
    # Adopted today: what a service inherits is judged at once, and by the facts of today.
    for module in modules:
        path = f"/api/services/component/default/playbill-catalog/modules/{module['name']}"
        year.put(0, "hal", path, {"version": module["version"]})


def a_hand_back(year: Year) -> None:
    """prompter-notifications: run by SRE for years, neglected by its owners, and handed back by the ladder."""
    ref = "component:default/prompter-notifications"
    found = year.do(340, "portia", "GET", f"/api/engagements?service={ref}")["items"]
    one = found[0]["id"]
    of = f"/api/engagements/{one}"
    ladder = [("named_engineers", 330), ("reliability_hackathon", 300), ("feature_freeze", 270), ("all_hands", 240)]
    for step, ago in ladder:
        year.post(ago, "portia", f"{of}/escalations", {"step": step, "note": "Pages five times a day; no plan yet."})
    year.put(
        220, "portia", f"{of}/pager", {"carrier": "dev", "reason": "No plan is signed.", "review_on": year.on(190)}
    )
    year.move(
        190,
        "portia",
        one,
        "disengaging",
        outcome="neglected",
        tier="consultation",
        reason="Budget gone in two windows of three, no signed plan.",
        evidence=f"{WIKI}/prompter/ladder",
    )
    for aspect in ASPECTS:
        for holder in ("shared", "dev"):
            year.put(170, "portia", f"{of}/transfers/{aspect}", {"holder": holder})
    for duty in ("dev_rota_live", "runbooks_handed", "reverse_training", "ledger_freed"):
        year.put(158, "portia", f"{of}/hand-back/{duty}", {"evidence_url": f"{WIKI}/prompter/{duty}"})
    year.post(
        157,
        "portia",
        f"{of}/lessons",
        {
            "title": "Support without a signed plan does not last",
            "source": "lesson",
            "axis": "emergency",
            "pattern": "no-owner-plan",
            "text": "Ask for the plan before the pager is taken.",
        },
    )
    year.move(155, "portia", one, "disengaged")


def a_review_under_way(year: Year) -> None:
    """shakespeare: in analysis, with the finding of the book; and the advice that others had."""
    one, of = "shakespeare-2026", "/api/engagements/shakespeare-2026"
    ask(year, 40, "component:default/shakespeare", "simple_prr", one, 700)
    year.move(34, "miranda", one, "accepted", sre_team=TEAM)
    year.move(30, "portia", one, "engagement")
    agreement = {
        "slo": [{"name": "availability", "objective": 0.999}, {"name": "latency", "objective": 0.99}],
        "deliverables": ["review document", "a dashboard that shows the SLO"],
        "schedule": "analysis until Advent, takeover in spring",
        "reviewers": ["ariel"],
    }
    year.put(27, "portia", f"{of}/agreement", agreement)
    for who in ("hal", "portia"):
        year.post(26, who, f"{of}/agreement/signatures")
    year.move(20, "portia", one, "analysis")
    year.post(18, "ariel", f"{of}/checklist")
    year.post(
        9,
        "ariel",
        f"{of}/findings",
        {
            "title": "The dashboard lacks a metric of the SLO",
            "source": "check",
            "axis": "observability",
            "severity": "blocker",
            "check": "obs.slo.on_dashboard",
        },
    )
    _advice(year)
    ask(year, 12, "component:default/sonnet-api", "simple_prr", "sonnet-api-2026", 4000)
    year.post(
        6,
        "portia",
        "/api/engagements/meetings",
        {
            "held_at": year.on(6),
            "services": ["component:default/globe-frontend"],
            "attendees": ["portia", "ariel", "hal"],
            "notes": "Last week's pages: two, both actionable. The index moves on Thursday.",
        },
    )


def _advice(year: Year) -> None:
    for name, topic, hours, ago in (
        ("sonnet-api", "Capacity for the anniversary", 6, 75),
        ("sonnet-api", "Error budget policy", 4, 33),
        ("stage-billing", "Alerts that wake the right team", 5, 51),
    ):
        consultation = {
            "topic": topic,
            "axis": "capacity" if "Capacity" in topic else "emergency",
            "hours": hours,
            "sres": ["ariel"],
            "held_at": year.on(ago),
            "recommendations": [f"{topic}: write down what was agreed"],
        }
        year.post(ago, "ariel", f"/api/services/component/default/{name}/consultations", consultation)


STORIES: tuple[Callable[[Year], None], ...] = (
    the_teams,
    a_review_and_a_takeover,
    a_graduation,
    the_framework,
    a_platform,
    a_hand_back,
    a_review_under_way,
)


def main() -> None:
    """Play the year in the installation that the environment names (PORTAL_CONFIG)."""
    config = load_config(option_schemas=option_schemas())
    with TemporaryDirectory() as folder:
        played = play(config, Path(folder) / "clock", clock.now())
    click.echo("The year of the company was played (simulated)." if played else "The year was played before.")


if __name__ == "__main__":
    main()
