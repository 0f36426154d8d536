"""Launches: planned with a checklist, taken from the dark to full traffic, or aborted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records
from engagements.records import Change, Place
from engagements.reviews import templates
from engagements.reviews.launching.models import Launch
from engagements.reviews.launching.moves import StageWish, may_go_back_to, obstacles, warnings
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import Answer
from engagements.reviews.words import LaunchStage as Stage
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.principal import Principal, Role

LAUNCHERS = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.LAUNCH_COORDINATOR)
SIGNATORIES = (Role.LAUNCH_COORDINATOR, Role.SRE_LEAD)


@dataclass(frozen=True)
class NewLaunch:
    """A launch that is planned."""

    name: str
    planned_at: datetime | None = None
    id: str | None = None


@dataclass(frozen=True)
class LaunchAnswer:
    """What somebody answers to an item of the launch checklist."""

    item: str
    answer: Answer
    reason: str = ""
    evidence_url: str = ""


def plan(
    session: Session, settings: ReviewSettings, place: Place, new: NewLaunch, principal: Principal, now: datetime
) -> Launch:
    """Plan a launch and open its checklist; the same name is the same launch, and another time moves it."""
    records.require_role(principal, "plan a launch", *LAUNCHERS)
    template = templates.load(settings.template_folder)[templates.LAUNCH]
    request = records.digest([new.name, place.engagement_id])
    launch_id = records.identity(new.id, Launch.__tablename__, place.entity_ref, place.engagement_id, new.name)
    known = records.known(session, Launch, launch_id, place, request)
    if known is not None:
        return _replanned(session, known, new, principal, now)
    row = records.fresh(
        Launch, launch_id, place, request, name=new.name, planned_at=new.planned_at, stage=Stage.PLANNED.value,
        stages=[], full_at=None, checklist={
            "template": template.name, "version": template.version, "digest": template.digest,
            "items": [dict(item) for item in template.items],
        }, answers={}, signed_by=None, signed_at=None,
    )  # fmt: skip
    records.write(session, [Change(row, "launch.planned", f"Launch planned: {new.name}")], principal, now)
    return row


def answer(
    session: Session, launch: Launch, given: Sequence[LaunchAnswer], principal: Principal, now: datetime
) -> Launch:
    """Answer items of a launch's checklist; a signed checklist takes another answer only after its signature is gone.

    Raises InvalidInput that names every item that is not on it or lacks its reason.
    """
    records.require_role(principal, "answer a launch checklist", *LAUNCHERS)
    keys = {item["key"] for item in launch.checklist["items"]}
    faults = [fault for i, each in enumerate(given) for fault in _answer_faults(f"answers[{i}]", each, keys)]
    if faults:
        raise InvalidInput("None of these answers was taken; mend what is wrong and send all again.", faults)
    changed = {each.item: each for each in given if not _says_already(launch.answers.get(each.item), each)}
    if not changed:
        return launch
    said = {
        key: {"answer": each.answer.value, "reason": each.reason, "evidence_url": each.evidence_url,
              "by": principal.name, "at": format_time(now)}
        for key, each in changed.items()
    }  # fmt: skip
    launch.answers = {**launch.answers, **said}
    launch.signed_by, launch.signed_at = None, None
    summary = f"Launch checklist answered: {', '.join(sorted(changed))}."
    records.write(session, [Change(launch, "launch.checklist_answered", summary)], principal, now)
    return launch


def sign(session: Session, launch: Launch, principal: Principal, now: datetime) -> Launch:
    """Sign a launch's checklist; signed, it stays. Raises Conflict while items are unanswered or blockers fail."""
    if launch.signed_by is not None:
        return launch
    faults = [
        Fault(f"items.{key}", f"Answer it: POST /api/engagements/launches/{launch.id}/answers.")
        for key in unanswered(launch)
    ]
    faults += [
        Fault(f"items.{item['key']}", f"It fails and bars the launch: {item['question']}")
        for item in launch.checklist["items"]
        if item["severity"] == "blocker" and launch.answers.get(item["key"], {}).get("answer") == Answer.FAIL
    ]
    if faults:
        raise Conflict(f"The launch checklist cannot be signed: {len(faults)} items stand in the way.", faults)
    if not principal.has_role(*SIGNATORIES):
        names = ", ".join(SIGNATORIES)
        raise NotAllowed(f"{principal.name} may not sign a launch checklist: it takes one of the roles {names}.")
    launch.signed_by, launch.signed_at = principal.name, now
    summary = f"Launch checklist of {launch.name} signed by {principal.name}."
    records.write(session, [Change(launch, "launch.checklist_signed", summary)], principal, now)
    return launch


def enter(
    session: Session, settings: ReviewSettings, launch: Launch, wish: StageWish, principal: Principal, now: datetime
) -> tuple[Launch, list[str]]:
    """Enter a stage and return what is risky about it; the stage and share of traffic that it has already, it keeps.

    Raises Conflict with everything that stands in the way.
    """
    records.require_role(principal, "move a launch", *LAUNCHERS)
    last = launch.stages[-1] if launch.stages else None
    if last and (last["stage"], last["traffic_percent"]) == (wish.stage.value, wish.traffic_percent) == (
        launch.stage,
        wish.traffic_percent,
    ):
        return launch, []
    faults = obstacles(Stage(launch.stage), launch.stages, wish, launch.signed_by is not None, unanswered(launch))
    if faults:
        raise Conflict(f"The launch cannot enter {wish.stage}: " + " ".join(fault.message for fault in faults), faults)
    risks = warnings(launch.stages, wish, settings.largest_launch_step_percent)
    entry = {
        "stage": wish.stage.value, "traffic_percent": wish.traffic_percent, "started_at": format_time(now),
        "ended_at": None, "abort_rule": wish.abort_rule, "reason": wish.reason, "outcome": None,
        "answers_discarded": wish.stage is Stage.DARK, "warnings": risks,
    }  # fmt: skip
    launch.stages = [*_ended(launch.stages, now, "passed"), entry]
    launch.stage = wish.stage.value
    launch.full_at = now if wish.stage is Stage.FULL else launch.full_at
    summary = f"Launch {launch.name} entered {wish.stage} at {wish.traffic_percent:g} % of the traffic."
    details = {"stage": wish.stage.value, "traffic_percent": wish.traffic_percent, "launch": launch.name}
    records.write(session, [Change(launch, "launch.stage_entered", summary, details=details)], principal, now)
    return launch, risks


def abort(
    session: Session, launch: Launch, reason: str, back_to: Stage | None, principal: Principal, now: datetime
) -> Launch:
    """Abort a launch for good, or go back to an earlier stage of it. One that was aborted for good stays so.

    Raises Conflict when it is at its end, or was never in that stage.
    """
    records.require_role(principal, "abort a launch", *LAUNCHERS)
    present = Stage(launch.stage)
    if present is Stage.ABORTED and back_to is None:
        return launch
    if present is Stage.ABORTED or (back_to is not None and not may_go_back_to(present, back_to, launch.stages)):
        been = [each["stage"] for each in launch.stages]
        raise Conflict(
            f"The launch is in {present} and cannot go back to {back_to}: it has been in {', '.join(been) or 'none'}.",
            [Fault("back_to", "name an earlier stage that it has been in, or leave it out to end the launch")],
        )
    entries = _ended(launch.stages, now, "aborted")
    if back_to is not None:
        earlier = next(each for each in reversed(launch.stages) if each["stage"] == back_to)
        again = {"started_at": format_time(now), "ended_at": None, "outcome": None, "reason": reason}
        entries = [*entries, {**earlier, **again}]
    launch.stages, launch.stage = entries, (back_to or Stage.ABORTED).value
    launch.full_at = None
    summary = f"Launch {launch.name} aborted in {present}" + (f", back to {back_to}" if back_to else "") + f": {reason}"
    details = {"from": present.value, "to": launch.stage, "reason": reason, "launch": launch.name}
    records.write(session, [Change(launch, "launch.aborted", summary, details=details)], principal, now)
    return launch


def _replanned(session: Session, launch: Launch, new: NewLaunch, principal: Principal, now: datetime) -> Launch:
    if new.planned_at is None or new.planned_at == launch.planned_at:
        return launch
    launch.planned_at = new.planned_at
    summary = f"Launch {launch.name} is planned for {format_time(new.planned_at)} now."
    records.write(session, [Change(launch, "launch.planned", summary)], principal, now)
    return launch


def unanswered(launch: Launch) -> list[str]:
    """Return the items of a launch's checklist that nobody answered."""
    return [item["key"] for item in launch.checklist["items"] if item["key"] not in launch.answers]


def of_service(session: Session, ref: str) -> list[Launch]:
    """Return the launches of a service, the latest planned first."""
    query = select(Launch).where(Launch.entity_ref == ref)
    return list(session.scalars(query.order_by(Launch.created_at.desc(), Launch.id)))


def of_engagement(session: Session, engagement_id: str) -> list[Launch]:
    """Return the launches of an engagement, the latest planned first."""
    query = select(Launch).where(Launch.engagement_id == engagement_id)
    return list(session.scalars(query.order_by(Launch.created_at.desc(), Launch.id)))


def form(launch: Launch) -> dict[str, Any]:
    """Return a launch as it is answered."""
    items = [{**item, "given": launch.answers.get(item["key"])} for item in launch.checklist["items"]]
    answered = len(items) - len(unanswered(launch))
    return {
        **records.plain(launch),
        "created_at": launch.created_at, "changed_at": launch.changed_at, "planned_at": launch.planned_at,
        "full_at": launch.full_at, "signed_at": launch.signed_at,
        "checklist": {**launch.checklist, "items": items, "answered": answered, "total": len(items)},
    }  # fmt: skip


def _ended(entries: Sequence[Mapping[str, Any]], now: datetime, outcome: str) -> list[dict[str, Any]]:
    if not entries:
        return []
    *earlier, last = entries
    closed = {**last, "ended_at": last["ended_at"] or format_time(now), "outcome": last["outcome"] or outcome}
    return [*(dict(entry) for entry in earlier), closed]


def _answer_faults(path: str, given: LaunchAnswer, keys: set[str]) -> list[Fault]:
    if given.item not in keys:
        return [Fault(f"{path}.item", f"{given.item!r} is not on this launch checklist")]
    if given.answer is not Answer.PASS and not given.reason:
        return [Fault(f"{path}.reason", f"{given.answer} needs its reason")]
    return []


def _says_already(said: Mapping[str, Any] | None, given: LaunchAnswer) -> bool:
    if said is None:
        return False
    return (said["answer"], said["reason"], said["evidence_url"]) == (given.answer, given.reason, given.evidence_url)
