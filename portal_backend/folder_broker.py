"""A folder as the broker: kombu's filesystem transport, with messages that appear whole or not at all.

kombu 5.7 creates a message's file and then writes it, so that a reader which is quick enough takes an empty file and
dies of it (the worker ends with a JSONDecodeError). Here a message is written beside the queue and renamed into it,
and what a killed writer left half-written is dropped: the next tick sends it again (see `worker`).
"""

import logging
import os
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Puts and takes messages by renaming files, which is atomic within a folder."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # as its parent is
        name = f"{uuid4()}.{queue}.msg"
        unfinished = Path(self.data_folder_out) / f".{name}.unfinished"
        try:
            unfinished.write_bytes(str_to_bytes(dumps(payload)))
            created = unfinished.stat().st_mtime_ns
            unfinished.rename(unfinished.with_name(f"{created:020}_{name}"))
        except OSError as error:
            raise ChannelError(f"Cannot write a message to {unfinished.parent}: {error}") from error

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            if (taken := _take(folder / name)) is None:
                continue
            try:
                return loads(bytes_to_str(taken))
            except ValueError:
                log.warning("dropped a message that cannot be read", extra={"portal": {"file": name}})
        raise Empty


def _take(path: Path) -> bytes | None:
    """Return the file's content and remove it; None when another reader was quicker."""
    mine = path.with_name(f".{uuid4()}.taken")
    try:
        path.rename(mine)
    except FileNotFoundError:
        return None
    content = mine.read_bytes()
    mine.unlink()
    return content


class Transport(filesystem.Transport):
    """kombu's transport of the same name with the channel above."""

    Channel = Channel


def install() -> None:
    """Make `filesystem://` mean this transport; kombu has no narrower way to name one in a broker's address."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:{Transport.__name__}"
