"""The triage lists, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from engagements.triage.candidates import Frameworks, Ranked, onboard_row, rank_onboard
from engagements.triage.hand_back import HandBackRow, triage_hand_back
from engagements.triage.settings import TriageSettings
from engagements.triage_inputs import gather
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import bad_cursor, decode_cursor, encode_cursor
from scorecards.judging import Judging


class Direction(StrEnum):
    """Which way a service might go."""

    ONBOARD = "onboard"
    HAND_BACK = "hand_back"


@dataclass(frozen=True)
class TriagePage:
    """A page of one of the lists."""

    items: Sequence[Any]
    next_cursor: str | None
    total: int
    """How many rows the whole list has."""


def list_triage(
    session: Session,
    judging: Judging,
    settings: TriageSettings,
    now: datetime,
    direction: Direction | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[Direction, TriagePage]:
    """Return a page of the list of one direction, or the first page of both.

    Raises InvalidInput when the cursor belongs to another list, or comes without a direction.
    """
    if cursor is not None and direction is None:
        message = "goes with a direction: say which of the two lists to continue"
        raise InvalidInput(f"cursor {message}", [Fault("cursor", message)])
    evidences = gather(session, judging, settings, now)
    pages: dict[Direction, TriagePage] = {}
    if direction is not Direction.HAND_BACK:
        ranked, frameworks = rank_onboard(evidences, settings, now), Frameworks.of(evidences)
        page = _page(ranked, Direction.ONBOARD, cursor, limit)
        rows = [onboard_row(entry.evidence, frameworks, settings, now) for entry in page.items]
        pages[Direction.ONBOARD] = replace(page, items=rows)
    if direction is not Direction.ONBOARD:
        hand_back = triage_hand_back(evidences, settings, now)
        pages[Direction.HAND_BACK] = _page(hand_back, Direction.HAND_BACK, cursor, limit)
    return pages


def _page(
    rows: Sequence[Ranked] | Sequence[HandBackRow], direction: Direction, cursor: str | None, limit: int
) -> TriagePage:
    place = None if cursor is None else _place(direction, cursor)
    left = [row for row in rows if place is None or row.place > place]
    if len(left) <= limit:
        return TriagePage(left, None, len(rows))
    return TriagePage(left[:limit], encode_cursor([direction.value, *left[limit - 1].place]), len(rows))


def _place(direction: Direction, cursor: str) -> tuple[Any, str]:
    match decode_cursor(cursor):
        case [direction.value, int() | float() as place, str(ref)] if not isinstance(place, bool):
            return (place, ref)
    raise bad_cursor()
