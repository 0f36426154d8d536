"""The kit itself: a connector that keeps every rule passes it, and each broken rule is found."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plugins import conformance
from plugins.conformance import Case, NotConforming, Paged
from plugins.contract import (
    Batch,
    Connector,
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

    def things(self, context: PullContext) -> list[dict[str, Any]]:
        answer = context.client.get_json("things")
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, "no list of things")
        return [thing for thing in answer if isinstance(thing, dict)]


class AsksForEach(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for _ in context.targets:
            self.things(context)
        yield from super().pull(context)


class Swallows(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        try:
            yield from super().pull(context)
        except PullFailed:
            yield Batch([Fact(target.ref, "things.ok", False, context.now) for target in context.targets])


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
    def things(self, context: PullContext) -> list[dict[str, Any]]:
        return list(context.client.get_json("things"))


class Foretells(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for batch in super().pull(context):
            yield Batch([replace(fact, observed_at=NOW) for fact in batch.facts])


class TrustsItsCursor(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        if context.cursor:
            datetime.fromisoformat(context.cursor)
        yield from super().pull(context)


def case_of(connector: Connector) -> Case:
    targets = [Target(CHECKOUT, "checkout"), Target(SEARCH, "search")]
    things = [{"id": "checkout", "ok": True}, {"id": "search", "ok": False}]
    return Case(connector, targets, {(CHECKOUT, "things.ok"): True}, answers={"/things": things}, now=NOW)


@pytest.mark.parametrize("scenario", conformance.scenarios())
def test_a_connector_that_keeps_the_rules_passes(scenario: str) -> None:
    conformance.verify(case_of(Careful()), scenario)


@pytest.mark.parametrize(
    ("connector", "scenario", "words"),
    [
        (AsksForEach(), "requests_do_not_grow_with_services", "500 cost"),
        (Swallows(), "revoked_credentials_are_told", "ended well"),
        (Swallows(), "no_permission_is_not_nothing", "ended well"),
        (Swallows(), "an_outage_in_mid_pull_invents_nothing", "is False and was True"),
        (Swallows(), "silence_in_mid_body_is_told", "ended well"),
        (Swallows(), "a_web_page_is_no_answer", "ended well"),
        (Swallows(), "a_huge_body_is_refused", "ended well"),
        (Remembers(), "nothing_is_kept_between_pulls", "keeps something"),
        (Blabs(), "good_answers_give_the_expected", "the secret stands"),
        (Believes(), "a_wrong_shape_is_no_answer", "only PullFailed may"),
        (Foretells(), "a_wrong_clock_brings_no_future", "in the future"),
        (TrustsItsCursor(), "an_odd_cursor_is_as_good_as_none", "only PullFailed may"),
    ],
)
def test_a_broken_rule_is_found(connector: Connector, scenario: str, words: str) -> None:
    with pytest.raises(NotConforming, match=words):
        conformance.verify(case_of(connector), scenario)


class Pages(Careful):
    def things(self, context: PullContext) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := context.client.get_json("things", {"page": str(len(found) + 1)}):
            found += page
        return found


def test_answers_may_come_in_pages() -> None:
    pages = {"1": [{"id": "checkout", "ok": True}], "2": [{"id": "search", "ok": False}]}
    paged = replace(case_of(Pages()), answers={"/things": Paged(pages)}, expected={(SEARCH, "things.ok"): False})
    conformance.verify(paged, "good_answers_give_the_expected")
    conformance.verify(paged, "revoked_credentials_are_told")


def test_a_scenario_is_left_out_only_by_name_and_with_a_reason() -> None:
    assert "duplicates_count_once" not in conformance.scenarios(but={"duplicates_count_once": "there are none"})
    for wrong in ({"no_such_scenario": "why"}, {"duplicates_count_once": ""}):
        with pytest.raises(ValueError, match="reason"):
            conformance.scenarios(but=wrong)


def test_the_page_for_authors_names_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-connectors.md").read_text()
    assert [name for name in conformance.SCENARIOS if f"`{name}`" not in page] == []


def test_the_kit_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import plugins.conformance"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
