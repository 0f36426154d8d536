"""A connector that keeps every rule of the conformance kit, and others that break one each."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any
from uuid import uuid4

import requests

from plugins.conformance import Case
from plugins.contract import (
    Batch,
    Connector,
    Event,
    EventSpec,
    Fact,
    FactSpec,
    FactType,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)
from tests.plugins.our_cases import CHECKOUT, HOUR, NOW, SEARCH

Thing = dict[str, Any]


class Careful(Connector):
    """A connector that keeps every rule; those below break one each."""

    name = "careful"
    title = "Careful"
    facts = (FactSpec("things.ok", FactType.BOOLEAN, "", "Whether the thing is well.", HOUR),)
    permissions = ("read /things",)

    def check(self, context: PullContext) -> str:
        return f"{len(self.things(context))} things"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        things = {thing.get("id"): thing for thing in self.things(context)}
        for target in context.targets:
            if target.name in things:
                yield Batch([Fact(target.ref, "things.ok", things[target.name]["ok"], context.now)])

    def things(self, context: PullContext) -> list[Thing]:
        answer = context.client.get_json("things")
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, "no list of things")
        return [thing for thing in answer if isinstance(thing, dict)]


class AsksForItsOwn(Careful):
    """Takes it for well that nobody needs it."""

    def pull(self, context: PullContext) -> Iterator[Batch]:
        if context.targets:
            yield from super().pull(context)


class Unnamed(Careful):
    facts = (replace(Careful.facts[0], key="ok"),)


class IsAlwaysContent(Careful):
    def check(self, context: PullContext) -> str:
        return "all is well"


class AsksForEach(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for _ in context.targets:
            self.things(context)
        yield from super().pull(context)


class FailsForOne(Careful):
    """Asks thing by thing, and lets one that fails end the whole pull."""

    def things(self, context: PullContext) -> list[Thing]:
        return [context.client.get_json(f"things/{target.name}") for target in context.targets]


class Swallows(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        try:
            yield from super().pull(context)
        except PullFailed:
            yield Batch([Fact(target.ref, "things.ok", False, context.now) for target in context.targets])


class OwnHttp(Careful):
    """Brings its own HTTP along, without what the client of the portal does about waits and limits."""

    def things(self, context: PullContext) -> list[Thing]:
        try:
            answer = requests.get(context.client.describe("things"), timeout=2)
            answer.raise_for_status()
            return list(answer.json())
        except requests.RequestException as error:
            raise PullFailed(FailureKind.UNREACHABLE, "no things") from error


class Hammers(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        for _ in range(5):
            try:
                return super().things(context)
            except PullFailed as failed:
                failure = failed
        raise failure


class Remembers(Careful):
    def __init__(self) -> None:
        self.pulls = 0

    def pull(self, context: PullContext) -> Iterator[Batch]:
        self.pulls += 1
        yield from super().pull(context)


class Blabs(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        secret = (context.base_dir / "secret").read_text()
        yield from super().pull(context)
        yield Batch(faults=[PullFault("things", f"asked with {secret}")])


class Believes(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        return list(context.client.get_json("things"))


class NeedsOne(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        found = super().things(context)
        return found if found[0] else []


class NeedsEachId(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        return [{**thing, "id": thing["id"]} for thing in super().things(context)]


class Counts(Careful):
    facts = (*Careful.facts, FactSpec("things.count", FactType.INTEGER, "count", "How many there are.", HOUR))

    def pull(self, context: PullContext) -> Iterator[Batch]:
        yield from super().pull(context)
        count = len([thing for thing in self.things(context) if "id" in thing])
        yield Batch([Fact(target.ref, "things.count", count, context.now) for target in context.targets])


class TakesTheFirst(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        first = self.things(context)[:1]
        yield Batch([Fact(CHECKOUT, "things.ok", thing["ok"], context.now) for thing in first if "ok" in thing])


class Foretells(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for batch in super().pull(context):
            yield Batch([replace(fact, observed_at=NOW) for fact in batch.facts])


class TrustsItsCursor(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        if context.cursor:
            datetime.fromisoformat(context.cursor)
        yield from super().pull(context)


class NumbersAnew(Careful):
    """Gives its events another id at each pull."""

    events = (EventSpec("deploy.finished", "A thing went out."),)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        yield from super().pull(context)
        yield Batch(events=[Event(CHECKOUT, str(uuid4()), "deploy.finished", context.now, "A thing went out.")])


class SharesIds(NumbersAnew):
    """Tells two services of one thing under one id, so that a history takes the first alone."""

    def pull(self, context: PullContext) -> Iterator[Batch]:
        yield from Careful.pull(self, context)
        told = [Event(target.ref, "1", "deploy.finished", context.now, "Out.") for target in context.targets]
        yield Batch(events=told)


class KnowsTags(Careful):
    """Asks by itself whether anything has changed, and takes an answer that has not for nothing at all."""

    def __init__(self) -> None:
        self.tag = ""

    def things(self, context: PullContext) -> list[Thing]:
        return [] if self.is_unchanged(context) else super().things(context)

    def is_unchanged(self, context: PullContext) -> bool:
        url = context.client.describe("things")
        asked = requests.get(url, headers={"If-None-Match": self.tag}, timeout=2)
        self.tag = asked.headers.get("ETag", "")
        return asked.status_code == 304


class DatesByItsMemory(KnowsTags):
    """Dates what has not changed by when it came first."""

    def pull(self, context: PullContext) -> Iterator[Batch]:
        at = context.now - HOUR if self.is_unchanged(context) else context.now
        for batch in Careful().pull(context):
            yield Batch([replace(fact, observed_at=at) for fact in batch.facts])


class Pages(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        found: list[Thing] = []
        while page := context.client.get_json("things", {"page": str(len(found) + 1)}):
            found += page
        return found


class FollowsLinks(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        return [thing for page in context.client.get_pages("things") for thing in page]


class StopsAtAnEmptyPage(Careful):
    def things(self, context: PullContext) -> list[Thing]:
        return [thing for page in takewhile(bool, context.client.get_pages("things")) for thing in page]


class MakesDoWithAPart(Careful):
    """Takes the pages before one that fails for all there are."""

    def things(self, context: PullContext) -> list[Thing]:
        found: list[Thing] = []
        try:
            for page in context.client.get_pages("things"):
                found += page
        except PullFailed:
            if not found:
                raise
        return found


def case_of(connector: Connector) -> Case:
    targets = [Target(CHECKOUT, "checkout"), Target(SEARCH, "search")]
    things = [{"id": "checkout", "ok": True}, {"id": "search", "ok": False}]
    answers = {"/things": things, **{f"/things/{thing['id']}": thing for thing in things}}
    return Case(connector, targets, {(CHECKOUT, "things.ok"): True}, answers=answers, now=NOW)
