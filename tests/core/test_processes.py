"""Pure work in other processes: in order, bounded, and never lost."""

import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from portal_backend.core.processes import AHEAD, FEW, other_processes, others_wanted
from tests.core.test_supervisor import alive, wait_for

SCRIPT = """
import sys, time
from portal_backend.core.processes import other_processes
from tests.core.test_processes import where

if __name__ == "__main__":
    with other_processes(1) as run:
        for pid in run(where, range(1000)):
            print(pid, flush=True)
            time.sleep(0.01)
"""


def where(_item: int) -> int:
    """Return the process that does this."""
    time.sleep(0.02)
    return os.getpid()


def passed_over(_item: int) -> tuple[int, int]:
    """Return which process does this, and how many objects its collector passes over."""
    time.sleep(0.02)
    return os.getpid(), gc.get_freeze_count()


def square(number: int) -> int:
    return number * number


def halve(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def end_if_alone(parent: int, number: int) -> int:
    """Kill the process where it is not `parent`, as the system does to one that takes too much memory."""
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return -number


def share_out(_item: int) -> list[int]:
    """Use other processes from within one that is daemonic, as those of pools are: such a one may have none."""
    with other_processes(1) as run:
        return list(run(where, range(FEW + 1)))


def test_the_collector_of_another_process_passes_over_what_was_imported_there():
    with other_processes(1) as run:
        found = dict(run(passed_over, range(12)))
    del found[os.getpid()]
    assert found
    assert min(found.values()) > 10_000


def test_results_come_in_the_order_of_the_items_and_from_both_processes():
    with other_processes(1) as run:
        assert list(run(square, range(50))) == [number * number for number in range(50)]
        assert len(set(run(where, range(100)))) == 2
    assert multiprocessing.active_children() == []


def test_what_is_small_is_done_here():
    with other_processes(1) as run:
        assert set(run(where, range(FEW))) == {os.getpid()}
        assert multiprocessing.active_children() == []


def test_processes_that_will_be_needed_start_at_once_and_none_where_none_may_be_had():
    with other_processes(1, square) as run:
        assert len(multiprocessing.active_children()) == 1
        assert list(run(square, range(50))) == [number * number for number in range(50)]
    assert multiprocessing.active_children() == []
    with other_processes(0, square) as run:
        assert multiprocessing.active_children() == []
        assert list(run(square, range(5))) == [0, 1, 4, 9, 16]


def test_an_exception_is_raised_when_its_turn_comes():
    with other_processes(1) as run:
        results = run(halve, [0, 2, 4, 6, 8, 9, 10, 12])
        assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="9 is odd"):
            next(results)


def test_items_are_taken_only_as_fast_as_results_are():
    taken = []
    with other_processes(1) as run:
        results = run(square, (taken.append(number) or number for number in range(1000)))
        next(results)
        assert len(taken) <= AHEAD + FEW + 1
        results.close()
    assert len(taken) <= AHEAD + FEW + 1


def test_what_a_killed_process_had_is_done_here(caplog):
    with caplog.at_level(logging.WARNING), other_processes(1) as run:
        assert list(run(partial(end_if_alone, os.getpid()), range(30))) == [-number for number in range(30)]
    assert "was killed" in caplog.text


def test_a_process_that_may_have_none_does_all_itself():
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        (pids,) = pool.map(share_out, [0])
        assert len(set(pids)) == 1


def test_a_core_may_be_left_to_others(monkeypatch):
    monkeypatch.delenv("PORTAL_PROCESSES", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    assert others_wanted() == 3


def test_the_number_of_processes_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("PORTAL_PROCESSES", "3")
    assert others_wanted() == 2
    monkeypatch.setenv("PORTAL_PROCESSES", "1")
    with other_processes() as run:
        assert set(run(where, range(FEW + 2))) == {os.getpid()}


def test_other_processes_end_with_a_process_that_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        other = next(pid for line in process.stdout if (pid := int(line)) != process.pid)
        process.kill()
        process.wait()
        wait_for(lambda: not alive(other))
    finally:
        process.kill()
        process.stdout.close()
    assert not alive(other)
