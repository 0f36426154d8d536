"""A live server with two judged services, and the published clients to ask it."""

import fcntl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from portal_backend.core import clock
from scorecards.scorecard import update
from tests.scorecards.conftest import Company, company, judging
from tests.scorecards.samples import NOW
from tests.servers import require

__all__ = ["company", "judging"]

HERE = Path(__file__).parent
INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder in which Node finds the published clients, installed as the lock file has them."""
    require("node")
    npm = require("npm")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # of the processes that run tests one installs: two at once spoil each other
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            done = subprocess.run([npm, *INSTALL], cwd=HERE, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                pytest.skip(f"npm could not install the published clients: {done.stderr.strip()[-300:]}")
    return HERE


@pytest.fixture
def server(app: Flask, company: Company, session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on a database with two services, judged."""
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    company.observe({"deploys.change_failure_rate_30d": 0.4})
    update(session, company.judging, None, NOW)
    session.commit()
    listening = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()
