"""An installation of the product in a folder of its own, used from outside as a user would: by `portal` and by HTTP."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

PORTAL = [sys.executable, "-m", "portal_backend.cli"]


class Installation:
    """A folder with portal.yaml, a database, and whatever processes are started in it."""

    def __init__(self, folder: Path, config: str, database_url: str | None = None, **environment: str) -> None:
        self.folder = folder
        self.config = folder / "portal.yaml"
        self.config.write_text(config)
        self.environment = {
            **os.environ,
            **environment,
            "PORTAL_CONFIG": str(self.config),
            "PORTAL_DATA_DIR": str(folder / "data"),
            "COLUMNS": "200",
        }
        if database_url:
            self.environment["PORTAL_DATABASE_URL"] = database_url

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `portal …`; fail unless it ends with the expected code (None: any)."""
        done = subprocess.run(
            [*PORTAL, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert expect is None or done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, expect: int | None = 0) -> Any:
        """Run `portal … --json` and return what it printed."""
        return json.loads(self.run(*arguments, "--json", expect=expect).stdout)

    @contextlib.contextmanager
    def started(self, *arguments: str, command: list[str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run `portal …` in the background until the block ends; its log goes to a file in the folder."""
        name = "-".join(arguments).replace("/", "_") or "run"
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*(command or PORTAL), *arguments],
                env=self.environment,
                cwd=self.folder if command is None else None,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                end(process)

    def log(self) -> str:
        """Return everything that background processes wrote."""
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


def end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 the process and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Callable[[], Any], seconds: float = 60, every: float = 0.2) -> Any:
    """Return the condition's first true value; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if found := condition():
                return found
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(every)
