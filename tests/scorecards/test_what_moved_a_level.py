"""What a move of a level is put down to, as a person reads it."""

import pytest

from scorecards.changes import (
    ChangeCause,
    Edit,
    LevelMove,
    StatusChange,
    change_cause,
    level_change,
    level_move,
    read_move,
    sentence_of,
    stored_move,
)
from scorecards.checks.definitions import Axis
from tests.scorecards.samples import DAY, NOW


def _change(check: str, was: str, now: str, cause: ChangeCause, bars: int) -> StatusChange:
    return StatusChange(check, was, now, cause, 1, Axis.CAPACITY, bars)


def _edited(check: str, was: str | None, now: str | None, bars: int | None, edit: Edit) -> StatusChange:
    axis = None if edit is Edit.REMOVED else Axis.CAPACITY
    return StatusChange(check, was, now, ChangeCause.RULE, 2, axis, bars, 1, edit, edit is Edit.IN_SHADOW)


def test_a_fall_is_put_down_to_what_bars_the_level_reached_and_not_to_what_bars_a_higher_one() -> None:
    expired = _change("cap.limits", "waived", "fail", ChangeCause.WAIVER, 1)
    failed = _change("cap.autoscale", "pass", "fail", ChangeCause.SERVICE, 2)
    move = level_move(None, "L2", "L0", False, [failed, expired])
    assert move == LevelMove(None, "L2", "L0", ChangeCause.WAIVER, ("cap.limits",))
    assert sentence_of(move) == "Fell from L2 to L0 by cap.limits: a waiver ended."


def test_a_blocker_that_fails_under_its_waiver_takes_the_fourth_level() -> None:
    failed = _change("cap.limits", "pass", "waived", ChangeCause.SERVICE, 1)
    move = level_move(None, "L4", "L3", False, [failed])
    assert move is not None
    assert sentence_of(move) == "Fell from L4 to L3 by cap.limits: the service changed."


def test_an_axis_without_a_check_of_the_first_level_falls_by_the_last_one_that_passed() -> None:
    lost = _change("cap.load_test", "pass", "unknown", ChangeCause.EVIDENCE_LOST, 3)
    assert level_move(Axis.CAPACITY, "L1", "L0", False, [lost]) == LevelMove(
        Axis.CAPACITY, "L1", "L0", ChangeCause.EVIDENCE_LOST, ("cap.load_test",)
    )


def test_a_check_that_comes_out_of_shadow_failing_is_named() -> None:
    enforced = _edited("org.five_replicas", "fail", "fail", 1, Edit.ENFORCED)
    move = level_move(None, "L4", "L0", False, [enforced])
    assert move is not None
    assert sentence_of(move) == (
        "Fell from L4 to L0 by org.five_replicas (enforced since then): the checks changed, not the service."
    )
    assert level_move(None, "L0", "L4", False, [enforced]).checks == ()


@pytest.mark.parametrize(
    ("before", "after", "change", "words"),
    [
        ("L2", "L1", ("fail", "fail", 2, Edit.EDITED), "c (version 1 to 2)"),
        ("L1", "L2", ("fail", "fail", 3, Edit.EDITED), "c (version 1 to 2)"),
        ("L1", "L2", ("fail", "fail", None, Edit.EDITED), "c (version 1 to 2)"),
        ("L2", "L1", ("pass", "fail", 2, Edit.EDITED), "c (version 1 to 2)"),
        ("L2", "L1", (None, "fail", 2, Edit.NEW), "c (new)"),
        ("L3", "L4", (None, "pass", 4, Edit.NEW), "c (new)"),
        ("L1", "L2", ("fail", None, None, Edit.REMOVED), "c (removed)"),
        ("L4", "L3", ("pass", None, None, Edit.REMOVED), "c (removed)"),
        ("L1", "L2", ("fail", "fail", 2, Edit.IN_SHADOW), "c (in shadow since then)"),
    ],
)
def test_a_move_by_an_edited_check_names_it_and_its_versions(before, after, change, words) -> None:
    was, now, bars, edit = change
    move = level_move(None, before, after, False, [_edited("c", was, now, bars, edit)])
    assert (move.cause, move.checks) == (ChangeCause.RULE, ("c",))
    verb = "Fell" if after < before else "Rose"
    assert sentence_of(move) == f"{verb} from {before} to {after} by {words}: the checks changed, not the service."
    assert read_move(stored_move(move)) == move


def test_an_edit_that_bars_neither_level_is_not_named() -> None:
    edited = _edited("c", "fail", "fail", 3, Edit.EDITED)
    failed = _change("cap.limits", "pass", "fail", ChangeCause.SERVICE, 1)
    assert level_move(None, "L2", "L0", False, [edited, failed]).checks == ("cap.limits",)
    lower = _edited("d", "fail", "fail", 1, Edit.EDITED)
    mended = _change("cap.limits", "fail", "pass", ChangeCause.SERVICE, 2)
    assert level_move(None, "L1", "L2", False, [lower, mended]).checks == ("cap.limits",)


def test_a_check_in_shadow_moves_no_level() -> None:
    shadow = _change("c", "pass", "fail", ChangeCause.SERVICE, 1)._replace(shadow=True)
    move = level_move(None, "L2", "L1", False, [shadow])
    assert (move.cause, move.checks) == (ChangeCause.RULE, ())
    assert sentence_of(move) == (
        "Fell from L2 to L1: the weights of the checks, or what the levels ask for, changed, not the service."
    )


def test_an_axis_on_which_checks_begin_to_apply_names_them_and_what_they_came_of() -> None:
    applies = _change("cap.limits", "not_applicable", "pass", ChangeCause.SERVICE, 1)
    move = level_move(Axis.CAPACITY, None, "L1", False, [applies])
    assert (move.cause, move.checks) == (ChangeCause.SERVICE, ("cap.limits",))


def test_a_move_that_an_earlier_release_kept_says_what_was_kept() -> None:
    move = read_move([None, "L2", "L1", "rule_changed", []])
    assert (move.rules, sentence_of(move)) == (None, "Fell from L2 to L1: the checks changed, not the service.")


def test_a_move_told_again_is_the_same_event_and_one_for_another_cause_is_another() -> None:
    moves = [
        LevelMove(axis, "L3", "L1", cause, ("cap.limits",))
        for axis in (None, Axis.CAPACITY)
        for cause in (ChangeCause.SERVICE, ChangeCause.EVIDENCE_LOST)
    ]
    ids = [level_change("component:default/a", move, NOW).event_id for move in moves]
    assert ids == [level_change("component:default/a", move, NOW).event_id for move in moves]
    assert len(set(ids)) == len(moves)
    assert level_change("component:default/a", moves[0], NOW + DAY).event_id not in ids


@pytest.mark.parametrize(
    ("was", "now", "cause"),
    [
        ("fail", "waived", ChangeCause.WAIVER),
        ("waived", "unknown", ChangeCause.WAIVER),
        ("pass", "waived", ChangeCause.SERVICE),
        ("waived", "pass", ChangeCause.SERVICE),
    ],
)
def test_a_waiver_is_the_cause_only_where_it_began_or_ended(was: str, now: str, cause: ChangeCause) -> None:
    assert change_cause([was, 1, "rule"], [now, 1, "rule"], first=False, dark=False) is cause


def test_a_rise_by_a_waiver_or_an_attestation_says_which() -> None:
    move = LevelMove(None, "L0", "L2", ChangeCause.WAIVER, ("cap.limits",))
    assert sentence_of(move) == "Rose from L0 to L2 by cap.limits: a waiver was granted."
    move = LevelMove(None, "L2", "L3", ChangeCause.ATTESTATION, ("er.controls",))
    assert sentence_of(move) == "Rose from L2 to L3 by er.controls: somebody attested it."
