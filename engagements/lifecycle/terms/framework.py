"""A service on a framework: the modules that it uses, and what its conformance tests say."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.circumstances import CAPABILITY_FACTS, CONFORMANCE_FACT, SUPPORTED_VERSION_FACT
from engagements.lifecycle.states import EngagementState, State
from engagements.lifecycle.terms.amending import opened, write
from portal_backend.core.clock import format_time
from portal_backend.core.principal import Principal, Role

REPORTING = (Role.PLATFORM_OWNER, Role.DEV_LEAD, Role.PLUGIN)
"""A plugin reports; it moves nothing."""
RUNS_KEPT = 50
"""Revisions of which the last run is shown with the engagement; the history has every run."""


def put_modules(
    session: Session,
    engagement_id: str,
    modules: Sequence[Mapping[str, Any]],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Choose the modules of the framework that the service is built on; the same again changes nothing."""
    states = (State.ASSESSING, State.ADOPTING, State.CONFORMANT, State.PLATFORM_ACTIVE)
    roles = (Role.DEV_LEAD, Role.DEV, Role.PLATFORM_OWNER)
    before = opened(session, engagement_id, principal, "modules", roles, states, if_match)
    chosen = [dict(module) for module in modules]
    summary = "Modules: " + (", ".join(f"{each['name']} {each['version']}".strip() for each in chosen) or "none") + "."
    return write(session, before, "engagement.terms_changed", summary, principal, now, modules=chosen)


def report_conformance(
    session: Session,
    engagement_id: str,
    result: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Report a conformance run. What a source measures (fw.conformance.pass …) counts before what is reported here."""
    before = opened(session, engagement_id, principal, "conformance", REPORTING, (), if_match)
    present = before.section("conformance")
    facts: dict[str, Any] = {
        CONFORMANCE_FACT: result["passed"],
        SUPPORTED_VERSION_FACT: result["version_supported"],
        **{CAPABILITY_FACTS[name]: value for name, value in sorted(result["capabilities"].items())},
    }
    said = {**result, "facts": {key: value for key, value in facts.items() if value is not None}}
    if {key: value for key, value in present.items() if key not in _STAMPS} == said:
        return before
    lost_at = None
    if result["passed"] is False or result["version_supported"] is False:
        lost_at = present.get("lost_at") or format_time(now)
    reported = {**said, "reported_by": principal.name, "reported_at": format_time(now), "lost_at": lost_at}
    words = {True: "pass", False: "fail", None: "say nothing"}[result["passed"]]
    summary = f"The framework's conformance tests {words}."
    sections: dict[str, Any] = {"conformance": reported}
    if result["revision"]:
        runs = [run for run in before.items("conformance_runs") if run["revision"] != result["revision"]]
        sections["conformance_runs"] = [*runs, reported][-RUNS_KEPT:]
    return write(session, before, "framework.conformance_reported", summary, principal, now, **sections)


_STAMPS = ("reported_by", "reported_at", "lost_at")
