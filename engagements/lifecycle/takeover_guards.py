"""The guards of training, takeover, handing back and the platform. Pure; see `guards`."""

from collections.abc import Iterator
from datetime import timedelta

from engagements import tiers
from engagements.lifecycle.guards import Failure, at, guard
from engagements.lifecycle.states import (
    HAND_BACK_OUTCOMES,
    Aspect,
    Case,
    Duty,
    EngagementState,
    Holder,
    Outcome,
    Side,
    TrainingKind,
)
from engagements.tiers import Tier
from portal_backend.core.clock import parse_time
from portal_backend.core.principal import Role

NEVER_RUN_OUTCOMES = (Outcome.GRADUATED, Outcome.USAGE_BELOW_FORECAST, Outcome.IMPORTANCE_FELL)
"""How early engagement ends before a takeover: for the good, or because the service is not used or not needed."""
SIDES = {Side.DEV_LEAD: Role.DEV_LEAD, Side.SRE_LEAD: Role.SRE_LEAD}


def training_kinds(case: Case) -> list[str]:
    """Return the trainings that this engagement takes: the four, unless the agreement changed them with a reason."""
    agreed = case.engagement.section("agreement").get("training_kinds")
    return agreed if agreed is not None else [kind.value for kind in TrainingKind]


def attendance_asked(case: Case) -> float:
    """Return the share of the rotation that must attend each kind of training."""
    agreed = case.engagement.section("agreement").get("training_attendance")
    return case.settings.training_attendance if agreed is None else float(agreed)


def attendance(case: Case, kind: str) -> float | None:
    """Return the share of the rotation that attended a kind of training in this review; None when nobody held it."""
    sessions = [
        training
        for training in case.engagement.items("trainings")
        if training["kind"] == kind and training["review_round"] == case.engagement.review_round
    ]
    rotation = set(case.engagement.section("rotation").get("members", ()))
    if not sessions or not rotation:
        return None if not sessions else 0.0
    attended = {name for training in sessions for name in training["attendees"]}
    return len(attended & rotation) / len(rotation)


@guard("rotation_known", "The rotation that takes the service over is on record.")
def rotation_known(case: Case) -> Iterator[Failure]:
    """Attendance is counted against somebody."""
    if not case.engagement.section("rotation").get("members"):
        yield "Nobody said who is in the rotation that takes over.", f"PUT {at(case)}/rotation with its `members`."


@guard("trainings_held", "Each kind of training was held, and enough of the rotation attended.")
def trainings_held(case: Case) -> Iterator[Failure]:
    """Four kinds and 80 % of the rotation, unless the agreement changed them with a reason."""
    asked = attendance_asked(case)
    for kind in training_kinds(case):
        share = attendance(case, kind)
        if share is None:
            yield f"The training {kind} was not held.", f"Hold it and POST {at(case)}/trainings with kind {kind}."
        elif share < asked:
            yield (
                f"{share:.0%} of the rotation attended {kind}; {asked:.0%} is asked for.",
                f"Hold it again for those who missed it and POST {at(case)}/trainings.",
            )


@guard("responsibilities_transferred", "Every responsibility is shared or with SRE.")
def responsibilities_transferred(case: Case) -> Iterator[Failure]:
    """Responsibility passes aspect by aspect (SRE book, chapter 32)."""
    for aspect, holder in holders(case.engagement).items():
        if holder == Holder.DEV:
            yield (
                f"{aspect} is still with the developers.",
                f"PUT {at(case)}/transfers/{aspect} with holder shared or sre.",
            )


@guard("backup", "The developers back SRE up until a date to come.")
def backup(case: Case) -> Iterator[Failure]:
    """They know the service best for some time yet (SRE book, chapter 32)."""
    until = case.engagement.moment("backup", "until")
    if until is None or until <= case.now:
        yield (
            "Nobody said until when the developers back SRE up."
            if until is None
            else f"The developers' back-up ended on {until:%Y-%m-%d}.",
            f"PUT {at(case)}/backup with `until`, a time to come.",
        )


@guard("developers_share", "At least one developer stays in the rotation.")
def developers_share(case: Case) -> Iterator[Failure]:
    """A small part of operations stays with the developers (SRE workbook, chapter 18)."""
    if not case.engagement.section("backup").get("developers_in_rotation"):
        yield (
            "Nobody said how many developers stay in the rotation.",
            f"PUT {at(case)}/backup with `developers_in_rotation`, at least 1.",
        )


@guard("pager_shadow", "SRE took the pager for a spin, and shadowed on call after that.")
def pager_shadow(case: Case) -> Iterator[Failure]:
    """A trial week that judges criticality and actionability, then shadowing (Google's "CRE life lessons")."""
    shadow = case.engagement.section("pager_shadow")
    trial, watched = shadow.get("spin"), shadow.get("shadow")
    if not trial:
        yield "SRE has not had the pager for a spin.", f"PUT {at(case)}/pager-shadow/spin when the week is over."
    elif _length(trial) < case.settings.pager_trial:
        yield (
            f"The spin lasted {_length(trial).days} days; {case.settings.pager_trial.days} are asked for.",
            f"Go on, and PUT {at(case)}/pager-shadow/spin with the whole time.",
        )
    if not watched:
        yield "SRE has not shadowed on call.", f"PUT {at(case)}/pager-shadow/shadow when it is over."
    elif trial and parse_time(watched["ended_at"]) < parse_time(trial["ended_at"]):
        yield "The shadowing ended before the spin did.", "Shadow on call after the spin."
    for name, phase in (("spin", trial), ("shadow", watched)):
        if phase and parse_time(phase["ended_at"]) > case.now:
            yield f"The {name} ends only on {phase['ended_at'][:10]}.", "Wait until it is over."


@guard("both_sides_agree", "The leads of both sides agree to the takeover.")
def both_sides_agree(case: Case) -> Iterator[Failure]:
    """Whoever makes the move agrees by making it; the other side signs before."""
    if Role.ADMINISTRATOR in case.principal.roles:
        return
    signed = case.engagement.section("takeover_signatures")
    unsigned = [side for side in SIDES if side not in signed]
    mine = next((side for side in unsigned if case.principal.has_role(SIDES[side])), None)
    if mine and case.principal.name not in {each["by"] for each in signed.values()}:
        unsigned.remove(mine)
    for side in unsigned:
        yield (
            f"The {side} has not agreed to the takeover.",
            f"Let the {side} POST {at(case)}/takeover-signatures with side {side}.",
        )


@guard("tier_full_sre", "The rules of the tier full_sre are met: a review of the running revision, not being ended.")
def tier_full_sre(case: Case) -> Iterator[Failure]:
    """No takeover without a review."""
    yield from _tier_move(case, Tier.FULL_SRE)


@guard("tier_platform", "The rules of the tier platform are met: conformance, uniform capabilities, on-call split.")
def tier_platform(case: Case) -> Iterator[Failure]:
    """Ruling 7: conformance, all four uniform capabilities and the split of on-call duties."""
    yield from _tier_move(case, Tier.PLATFORM)


@guard("tier_documentation", "The platform can be left: its framework left support, and the platform's owner says so.")
def tier_documentation(case: Case) -> Iterator[Failure]:
    """A service leaves the platform when its framework leaves support."""
    if case.outside.tier is not Tier.PLATFORM:
        return
    if not case.principal.has_role(Role.PLATFORM_OWNER):
        yield "The service is in the tier platform, which only the platform_owner ends.", "Let a platform_owner do it."
    yield from _tier_move(case, Tier.DOCUMENTATION)


@guard("tier_afterwards", "The service can be moved to the tier that was agreed.")
def tier_afterwards(case: Case) -> Iterator[Failure]:
    """A lower tier; the platform has conditions of its own."""
    wanted = tier_after(case)
    if wanted is Tier.FULL_SRE:
        yield "Handing back to full_sre hands nothing back.", "Name documentation, consultation or platform in `tier`."
    elif case.taken_over:
        yield from _tier_move(case, wanted)


def tier_after(case: Case) -> Tier:
    """Return which tier a service gets when it was handed back: what was agreed, documentation otherwise."""
    return case.wish.tier or Tier(case.engagement.section("notice").get("tier") or Tier.DOCUMENTATION)


def _tier_move(case: Case, wanted: Tier) -> Iterator[Failure]:
    current, circumstances = case.outside.tier, case.outside.tiers
    renewed = current is wanted is Tier.FULL_SRE
    decision = tiers.judge_move(Tier.DOCUMENTATION if renewed else current, wanted, case.principal, circumstances)
    for obstacle in decision.obstacles:
        if obstacle.guard != "role" and not (renewed and obstacle.guard == "lifecycle"):
            yield obstacle.message, obstacle.remedy


@guard(
    "outcome",
    "The reason is one of the five outcomes; what SRE never ran ends for the good or for lack of use.",
    "outcome",
)
def outcome(case: Case) -> Iterator[Failure]:
    """Why a service is handed back is typed, never a free text alone."""
    if case.wish.outcome not in HAND_BACK_OUTCOMES:
        named = HAND_BACK_OUTCOMES if case.taken_over else NEVER_RUN_OUTCOMES
        yield "No outcome is named.", f"Name one of {', '.join(named)} in `outcome`."
    elif not case.taken_over and case.wish.outcome not in NEVER_RUN_OUTCOMES:
        yield (
            f"SRE never ran the service, so it cannot be handed back as {case.wish.outcome}.",
            f"Name one of {', '.join(NEVER_RUN_OUTCOMES)}, or withdraw it (`to: withdrawn`).",
        )


@guard("outcome_holds", "What is known does not speak against the outcome, and the rest is stated.")
def outcome_holds(case: Case) -> Iterator[Failure]:
    """What is measured bars a graduation, and the claim that usage stays low; what no source measures of a
    graduation somebody states, and says what it rests on.
    """
    for sentence in case.outside.rule.against:
        yield (
            f"The outcome {case.wish.outcome} is contradicted: {sentence}",
            "Wait until it holds, or name another outcome.",
        )
    if case.outside.rule.unknown and not case.wish.evidence.strip():
        yield (
            f"No source says whether it holds: {', '.join(case.outside.rule.unknown)}.",
            "Say in `evidence` what that rests on (a document's address, who stated it).",
        )


@guard("forecast_captured", "A forecast was captured, where usage stayed below it.")
def forecast_captured(case: Case) -> Iterator[Failure]:
    """Without a forecast nothing is below it."""
    below = case.wish.outcome is Outcome.USAGE_BELOW_FORECAST
    if below and case.engagement.section("request").get("usage_forecast_rps") is None:
        yield "No forecast of its usage was captured.", "Name another outcome."


@guard("notice", "30 days of notice are given, or the SRE manager forces it.")
def notice(case: Case) -> Iterator[Failure]:
    """The developers need time to take it back."""
    until, forced = case.wish.notice_until, _forced(case)
    if case.taken_over and until and until < case.now + case.settings.notice and not forced:
        yield (
            f"The notice ends on {until:%Y-%m-%d}, less than {case.settings.notice.days} days ahead.",
            "Leave `notice_until` out or name a later time; the SRE manager may send `forced: true`.",
        )


@guard("ladder", "A neglected service was escalated, and its pager returned, before that.")
def ladder(case: Case) -> Iterator[Failure]:
    """Handing back is the last step, not the first (SRE workbook, chapter 18)."""
    if case.wish.outcome is not Outcome.NEGLECTED or not case.taken_over or _forced(case):
        return
    if not case.engagement.items("escalations"):
        yield "Nothing was escalated.", f"Climb the ladder first: POST {at(case)}/escalations."
    if not case.engagement.section("pager").get("returned_at"):
        yield "The pager was not returned for a while.", f"PUT {at(case)}/pager with carrier dev and a date of review."


@guard("force_allowed", "Only the SRE manager forces a hand-back.")
def force_allowed(case: Case) -> Iterator[Failure]:
    """To skip notice and ladder is a decision of its own."""
    if case.wish.forced and not case.principal.has_role(Role.SRE_MANAGER):
        yield f"{case.principal.name} may not force a hand-back.", "Leave `forced` out, or let the SRE manager do it."


@guard("launch_is_old_enough", "A service that SRE never ran graduates 90 days after its launch or later.")
def launch_is_old_enough(case: Case) -> Iterator[Failure]:
    """Ruling 2: stable and cheap to keep shows only in operation."""
    if case.taken_over or case.wish.outcome is not Outcome.GRADUATED:
        return
    launched_at = case.outside.review.launch_full_at
    if launched_at is None:
        yield "The service was not launched in full.", "Launch it first, or name another outcome."
    elif case.now - launched_at < case.settings.post_launch:
        yield (
            f"It was launched on {launched_at:%Y-%m-%d}, less than {case.settings.post_launch.days} days ago.",
            f"Wait until {launched_at + case.settings.post_launch:%Y-%m-%d}.",
        )


@guard("notice_over", "The notice is over, or the SRE manager forces it.")
def notice_over(case: Case) -> Iterator[Failure]:
    """A promise of time is kept."""
    until = case.engagement.moment("notice", "until")
    if case.taken_over and until and case.now < until and not _forced(case):
        yield (
            f"The notice runs until {until:%Y-%m-%d}.",
            "Wait; the SRE manager may send `forced: true`.",
        )


@guard("responsibilities_back", "Every responsibility is back with the developers.")
def responsibilities_back(case: Case) -> Iterator[Failure]:
    """What was transferred goes back the same way, aspect by aspect."""
    if not case.taken_over:
        return
    for aspect, holder in holders(case.engagement).items():
        if holder != Holder.DEV:
            lies = f"The responsibility for {aspect.replace('_', ' ')} lies with {holder}."
            yield lies, f"PUT {at(case)}/transfers/{aspect} with holder dev."


@guard("duties", "The rota is live, the runbooks are handed over, the developers trained, the ledger freed.")
def duties(case: Case) -> Iterator[Failure]:
    """What a hand-back takes."""
    if not case.taken_over:
        return
    done = case.engagement.section("hand_back")
    for duty, missing in _DUTIES.items():
        if duty.value not in done:
            yield missing, f"PUT {at(case)}/hand-back/{duty}."


_DUTIES = {
    Duty.DEV_ROTA_LIVE: "The developers' rotation is not live.",
    Duty.RUNBOOKS_HANDED: "The runbooks are not handed over.",
    Duty.REVERSE_TRAINING: "SRE has not trained the developers.",
    Duty.LEDGER_FREED: "The freed capacity is not posted to the ledger.",
}


@guard("lessons", "A lesson is recorded, or it is said that there is none.")
def lessons(case: Case) -> Iterator[Failure]:
    """What SRE learned goes on (SRE book, chapter 32)."""
    review = case.outside.review
    if not review.lessons and not review.lessons_none_declared:
        yield (
            "No lesson is recorded, nor was it said that there is none.",
            f"POST {at(case)}/lessons; or, where there is none, POST {at(case)}/lessons/none with a reason.",
        )


@guard("modules_chosen", "The modules of the framework are chosen.")
def modules_chosen(case: Case) -> Iterator[Failure]:
    """What a service is built on is written down."""
    if not case.engagement.items("modules"):
        yield "No module is chosen.", f"PUT {at(case)}/modules."


@guard("conformance_passes", "The conformance tests pass on a supported version.")
def conformance_passes(case: Case) -> Iterator[Failure]:
    """Measured where a source says it, reported otherwise."""
    says = case.outside.tiers
    if not says.conformance_passed:
        yield (
            "The framework's conformance tests fail."
            if says.conformance_passed is False
            else "Nobody says whether the framework's conformance tests pass.",
            f"Make them pass, and let a source report it (fw.conformance.pass) or PUT {at(case)}/conformance.",
        )
    if not says.framework_supported:
        yield (
            "The framework's version is not supported."
            if says.framework_supported is False
            else "Nobody says whether the framework's version is supported.",
            f"Use a supported version, reported by a source (fw.version.supported) or PUT {at(case)}/conformance.",
        )


@guard("conformance_lost", "Conformance is lost.")
def conformance_lost(case: Case) -> Iterator[Failure]:
    """Nobody goes back to adopting while everything passes."""
    says = case.outside.tiers
    if says.conformance_passed is not False and says.framework_supported is not False:
        yield "Conformance is not lost.", "There is nothing to adopt anew."


def holders(engagement: EngagementState) -> dict[str, str]:
    """Return who has each responsibility; the developers, until it was transferred."""
    transfers = engagement.section("transfers")
    return {aspect.value: transfers.get(aspect.value, {}).get("holder", Holder.DEV) for aspect in Aspect}


def _forced(case: Case) -> bool:
    return case.wish.forced and case.principal.has_role(Role.SRE_MANAGER)


def _length(phase: dict[str, str]) -> timedelta:
    return parse_time(phase["ended_at"]) - parse_time(phase["began_at"])
