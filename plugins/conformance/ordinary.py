"""What a connector does with good answers: what it declares, yields, repeats, and what that costs."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from plugins.conformance import spoiling
from plugins.conformance.case import Case, NotConforming, Paged, Question, Reply
from plugins.conformance.declarations import check_declarations
from plugins.conformance.observing import (
    PATIENT,
    Outcome,
    context,
    crowd,
    pull,
    require,
    require_nothing_else,
    require_same,
)
from plugins.conformance.running import good_pull, scenario
from plugins.conformance.serving import Front, Injection
from plugins.contract import FailureKind, PullContext, PullFailed
from plugins.transport.conditional import InMemory

LARGE_CATALOG = 500
ODD_CURSORS = (
    "no cursor {]",
    "null",
    "[]",
    "{}",
    "17",
    '"text"',
    '{"read_at": 5}',
    '{"runs": [1]}',
    "\x00",
    "é" * 5000,
)


@scenario
def declares_itself(case: Case, _front: Front) -> None:
    """Name, title, facts with description and age, annotations, permissions and options are declared."""
    check_declarations(case.connector)


@scenario
def good_answers_give_the_expected(case: Case, front: Front) -> None:
    """Good answers give the expected facts and events."""
    good = good_pull(case, front)
    wrong = {key: good.values.get(key) for key, value in case.expected.items() if good.values.get(key) != value}
    require(not wrong, f"these facts came otherwise than expected: {wrong}; faults: {good.faults[:3]}")
    missing = set(case.expected_events) - {event.source_event_id for event in good.events}
    require(not missing, f"these events are missing: {sorted(missing)[:5]}; there are {sorted(good.event_ids)[:5]}")


@scenario
def every_page_is_read(case: Case, front: Front) -> None:
    """Where answers come in pages (`Paged`), none of them is left out."""
    good_pull(case, front)
    for path, pages in case.answers.items():
        if isinstance(pages, Paged):
            asked = {pages.asked(question.query) for question in front.questions if question.path == path}
            unread = [page for page in pages.pages if page not in asked]
            require(not unread, f"of {path} these pages were never asked for: {unread[:5]}")


@scenario
def an_empty_page_is_not_the_last(case: Case, front: Front) -> None:
    """Where pages name the next one by a `Link` header, one without entries (none may be seen) ends no list."""
    for path, pages in case.answers.items():
        if isinstance(pages, Paged) and pages.links:
            front.start_over(_emptied_first_page(path, pages))
            outcome = pull(case, front)
            require(outcome.failure is None, f"an empty first page of {path}: {outcome.failure}")
            asked = {pages.asked(question.query) for question in front.questions if question.path == path}
            unread = [page for page in pages.pages if page not in asked]
            require(not unread, f"behind an empty page of {path} these were never asked for: {unread[:5]}")


def _emptied_first_page(path: str, pages: Paged) -> Injection:
    empty = spoiling.rewritten(spoiling.emptied)

    def inject(question: Question, good: Callable[[], Reply]) -> Reply:
        first = question.path == path and pages.asked(question.query) == pages.first
        return empty(question, good) if first else good()

    return inject


@scenario
def check_says_what_answered(case: Case, front: Front) -> None:
    """`check` returns a sentence for good answers, and raises PullFailed of the right kind for refusals."""
    require(_checked(case, front.url).strip() != "", "check returned no sentence")
    for status, kind in ((401, FailureKind.CREDENTIALS), (403, FailureKind.PERMISSION)):
        front.start_over(spoiling.from_then_on(0, spoiling.refusal(status)))
        try:
            _checked(case, front.url)
        except PullFailed as failure:
            require(failure.kind is kind, f"check says {failure.kind} of a {status}, not {kind}")
            require(case.secret not in failure.message, "check repeats the secret")
        else:
            raise NotConforming(f"check is content with a {status}")


def _checked(case: Case, url: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        given = context(case, url, PATIENT, Path(folder))
        with given.client:
            try:
                return case.connector.check(given)
            except PullFailed:
                raise
            except Exception as error:
                raise NotConforming(f"{error!r} left the check; only PullFailed may") from error


@scenario
def a_repeated_pull_repeats_itself(case: Case, front: Front) -> None:
    """The same answers give the same facts and event ids again, from the start and from the cursor."""
    good = good_pull(case, front)
    require_same(good, good_pull(case, front), "pulled again")
    front.start_over()
    later = pull(case, front, cursor=good.cursor)
    require(later.failure is None, f"pulled from the cursor: {later.failure}")
    require_nothing_else(good, later, "pulled from the cursor")


@scenario
def an_unchanged_answer_is_as_good_as_a_new_one(case: Case, front: Front) -> None:
    """A system that answers `304 Not Modified` means what it said before; the facts are as fresh as at first."""
    kept = InMemory()
    front.start_over(spoiling.tagged)
    first = pull(case, front, kept=kept)
    require(first.failure is None, f"answers with an ETag: {first.failure}")
    front.start_over(spoiling.tagged)
    again = pull(case, front, kept=kept)
    require_same(first, again, "answers that had not changed")
    seen = {(fact.ref, fact.key): fact.observed_at for fact in first.facts}
    older = [fact.key for fact in again.facts if fact.observed_at < seen[fact.ref, fact.key]]
    require(not older, f"answers that had not changed: these facts grew older: {older[:5]}")


@scenario
def an_odd_cursor_is_as_good_as_none(case: Case, front: Front) -> None:
    """A cursor that an older release or somebody else wrote starts the reading anew."""
    good = good_pull(case, front)
    for cursor in ODD_CURSORS:
        front.start_over()
        require_same(good, pull(case, front, cursor=cursor), f"with the cursor {cursor[:20]!r}")


@scenario
def nothing_is_kept_between_pulls(case: Case, front: Front) -> None:
    """One instance serves all sources of its kind: pulls that go on at the same time do not meet."""
    before = deepcopy(vars(case.connector))
    good = good_pull(case, front)
    front.start_over()
    with _context(case, front) as one, _context(case, front) as two:
        first, second = Outcome(), Outcome()
        pulls = [(iter(case.connector.pull(one)), first), (iter(case.connector.pull(two)), second)]
        while pulls:
            for entry in list(pulls):
                batch = next(entry[0], None)
                if batch is None:
                    pulls.remove(entry)
                else:
                    entry[1].take(batch)
    for outcome in (first, second):
        require_same(good, outcome, "two pulls at the same time")
    front.start_over()
    pull(case, front, targets=[])
    require_same(good, good_pull(case, front), "after a pull without targets")
    require(vars(case.connector) == before, "the connector keeps something in itself")


@contextmanager
def _context(case: Case, front: Front) -> Iterator[PullContext]:
    with tempfile.TemporaryDirectory() as folder:
        given = context(case, front.url, PATIENT, Path(folder))
        with given.client:
            yield given


@scenario
def requests_do_not_grow_with_services(case: Case, front: Front) -> None:
    """500 services on the same things cost the requests of 5: the source is asked, not the service."""
    few = crowd(case.targets, max(5, len(case.targets)))
    costs = []
    for targets in (few, crowd(case.targets, LARGE_CATALOG)):
        front.start_over()
        outcome = pull(case, front, targets=targets)
        require(outcome.failure is None, f"with {len(targets)} services: {outcome.failure}")
        costs.append(outcome.requests)
    require(costs[1] <= costs[0], f"{len(few)} services cost {costs[0]} requests, {LARGE_CATALOG} cost {costs[1]}")
