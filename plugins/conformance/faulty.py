"""What a connector does with answers that are late, refused, cut, huge, empty, double or of no sense."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from plugins.conformance import spoiling
from plugins.conformance.case import Case, Ending, Question, Reply
from plugins.conformance.observing import PATIENT, pull, require, require_nothing_else, require_same
from plugins.conformance.running import good_pull, positions, require_failure, scenario, spoilt_pull
from plugins.conformance.serving import Front, Injection
from plugins.contract import FailureKind
from plugins.http_client import Limits
from portal_backend.core import clock

SMALL_BODY = 4 * 1024 * 1024
HASTY = Limits(connect_seconds=5, read_seconds=0.4, total_seconds=20, attempts=1)
NARROW = Limits(connect_seconds=5, read_seconds=60, total_seconds=120, body_bytes=SMALL_BODY, attempts=1)
BUFFERED_BYTES = 16 * 1024 * 1024
"""What may be on its way in sockets when a client hangs up."""
LONG_WAIT_SECONDS = 3600
TICKING_SECONDS = 60
"""What may go by on a busy machine while an hour is told."""
SKEW = timedelta(minutes=10)


@scenario
def a_429_is_waited_out(case: Case, front: Front) -> None:
    """Too many requests, with Retry-After or with rate headers, once: the pull goes on to its end."""
    good = good_pull(case, front)
    now = str(int(clock.now().timestamp()))
    for headers in (
        {"Retry_After": "0"},
        {"RateLimit_Reset": "0"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": now},
    ):
        for position in positions(good.requests)[:2]:
            reply = spoiling.refusal(429, **headers)
            require_same(good, spoilt_pull(case, front, spoiling.only_at(position, reply)), f"a 429 with {headers}")


@scenario
def a_429_for_long_is_told(case: Case, front: Front) -> None:
    """Too many requests for the next hour: PullFailed(rate_limited) says how long, and nothing is hammered."""
    good = good_pull(case, front)
    an_hour = str(LONG_WAIT_SECONDS)
    limited = [(position, 429, {"Retry_After": an_hour}) for position in positions(good.requests)]
    limited.append((0, 429, {"RateLimit_Reset": an_hour}))
    then = str(int(clock.now().timestamp()) + LONG_WAIT_SECONDS)
    limited.append((0, 403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": then}))
    for position, status, headers in limited:
        outcome = spoilt_pull(case, front, spoiling.from_then_on(position, spoiling.refusal(status, **headers)))
        when = f"{status} with {headers} from request {position} on"
        require_failure(outcome, FailureKind.RATE_LIMITED, when)
        require_nothing_else(good, outcome, when)
        waits = (outcome.failure.retry_after_seconds if outcome.failure else None) or 0.0
        require(abs(waits - LONG_WAIT_SECONDS) <= TICKING_SECONDS, f"{when}: retry_after_seconds is {waits}")
        require(outcome.requests <= position + 2, f"{when}: {outcome.requests - position} more requests were made")


@scenario
def an_outage_that_passes_is_waited_out(case: Case, front: Front) -> None:
    """A 503, or a connection that is cut in the middle of a body, once: the pull goes on to its end."""
    good = good_pull(case, front)
    for position in positions(good.requests)[:2]:
        away = spoiling.only_at(position, spoiling.refusal(503))
        require_same(good, spoilt_pull(case, front, away), f"a 503 to request {position}")
        cut = spoiling.at(position, spoiling.ends(Ending.CUT), last=position)
        require_same(good, spoilt_pull(case, front, cut), f"a cut answer to request {position}")


@scenario
def an_outage_that_stays_is_told(case: Case, front: Front) -> None:
    """5xx to everything, cut connections and a closed port are told as such, and no fact comes of them."""
    for status, kind in ((500, FailureKind.BAD_ANSWER), (503, FailureKind.UNREACHABLE)):
        outcome = spoilt_pull(case, front, spoiling.from_then_on(0, spoiling.refusal(status)))
        require_failure(outcome, kind, f"{status} to everything")
        require(not outcome.facts, f"{status} to everything gave {outcome.facts[:2]}")
    outcome = spoilt_pull(case, front, spoiling.at(0, spoiling.ends(Ending.CUT)))
    require_failure(outcome, FailureKind.UNREACHABLE, "every connection cut")
    require(not outcome.facts, f"cut connections gave {outcome.facts[:2]}")
    require_failure(pull(case, front, url="http://127.0.0.1:9"), FailureKind.UNREACHABLE, "nobody listens")


@scenario
def an_outage_in_mid_pull_invents_nothing(case: Case, front: Front) -> None:
    """What could not be read gives no fact, never another one; the pull tells the failure or the fault."""
    good = good_pull(case, front)
    spoils: Mapping[str, Callable[[Question], Reply]] = {
        "500": spoiling.refusal(500),
        "503": spoiling.refusal(503),
        "403": spoiling.refusal(403),
        "a web page": spoiling.web_page,
    }
    for position in positions(good.requests):
        for name, reply in spoils.items():
            for inject in (spoiling.only_at, spoiling.from_then_on):
                outcome = spoilt_pull(case, front, inject(position, reply), replace(PATIENT, attempts=1))
                when = f"{name} {inject.__name__} request {position}"
                require_nothing_else(good, outcome, when)
                told = outcome.failure is not None or outcome.faults
                require(bool(told) or outcome.values.keys() == good.values.keys(), f"{when}: facts fell out in silence")


@scenario
def silence_in_mid_body_is_told(case: Case, front: Front) -> None:
    """A body that stops half-way is a time-out, and no fact comes of it."""
    good = good_pull(case, front)
    outcome = spoilt_pull(case, front, spoiling.at(0, spoiling.ends(Ending.SILENT)), HASTY)
    require_failure(outcome, FailureKind.TIMEOUT, "silence in the middle of every body")
    require(not outcome.facts, f"silence gave {outcome.facts[:2]}")
    last = good.requests - 1
    silent = spoiling.at(last, spoiling.ends(Ending.SILENT), last=last)
    later = spoilt_pull(case, front, silent, replace(HASTY, read_seconds=1.5))
    require_nothing_else(good, later, "silence in the last body")


@scenario
def revoked_credentials_are_told(case: Case, front: Front) -> None:
    """A 401 in mid-pull is PullFailed(credentials), whatever had been read before."""
    good = good_pull(case, front)
    for position in positions(good.requests):
        outcome = spoilt_pull(case, front, spoiling.from_then_on(position, spoiling.refusal(401)))
        when = f"401 from request {position} on"
        require_failure(outcome, FailureKind.CREDENTIALS, when)
        require_nothing_else(good, outcome, when)


@scenario
def a_refusal_is_told_without_services(case: Case, front: Front) -> None:
    """A 401 is PullFailed(credentials) also where no service is tied to the system: who asks nothing proves nothing."""
    untied = [replace(target, annotations={}) for target in case.targets]
    for targets, whose in (([], "no services"), (untied, "services without annotations")):
        front.start_over(spoiling.from_then_on(0, spoiling.refusal(401)))
        require_failure(pull(case, front, targets=targets), FailureKind.CREDENTIALS, f"401 to everything, with {whose}")


@scenario
def no_permission_is_not_nothing(case: Case, front: Front) -> None:
    """A 403 is PullFailed(permission): what may not be seen is neither absent nor misconfigured."""
    outcome = spoilt_pull(case, front, spoiling.from_then_on(0, spoiling.refusal(403)))
    require_failure(outcome, FailureKind.PERMISSION, "403 to everything")
    require(not outcome.facts, f"403 to everything gave {outcome.facts[:2]}")


@scenario
def a_huge_body_is_refused(case: Case, front: Front) -> None:
    """200 MB are refused at the limit, packed or not, and no more than that is read."""
    for name, reply in (("200 MB", spoiling.huge), ("200 MB, packed", spoiling.packed)):
        outcome = spoilt_pull(case, front, spoiling.from_then_on(0, reply), NARROW)
        require_failure(outcome, FailureKind.BAD_ANSWER, name)
        require(not outcome.facts, f"{name} gave {outcome.facts[:2]}")
        taken = front.largest_sent
        require(taken <= SMALL_BODY + BUFFERED_BYTES, f"{taken:,} bytes were read of {name}")


@scenario
def a_web_page_is_no_answer(case: Case, front: Front) -> None:
    """HTML in the place of JSON is PullFailed(bad_answer), and no fact comes of it."""
    outcome = spoilt_pull(case, front, spoiling.from_then_on(0, spoiling.web_page))
    require_failure(outcome, FailureKind.BAD_ANSWER, "a web page for everything")
    require(not outcome.facts, f"web pages gave {outcome.facts[:2]}")


@scenario
def a_wrong_shape_is_no_answer(case: Case, front: Front) -> None:
    """JSON of another shape gives PullFailed or faults, and no fact that good answers do not give."""
    good = good_pull(case, front)
    for body in spoiling.SHAPES:
        for position in positions(good.requests):  # the rules of every pull are checked
            spoilt_pull(case, front, spoiling.only_at(position, spoiling.shaped(body)))
        spoilt_pull(case, front, spoiling.from_then_on(0, spoiling.shaped(body)))
        if body in spoiling.NO_ANSWERS:
            outcome = spoilt_pull(case, front, spoiling.from_then_on(0, spoiling.shaped(body)))
            require_failure(outcome, FailureKind.BAD_ANSWER, f"{body!r} for everything")
            require(not outcome.facts, f"{body!r} for everything gave {outcome.facts[:2]}")


@scenario
def empty_lists_are_understood(case: Case, front: Front) -> None:
    """A system in which there is nothing yet is read without an error of the connector's own."""
    spoilt_pull(case, front, spoiling.rewritten(spoiling.emptied))


@scenario
def duplicates_count_once(case: Case, front: Front) -> None:
    """An entry that comes twice, as when it moves from one page to the next, changes nothing."""
    good = good_pull(case, front)
    outcome = spoilt_pull(case, front, spoiling.rewritten(spoiling.doubled))
    require_same(good, outcome, "every entry twice")
    again = [(event.ref, event.source_event_id) for event in outcome.events]
    require(len(again) == len(set(again)), "an event comes twice in one pull")


@scenario
def order_does_not_matter(case: Case, front: Front) -> None:
    """Entries in the opposite order mean the same."""
    good = good_pull(case, front)
    require_same(good, spoilt_pull(case, front, spoiling.rewritten(spoiling.turned_round)), "in the opposite order")


@scenario
def a_spoilt_entry_harms_no_other(case: Case, front: Front) -> None:
    """Entries that make no sense cost no service its facts."""
    good = good_pull(case, front)
    require_same(
        good, spoilt_pull(case, front, spoiling.rewritten(spoiling.with_strangers)), "with entries of no sense"
    )


@scenario
def one_services_fault_harms_no_other(case: Case, front: Front) -> None:
    """Where a system is asked thing by thing, one that fails leaves the facts of the others alone."""
    good = good_pull(case, front)
    for ref, prefix in case.own_paths.items():
        others = {key: value for key, value in good.values.items() if key[0] != ref}
        require(bool(others), f"own_paths names {ref}, and no other service has facts")
        for status in (403, 404, 500):
            outcome = spoilt_pull(case, front, _to_paths(prefix, spoiling.refusal(status)))
            require(outcome.failure is None, f"{status} below {prefix} ended the whole pull: {outcome.failure}")
            lost = sorted(others.keys() - outcome.values.keys())
            require(not lost, f"{status} below {prefix} cost others {lost[:5]}")
            require_nothing_else(good, outcome, f"{status} below {prefix}")
            require(bool(outcome.faults), f"{status} below {prefix} is not told as a fault")


def _to_paths(prefix: str, reply: Callable[[Question], Reply]) -> Injection:
    return lambda question, good: reply(question) if question.path.startswith(prefix) else good()


@scenario
def a_wrong_clock_brings_no_future(case: Case, front: Front) -> None:
    """A system whose clock is ten minutes ahead or behind is read; nothing was observed in our future."""
    at = case.now or clock.now()
    for now in (at - SKEW, at + SKEW):
        front.start_over()
        outcome = pull(case, front, now=now)  # which checks observed_at
        require(outcome.failure is None, f"with our clock at {now}: {outcome.failure}")
        require(bool(outcome.facts), f"with our clock at {now} no fact came; faults: {outcome.faults[:3]}")
