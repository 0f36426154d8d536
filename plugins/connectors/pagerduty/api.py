"""PagerDuty's REST API, version 2: paged lists of services, on-calls, schedules and incidents."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient
from plugins.moments import moment, rfc3339

HEADERS = {"Accept": "application/vnd.pagerduty+json;version=2", "Content-Type": "application/json"}
PAGE = 100
ANALYTICS_PAGE = 1000
OFFSET_CAP = 10_000
"""PagerDuty answers no page whose offset and limit together pass this."""
POLICIES_PER_QUESTION = 50
LONGEST_RANGE = timedelta(days=180)
"""Of `since` and `until`, for incidents."""

TOO_LONG = "{path} are more than {cap:,}, beyond which PagerDuty answers no page"

Entry = Mapping[str, Any]
Parameters = list[tuple[str, str]]


def services(client: SourceClient) -> Iterator[Entry]:
    """Yield every service with its integrations."""
    yield from _whole(client, "services", [("include[]", "integrations")])


def escalation_policies(client: SourceClient) -> Iterator[Entry]:
    """Yield every escalation policy with its rules."""
    yield from _whole(client, "escalation_policies", [])


def schedules(client: SourceClient) -> Iterator[Entry]:
    """Yield every schedule with its users."""
    yield from _whole(client, "schedules", [])


def users(client: SourceClient) -> Iterator[Entry]:
    """Yield everybody in the account, with the time zone each lives in."""
    yield from _whole(client, "users", [])


def oncalls(client: SourceClient, policies: Sequence[str], since: datetime, until: datetime) -> Iterator[Entry]:
    """Yield who is on call, and was, within a time: by escalation policies, fifty to a question.

    Where an answer is longer than an offset may reach, the question is asked again for each half of its policies.
    """
    starts = range(0, len(policies), POLICIES_PER_QUESTION)
    waiting = [policies[start : start + POLICIES_PER_QUESTION] for start in starts]
    while waiting:
        chunk = waiting.pop(0)
        asked = [("escalation_policy_ids[]", policy) for policy in chunk]
        fixed = [*asked, ("since", rfc3339(since)), ("until", rfc3339(until))]
        found = list(_pages(client, "oncalls", fixed))
        if not found or found[-1] is not _CAPPED:
            yield from found
        elif len(chunk) == 1:
            raise PullFailed(FailureKind.BAD_ANSWER, TOO_LONG.format(path=f"oncalls of {chunk[0]}", cap=OFFSET_CAP))
        else:
            half = len(chunk) // 2
            waiting[:0] = [chunk[:half], chunk[half:]]


def incidents(client: SourceClient, since: datetime, until: datetime) -> Iterator[Entry]:
    """Yield the incidents that were created within a time, each once, the oldest first.

    Where there are more than an offset may reach, the question is asked again from the last creation on.
    """
    seen: set[str] = set()
    while True:
        fixed = [("since", rfc3339(since)), ("until", rfc3339(until)), ("sort_by", "created_at:asc")]
        last, capped = since, False
        for entry in _pages(client, "incidents", fixed):
            capped = entry is _CAPPED
            if capped:
                break
            last = moment(entry.get("created_at")) or last
            if entry.get("id") and entry["id"] not in seen:
                seen.add(entry["id"])
                yield entry
        if not capped:
            return
        if last <= since:
            raise PullFailed(FailureKind.BAD_ANSWER, "more than 10,000 incidents carry one and the same creation time")
        since = last


def open_incidents(client: SourceClient, until: datetime) -> Iterator[Entry]:
    """Yield the incidents that are not resolved, however long ago they were created.

    `date_range=all` makes PagerDuty leave `since` out of account; what stands there is the longest time without it.
    """
    times = [("since", rfc3339(until - LONGEST_RANGE)), ("until", rfc3339(until)), ("date_range", "all")]
    for status in ("triggered", "acknowledged"):
        found = _pages(client, "incidents", [*times, ("statuses[]", status), ("sort_by", "created_at:asc")])
        yield from (entry for entry in found if entry.get("id") and entry.get("status") != "resolved")


def incident(client: SourceClient, number: str) -> Entry | None:
    """Return one incident; None where there is none of this id."""
    try:
        answer = client.get_json(f"incidents/{quote(number, safe='')}", headers=HEADERS)
    except PullFailed as failure:
        if failure.status == 404:
            return None
        raise
    found = answer.get("incident") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) and found.get("id") else None


def analysed(client: SourceClient, since: datetime, until: datetime) -> Iterator[Entry]:
    """Yield what PagerDuty's analytics know of the incidents that were created within a time, each once.

    They hold what an incident itself forgets once it is resolved: how long the first acknowledgement took, and whether
    anybody was there at all.
    """
    filters = {"created_at_start": rfc3339(since), "created_at_end": rfc3339(until)}
    question: dict[str, Any] = {"filters": filters, "limit": ANALYTICS_PAGE, "order": "asc", "order_by": "created_at"}
    seen: set[str] = set()
    while True:
        answer = client.post_json("analytics/raw/incidents", question, HEADERS)
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise PullFailed(FailureKind.BAD_ANSWER, "analytics/raw/incidents answered no list of incidents")
        fresh = [entry for entry in entries if isinstance(entry, dict) and entry.get("id") not in seen]
        seen.update(str(entry.get("id")) for entry in fresh)
        yield from fresh
        last = answer.get("last")
        if not answer.get("more") or not fresh or not isinstance(last, str):
            return
        question = {**question, "starting_after": last}


_CAPPED: Entry = {}


def _whole(client: SourceClient, path: str, fixed: Parameters) -> Iterator[Entry]:
    """Yield the entries page by page; raises PullFailed where there are more than can be asked for."""
    for entry in _pages(client, path, fixed):
        if entry is _CAPPED:
            raise PullFailed(FailureKind.BAD_ANSWER, TOO_LONG.format(path=path, cap=OFFSET_CAP))
        yield entry


def _pages(client: SourceClient, path: str, fixed: Parameters) -> Iterator[Entry]:
    """Yield the entries page by page; `_CAPPED` where an offset may go no further."""
    offset = 0
    while offset + PAGE <= OFFSET_CAP:
        page = [*fixed, ("limit", str(PAGE)), ("offset", str(offset))]
        answer = client.get_json(path, page, HEADERS)
        entries = answer.get(path) if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{path} answered no list of {path}")
        yield from (entry for entry in entries if isinstance(entry, dict))
        if not answer.get("more"):
            return
        offset += _step(answer)  # a page may be short, or empty, and more behind it
    yield _CAPPED


def _step(answer: Entry) -> int:
    """Return how far the next page lies behind this one: the server may give less than it is asked for."""
    limit = answer.get("limit")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit <= PAGE else PAGE
