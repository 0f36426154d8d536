"""The pages of the state machines are what the code says."""

from pathlib import Path

import pytest

from engagements.event_kinds import EVENT_KINDS
from engagements.lifecycle.drawing import page
from engagements.lifecycle.machines import MACHINES
from engagements.lifecycle.states import CLOSED, PAUSED

STATES = Path(__file__).parents[3] / "docs" / "states"


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.model)
def test_the_docs_equal_the_code(machine):
    drawn = (STATES / f"{machine.model}.md").read_text()
    assert drawn == page(machine), "python -m engagements.lifecycle.drawing docs/states"


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.model)
def test_every_machine_is_whole(machine):
    pairs = [(each.source, each.to) for each in machine.transitions]
    assert len(set(pairs)) == len(pairs)
    assert {each.event for each in machine.transitions} <= EVENT_KINDS.keys()
    assert all(each.roles for each in machine.transitions)
    assert not any(each.source in CLOSED for each in machine.transitions)
    reached = {machine.initial}
    while more := {each.to for each in machine.transitions if each.source in reached and each.to != PAUSED} - reached:
        reached |= more
    assert reached == set(machine.states())
