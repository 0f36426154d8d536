"""The folder broker between threads: every message arrives once, whole."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection
from kombu.simple import SimpleQueue

from portal_backend import folder_broker

MESSAGES = 300


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A queue of the test's own: kombu remembers in the process which queues it has bound."""
    return request.node.name


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Connection]:
    folder_broker.install()
    folder = tmp_path / "queue"
    folder.mkdir()
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(tmp_path / "control"),
    }
    return lambda: Connection("filesystem://localhost", transport_options=options)


def drain(queue: SimpleQueue, received: list[int], done: threading.Event) -> None:
    while True:
        finished = done.is_set()
        try:
            message = queue.get_nowait()
        except Empty:
            if finished:
                return
            continue
        received.append(message.payload["number"])
        message.ack()


def test_readers_never_meet_a_half_written_message_nor_the_same_one_twice(connect, name):
    done, received = threading.Event(), []
    connections = [connect() for _ in range(3)]
    queues = [connection.SimpleQueue(name) for connection in connections]
    readers = [threading.Thread(target=drain, args=(queue, received, done)) for queue in queues[:2]]
    for reader in readers:
        reader.start()
    for number in range(MESSAGES):
        queues[2].put({"number": number, "padding": "x" * 10_000})
    done.set()
    for reader in readers:
        reader.join(60)
    assert sorted(received) == list(range(MESSAGES))


def test_messages_come_in_the_order_they_were_sent(connect, name):
    with connect() as connection:
        queue = connection.SimpleQueue(name)
        for number in range(20):
            queue.put({"number": number})
        assert [queue.get_nowait().payload["number"] for _ in range(20)] == list(range(20))


def test_what_a_killed_writer_left_is_dropped_and_does_not_stop_the_reader(connect, name, tmp_path):
    (tmp_path / "queue" / f"0001_half.{name}.msg").write_bytes(b"")
    with connect() as connection:
        queue = connection.SimpleQueue(name)
        queue.put({"number": 1})
        assert queue.get_nowait().payload == {"number": 1}
        with pytest.raises(Empty):
            queue.get_nowait()


def test_a_folder_that_is_gone_is_a_channel_error(connect, name, tmp_path):
    with connect() as connection:
        queue = connection.SimpleQueue(name)
        shutil.rmtree(tmp_path / "queue")
        with pytest.raises(connection.channel_errors):
            queue.put({"number": 1})
