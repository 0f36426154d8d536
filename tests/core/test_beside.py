"""Work with the database beside Python's own."""

import threading

import pytest

from portal_backend.core.beside import AHEAD, THREAD, beside


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD)]


def test_a_failure_of_the_caller_ends_the_thread(session):
    done = []

    def give_up():
        with beside(session) as begin:
            begin(done.append, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert len(done) <= 1
    assert threads() == []


def test_work_beside_is_done_in_order_and_no_further_than_its_first_failure(session):
    done = []

    def work(number):
        if number == 5:
            raise ValueError(number)
        done.append(number)
        return number

    def all_of_it():
        with beside(session) as begin:
            assert begin(work, 1).result() == 1
            for number in range(2, 20):
                begin(work, number)

    with pytest.raises(ValueError, match="5"):
        all_of_it()
    assert done == [1, 2, 3, 4]


def test_no_more_is_begun_than_a_little_ahead(session):
    done, ahead = [], []
    with beside(session) as begin:
        for number in range(20):
            begin(done.append, number)
            ahead.append(number + 1 - len(done))
    assert max(ahead) <= AHEAD
    assert done == list(range(20))
