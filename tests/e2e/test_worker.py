"""The worker, as processes, against sources in trouble: nothing is lost or doubled, and the next read says so."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.installation import Installation, kill, wait_until

SERVICE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: checkout, annotations: {argocd/app-name: checkout}}
spec: {type: service, lifecycle: production, owner: shop}
"""

CONFIG = """
catalog: {{locations: [{{type: file, target: catalog.yaml}}], every: 1h}}
sources:
  - {{name: argocd, plugin: argocd, url: '{url}', every: 10s}}
broker: {{url: '{broker}'}}
collecting: {{lease: 10s}}
"""


class ArgoCd:
    """A server in Argo CD's place that can be told to hang, to talk rubbish, or to answer."""

    def __init__(self) -> None:
        self.mode = "answer"
        self.asked = threading.Event()
        self.released = threading.Event()
        self.requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                outer.asked.set()
                if outer.mode == "hang":
                    outer.released.wait(120)
                    return
                body = b"<html>Sorry</html>" if outer.mode == "rubbish" else json.dumps(applications()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


DEPLOYED = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)  # noqa: TID251


def applications() -> dict[str, object]:
    history = [
        {
            "id": number,
            "revision": f"{number:040x}",
            "deployedAt": (DEPLOYED + timedelta(hours=number)).isoformat().replace("+00:00", "Z"),
            "deployStartedAt": (DEPLOYED + timedelta(hours=number, minutes=-1)).isoformat().replace("+00:00", "Z"),
        }
        for number in range(1, 4)
    ]
    status = {
        "history": history,
        "sync": {"status": "Synced", "revision": history[-1]["revision"]},
        "health": {"status": "Healthy"},
        "resources": [],
    }
    metadata = {"name": "checkout", "namespace": "argocd", "uid": "5d1f0f5a-0000-4000-8000-000000000001"}
    spec = {"project": "default", "destination": {}, "source": {"repoURL": "https://git.example/checkout"}}
    return {"metadata": {}, "items": [{"metadata": metadata, "spec": spec, "status": status}]}


@pytest.fixture
def argocd() -> Iterator[ArgoCd]:
    server = ArgoCd()
    yield server
    server.stop()


@pytest.fixture
def installation(tmp_path: Path, argocd: ArgoCd) -> Installation:
    """The embedded one: SQLite, and a folder as the broker."""
    return install(tmp_path, argocd)


@pytest.fixture(params=["embedded", "servers"])
def each_installation(request: pytest.FixtureRequest, tmp_path: Path, argocd: ArgoCd) -> Installation:
    """The embedded one, and one on PostgreSQL and Redis."""
    if request.param == "embedded":
        return install(tmp_path, argocd)
    database = request.getfixturevalue("own_postgresql_database")
    return install(tmp_path, argocd, request.getfixturevalue("redis_url"), database)


def install(tmp_path: Path, argocd: ArgoCd, broker: str = "filesystem://", database: str | None = None) -> Installation:
    (tmp_path / "catalog.yaml").write_text(SERVICE)
    installation = Installation(tmp_path, CONFIG.format(url=argocd.url, broker=broker), database)
    installation.run("db", "upgrade")
    return installation


def source(installation: Installation) -> dict[str, object]:
    listed = {entry["name"]: entry for entry in installation.json("sources", "list", expect=None)}
    return listed["argocd"]


def deploys(installation: Installation) -> list[str]:
    events = installation.json("engagements", "history", "component:default/checkout")["items"]
    return sorted(event["source_event_id"] for event in events if event["kind"] == "deploy.finished")


def test_a_worker_killed_in_the_middle_of_a_pull_loses_nothing_and_repeats_nothing(each_installation, argocd):
    installation = each_installation
    argocd.mode = "hang"
    with installation.started("worker", "--beat") as worker:
        assert argocd.asked.wait(60), installation.log()
        assert source(installation)["state"] == "running"
        kill(worker)
    wait_until(lambda: source(installation)["state"] == "interrupted", 60)
    argocd.mode = "answer"
    argocd.released.set()
    with installation.started("worker", "--beat"):
        wait_until(lambda: source(installation)["state"] == "ok", 60)
        before = argocd.requests
        wait_until(lambda: argocd.requests > before, 60)  # pulled a second time: nothing doubles
        time.sleep(1)
    assert len(deploys(installation)) == len(set(deploys(installation))) == 3


def test_a_source_that_talks_rubbish_is_told_and_its_last_values_stay(installation, argocd):
    with installation.started("worker", "--beat"):
        wait_until(lambda: source(installation)["state"] == "ok", 60)
        argocd.mode = "rubbish"
        wait_until(lambda: source(installation)["state"] == "failing", 60)
    told = source(installation)
    assert told["failure_kind"] == "bad_answer"
    assert told["last_success_at"] is not None
    card = installation.json("scorecards", "show", "component:default/checkout", expect=None)
    used = [fact for result in card["results"] for fact in result["facts"] if fact["source"] == "argocd"]
    assert any(fact["value"] is not None for fact in used)
    assert len(deploys(installation)) == 3


def test_a_source_that_hangs_ends_in_a_failure_that_says_so(installation, argocd):
    argocd.mode = "hang"
    with installation.started("worker", "--beat"):
        told = wait_until(lambda: (now := source(installation))["failure_kind"] and now, 120)
    assert told["failure_kind"] == "timeout"
    card = installation.json("scorecards", "show", "component:default/checkout", expect=None)
    waiting = [result for result in card["results"] if any(cause["source"] == "argocd" for cause in result["causes"])]
    assert waiting
    assert {result["status"] for result in waiting} == {"unknown"}
