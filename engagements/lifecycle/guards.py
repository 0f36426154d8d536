"""The guards of requests, reviews and early engagement: each says what it asks for, what is missing, and the remedy.

Pure. A guard yields a pair (what is wrong, what would meet it) for each thing that fails, and nothing when it is met.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engagements.lifecycle.states import Case, State
from engagements.tiers import ENDING_LIFECYCLES
from portal_backend.core.principal import Role

Failure = tuple[str, str]
"""What is wrong, and what would meet it."""

IMPORTANT = ("T0", "T1", "T2")
LAUNCH_AXES = ("observability", "emergency")


@dataclass(frozen=True)
class Guard:
    """A condition of a transition."""

    name: str
    says: str
    """What it asks for, in one sentence."""
    failures: Callable[[Case], Iterator[Failure]]
    given_in: str = ""
    """The field of a transition's request that meets it, where one does."""


def guard(name: str, says: str, given_in: str = "") -> Callable[[Callable[[Case], Iterator[Failure]]], Guard]:
    """Make a guard of the function that finds what fails."""
    return lambda failures: Guard(name, says, failures, given_in)


@guard("reason", "A reason is given.", "reason")
def reason(case: Case) -> Iterator[Failure]:
    """A decision that others have to live with says why."""
    if not case.wish.reason.strip():
        yield "No reason is given.", "Say why in `reason`."


@guard("importance", "The service is important: T0, T1 or T2, or a candidate of triage.")
def importance(case: Case) -> Iterator[Failure]:
    """SRE book, chapter 32: SRE supports what matters to users or the business."""
    if case.outside.criticality in IMPORTANT or case.outside.triage_candidate:
        return
    yield (
        f"The importance of {case.engagement.entity_ref} is not shown: its criticality is "
        f"{case.outside.criticality or 'not stated'} and triage does not name it.",
        "State a criticality of T0, T1 or T2 in the catalog (sre.portal/criticality), or let triage raise it.",
    )


@guard("usage_forecast", "A forecast of its usage is on record.")
def usage_forecast(case: Case) -> Iterator[Failure]:
    """Without a forecast nobody can say later that usage stayed below it."""
    if case.engagement.section("request").get("usage_forecast_rps") is None:
        yield (
            "No forecast of the service's usage is on record.",
            f"PATCH {at(case)}/request with `usage_forecast_rps`, the peak in requests per second.",
        )


@guard("development_agrees", "The development lead agrees.")
def development_agrees(case: Case) -> Iterator[Failure]:
    """Support is agreed, never imposed (Google's "CRE life lessons" on takeovers)."""
    if case.engagement.section("request").get("consented_by"):
        return
    yield (
        "Nobody has said that the development lead agrees, and support that is imposed fails.",
        f"Let the development lead PATCH {at(case)}/request, or name in its `consented_by` who of them agreed.",
    )


@guard("staffing", "Staffing is agreed by both sides.")
def staffing(case: Case) -> Iterator[Failure]:
    """Both teams say whom they give."""
    if not case.engagement.section("request").get("staffing"):
        yield (
            "No staffing is agreed.",
            f"PATCH {at(case)}/request with `staffing`: `developers`, `sres` and who `agreed_by`.",
        )


@guard("sre_team", "The SRE team that takes it is named.", "sre_team")
def sre_team(case: Case) -> Iterator[Failure]:
    """Room is looked for in somebody's ledger."""
    if not (case.wish.sre_team or case.engagement.sre_team):
        yield "No SRE team is named.", "Name the team in `sre_team`."


@guard("not_ending", "The service is not being ended.")
def not_ending(case: Case) -> Iterator[Failure]:
    """A deprecated service gets no new full support."""
    lifecycle = case.outside.tiers.lifecycle
    if lifecycle in ENDING_LIFECYCLES:
        yield (
            f"The service is in {lifecycle}: it gets no new SRE support.",
            "Decline with the tier documentation or consultation, or correct its lifecycle in the catalog.",
        )


@guard("alternative_tier", "The support that it gets instead is named.", "alternative_tier")
def alternative_tier(case: Case) -> Iterator[Failure]:
    """To decline is to offer something else."""
    if case.wish.alternative_tier is None:
        yield (
            "No alternative is offered.",
            "Name in `alternative_tier` what the service gets instead: documentation, consultation or platform.",
        )


@guard("not_taken_over", "SRE does not run the service.")
def not_taken_over(case: Case) -> Iterator[Failure]:
    """What SRE runs is handed back, never just dropped."""
    if case.taken_over:
        yield (
            "SRE runs the service: its engagement ends by handing back.",
            "Finish the review, then disengage from `active` (early engagement: from any state).",
        )


@guard("room", "The team's ledger has room.")
def room(case: Case) -> Iterator[Failure]:
    """A queued engagement starts when there is room for its reviewers."""
    if case.outside.room:
        return
    if case.outside.room is None:
        yield "No SRE team is named, so nobody's room can be looked at.", "Name the team in `sre_team`."
    else:
        yield (
            f"The team {case.wish.sre_team or case.engagement.sre_team} has no room: {case.outside.room_sentence}",
            "Wait in the queue until another engagement ends, or let the SRE manager free or add capacity.",
        )


@guard("room_to_resume", "The team's ledger has room again.")
def room_to_resume(case: Case) -> Iterator[Failure]:
    """A pause gives its people free for others."""
    takes_nobody_yet = case.engagement.state in {State.REQUESTED, State.CANDIDATE, State.ACCEPTED}
    if case.outside.room is False and not takes_nobody_yet:
        yield from room.failures(case)


@guard("agreement_signed", "Development and SRE signed the agreement.")
def agreement_signed(case: Case) -> Iterator[Failure]:
    """Both sides agree on process, objectives and deliverables before the analysis (SRE book, chapter 32)."""
    agreement = case.engagement.section("agreement")
    if not agreement:
        yield "There is no agreement.", f"PUT {at(case)}/agreement, then let both sides sign it."
        return
    for side in ("dev_lead", "sre_lead"):
        if side not in agreement.get("signatures", {}):
            yield (
                f"The {side} has not signed the agreement.",
                f"Let the {side} POST {at(case)}/agreement/signatures with side {side}.",
            )


@guard("reviewers_named", "One to three reviewers are named.", "reviewers")
def reviewers_named(case: Case) -> Iterator[Failure]:
    """SRE book, chapter 32: a review is led by one to three SREs."""
    fewest, most = case.settings.reviewers
    named = case.wish.reviewers or case.engagement.reviewers
    if not fewest <= len(set(named)) <= most:
        yield (
            f"{len(set(named))} reviewers are named; a review has {fewest} to {most}.",
            f"Name them in `reviewers` of the transition or of PUT {at(case)}/agreement.",
        )


@guard("slo_defined", "An objective is defined.")
def slo_defined(case: Case) -> Iterator[Failure]:
    """Without an objective nobody can tell what reliable enough is."""
    if case.engagement.section("agreement").get("slo") or case.outside.slo_declared:
        return
    yield (
        "No objective (SLO) is defined.",
        f"Name one in `slo` of PUT {at(case)}/agreement, or let a source declare it (slo.availability.target).",
    )


@guard("items_answered", "Every item of the checklist is answered.")
def items_answered(case: Case) -> Iterator[Failure]:
    """Pass, fail, or not applicable with a reason."""
    review = case.outside.review
    if not review.items:
        yield "The review has no checklist.", f"Make one: POST {at(case)}/checklist."
    elif review.unanswered:
        shown = ", ".join(review.unanswered[:10]) + (" …" if len(review.unanswered) > 10 else "")
        yield (
            f"{len(review.unanswered)} of {review.items} items of the checklist are not answered: {shown}.",
            f"Answer each with pass, fail, or na and a reason: POST {at(case)}/checklist/answers.",
        )


@guard("incident_review", "Past incidents are reviewed.")
def incident_review(case: Case) -> Iterator[Failure]:
    """The analysis looks at incidents, postmortems and what followed from them (SRE book, chapter 32)."""
    if not case.outside.review.incident_review_done:
        yield (
            "The service's incidents are not reviewed.",
            f"Hold the review and POST its `conclusion` to {at(case)}/incident-review.",
        )


@guard("no_open_blocker", "No finding that bars support is open.")
def no_open_blocker(case: Case) -> Iterator[Failure]:
    """Defects that bar support are mended first."""
    for title in case.outside.review.open_blockers:
        yield (
            f"The finding {title!r} bars support and is open.",
            f"Verify what mends it, or close it with evidence: POST /api/engagements/findings/<its id>/state; "
            f"{at(case)}/findings tells the id.",
        )
    for item in case.outside.review.failing_items:
        yield (
            f"The checklist's item {item}, a blocker, is answered with fail.",
            f"Mend it and answer again: POST {at(case)}/checklist/answers.",
        )


@guard("plan_signed", "Development and SRE signed the improvement plan.")
def plan_signed(case: Case) -> Iterator[Failure]:
    """Improvements are negotiated and done together (SRE book, chapter 32)."""
    for side in ("dev_lead", "sre_lead"):
        if side not in case.outside.review.plan_signed_by:
            yield (
                f"The {side} has not signed the improvement plan.",
                f"Draw the plan up (POST {at(case)}/plan); the {side} signs it: POST {at(case)}/plan/signatures.",
            )


@guard("readiness", "The readiness level L3 is reached.")
def readiness(case: Case) -> Iterator[Failure]:
    """Waived checks do not apply, so a waiver can be what reaches the level."""
    needed = case.settings.gate_level
    if case.outside.level is None:
        yield (
            "The service's readiness was never judged.",
            "Judge it: `portal scorecards evaluate`, or connect a source of its facts.",
        )
    elif case.outside.level < needed:
        yield (
            f"The service's readiness is {case.outside.level}; {needed} is asked for.",
            "Mend the checks that fail (next steps of its scorecard), or have them waived by somebody else.",
        )


@guard("waivers_named", "The decision names every waiver that it rests on.", "waivers")
def waivers_named(case: Case) -> Iterator[Failure]:
    """Who takes a service over with waivers says so."""
    missing = sorted(set(case.outside.waived) - set(case.wish.waivers))
    if missing:
        yield (
            f"Checks are waived that the decision does not name: {', '.join(missing)}.",
            f"Name them in `waivers`: {json.dumps(missing)}.",
        )


@guard("criterion", "A criterion of early engagement is matched.")
def criterion(case: Case) -> Iterator[Failure]:
    """Early engagement is for what is worth it (SRE book, chapter 32)."""
    if case.outside.criteria or case.engagement.section("request").get("criteria"):
        return
    yield (
        "No criterion of early engagement is matched.",
        f"Name in `criteria` (PATCH {at(case)}/request) what holds, or annotate the service: its business value, its "
        "system, what it rewrites.",
    )


@guard("design_review", "A design review was held.")
def design_review(case: Case) -> Iterator[Failure]:
    """SRE takes part while changing the design is cheap."""
    if not case.outside.review.design_reviews:
        yield "No design review was held.", f"Hold one and record it: POST {at(case)}/design-reviews."


@guard("trade_offs", "The trade-offs of the design are on record.")
def trade_offs(case: Case) -> Iterator[Failure]:
    """Or that there are none."""
    if not case.outside.review.trade_offs_recorded:
        yield "No trade-off is on record.", f"Record them at {at(case)}/trade-offs, or say there that there are none."


@guard("launch_checklist", "The launch checklist is open.")
def launch_checklist(case: Case) -> Iterator[Failure]:
    """A launch is prepared by its checklist (SRE book, chapter 27)."""
    if not case.outside.review.launch_checklist_open:
        yield "No launch with a checklist is open.", f"Plan the launch: POST {at(case)}/launches."


@guard("launch_blockers", "No blocker fails on observability or emergency response.")
def launch_blockers(case: Case) -> Iterator[Failure]:
    """What goes live can be seen and stopped."""
    if case.outside.level is None:
        yield "The service's readiness was never judged.", "Judge it: `portal scorecards evaluate`."
    for axis in LAUNCH_AXES:
        for check in case.outside.failing_blockers.get(axis, ()):
            yield f"The check {check} ({axis}) fails and is a blocker.", "Mend it; its scorecard says how."


@guard("launched", "The launch is full, or was aborted.")
def launched(case: Case) -> Iterator[Failure]:
    """What is under way is not over."""
    stage = case.outside.review.launch_stage
    if stage not in {"full", "aborted"}:
        yield (
            f"The launch is {f'at the stage {stage}' if stage else 'not begun'}.",
            f"Go on to the stage full, or abort it; {at(case)}/launches tells its id and stages.",
        )


@guard("watched_long_enough", "90 days have passed since the launch, or the SRE lead decides with a reason.")
def watched_long_enough(case: Case) -> Iterator[Failure]:
    """Whether SRE runs it is decided on experience."""
    began = case.outside.review.launch_full_at or case.engagement.state_since
    lead_decides = case.principal.has_role(Role.SRE_LEAD) and case.wish.reason.strip()
    if case.now - began < case.settings.post_launch and not lead_decides:
        yield (
            f"It is watched since {began:%Y-%m-%d}, less than {case.settings.post_launch.days} days.",
            f"Wait until {began + case.settings.post_launch:%Y-%m-%d}, or let the SRE lead decide with a `reason`.",
        )


@guard("review_lead", "The lead of the review, or the SRE lead, decides.")
def review_lead(case: Case) -> Iterator[Failure]:
    """The first of the named reviewers leads."""
    leader = next(iter(case.engagement.reviewers), None)
    if case.principal.has_role(Role.SRE_LEAD) or case.principal.name == leader:
        return
    yield (
        f"{case.principal.name} does not lead the review of this engagement.",
        f"Let the SRE lead decide, or the review's lead, the first of its `reviewers` ({leader or 'none is named'}).",
    )


REVIEW_COMPLETE = (items_answered, incident_review, no_open_blocker, plan_signed, readiness, waivers_named)
"""What a completed review is, in every model."""


def at(case: Case) -> str:
    """Return where the engagement is read and written."""
    return f"/api/engagements/{case.engagement.id}"
