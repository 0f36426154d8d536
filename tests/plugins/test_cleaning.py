"""Slips of a connector: told as its own, and nothing else lost by them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.cleaning import cleaned
from plugins.contract import Batch, Event, Fact, PullFault

AT = datetime(2026, 11, 22, tzinfo=UTC)
GOOD = Event("component:default/checkout", "1", "deploy.finished", AT, "Out.", details={"at": AT, "n": 1})
FACT = Fact(GOOD.ref, "things.ok", True, AT)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"occurred_at": AT.replace(tzinfo=None)}, "needs a time with a UTC offset"),
        ({"occurred_at": "2026-11-22"}, "needs a time with a UTC offset"),
        ({"source_event_id": 17}, "its source_event_id is 17, and no text"),
        ({"source_event_id": " "}, "and no text"),
        ({"ref": None}, "its ref is None"),
        ({"summary": ""}, "its summary is ''"),
        ({"link": 5}, "its link is 5"),
        ({"details": {"names": {"a"}}}, "its details are no JSON"),
        ({"details": {"name": "\ud800"}}, "its details are no JSON"),
        ({"details": {1: "a"}}, "its details are no JSON"),
        ({"details": ["a"]}, "and no mapping"),
    ],
)
def test_an_event_that_nobody_could_store_is_a_fault_and_the_others_stay(odd: dict[str, Any], words: str) -> None:
    batch = cleaned(Batch([FACT], [GOOD, replace(GOOD, **odd)], cursor="next"))
    assert (batch.facts, batch.events, batch.cursor) == ([FACT], [GOOD], "next")
    (fault,) = batch.faults
    assert words in fault.message
    assert cleaned(Batch(events=["an event"])).faults[0].message == "is a str, and no Event"


def test_what_is_told_becomes_text_and_what_comes_lazily_a_list() -> None:
    named: Any = [1, "a\0b", "\ud800"]
    said: Any = [PullFault("x", ValueError("boom"))]  # type: ignore[arg-type]
    batch = cleaned(Batch((fact for fact in [FACT]), (event for event in [GOOD]), said, named))  # type: ignore[arg-type]
    assert (batch.facts, batch.events) == ([FACT], [GOOD])
    assert batch.faults == [PullFault("x", "boom")]
    assert batch.unmatched == ["1", "a\ufffdb", "?"]
    assert cleaned(Batch(events=[replace(GOOD, link=None)])).events == [GOOD]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ([FACT], "yielded a list, and no Batch"),
        (Batch(["a fact"]), "holds a str among its facts"),  # type: ignore[list-item]
        (Batch(cursor=5), "the cursor is a int"),  # type: ignore[arg-type]
        (Batch(cursor="a\0b"), "no database keeps"),
        (Batch(cursor="\ud800"), "no database keeps"),
    ],
)
def test_what_is_no_batch_or_has_no_cursor_is_refused(odd: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        cleaned(odd)
