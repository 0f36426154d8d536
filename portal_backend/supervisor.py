"""Runs several programs as one: starts them, restarts what dies, ends all of them together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 15
RESTART_SECONDS = (1, 2, 5, 10, 30)
"""Waits before the first, second, … restart in a row; the last repeats."""
STEADY_SECONDS = 60
"""A program that ran this long starts over with the shortest wait."""
POLL_SECONDS = 0.2


@dataclass
class Program:
    """A program to keep running, in a process group of its own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    """Where its output goes; None: to ours."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        """Start it; its own process group keeps a terminal's Ctrl-C for us, who end it in order."""
        with self.log.open("ab") if self.log else contextlib.nullcontext() as output:
            self.process = subprocess.Popen(  # noqa: S603 (our own commands)
                self.command,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.restart_at = 0.0

    def has_died(self) -> bool:
        """Say whether it was started and runs no more."""
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        """Send a signal to the program and everything it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def supervise(
    programs: Sequence[Program], ready: Callable[[], bool], announce: Callable[[], None], say: Callable[[str], None]
) -> None:
    """Run the programs until SIGINT or SIGTERM; `announce` is called once, when `ready` first says so.

    A program that dies is started again, after a growing wait when it dies again and again.
    """
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    announced = False
    try:
        for program in programs:
            program.start()
        while not stopping:
            for program in programs:
                _revive(program, say)
            if not announced and ready():
                announce()
                announced = True
            time.sleep(POLL_SECONDS)
    finally:
        _end(programs)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _revive(program: Program, say: Callable[[str], None]) -> None:
    now = time.monotonic()
    if program.restart_at:
        if now >= program.restart_at:
            program.start()
        return
    if not program.has_died():
        return
    program.signal(signal.SIGKILL)  # what it may have left behind
    if now - program.started_at > STEADY_SECONDS:
        program.restarts = 0
    wait = RESTART_SECONDS[min(program.restarts, len(RESTART_SECONDS) - 1)]
    program.restarts += 1
    program.restart_at = now + wait
    status = program.process.returncode if program.process else None
    log = f" Its log: {program.log}" if program.log else ""
    say(f"The {program.name} ended (status {status}); it starts again in {wait} s.{log}")


def _end(programs: Sequence[Program]) -> None:
    """End all, last started first; what does not end in time is killed."""
    for program in reversed(programs):
        program.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for program in programs:
        if program.process is None:
            continue
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.process.wait(max(0.1, deadline - time.monotonic()))
        program.signal(signal.SIGKILL)
        program.process.wait()


def portal_command(*arguments: str) -> list[str]:
    """Return the command line that runs one of our own subcommands with this interpreter."""
    return [sys.executable, "-m", "portal_backend.cli", *arguments]
