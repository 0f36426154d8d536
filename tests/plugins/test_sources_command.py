"""`portal sources` on a database of its own, with a real Prometheus."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result
from sqlalchemy import update

from catalog.ingestion.refresh import refresh_location
from catalog.locations import register_location
from plugins import registry
from plugins.contract import PullContext
from plugins.models import Source
from portal_backend.app import create_app
from portal_backend.commands.sources import sources
from portal_backend.core.clock import now
from portal_backend.core.config import load_config
from portal_backend.core.db import Model, db, transaction
from portal_backend.migrations import FOLDER
from tests.plugins.connectors.prometheus_history import END, LAST, STEP
from tests.plugins.misbehaving import always, serving
from tests.prometheus_server import prometheus, series

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: checkout}
spec: {type: service, lifecycle: production, owner: payments}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ghost}
spec: {type: service, lifecycle: production, owner: payments}
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    def history() -> Iterator[str]:
        for service in ("checkout", "legacy"):
            yield from series("up", {"service": service}, range(END - STEP, LAST + 1, STEP), lambda _: 1)

    with prometheus(history()) as address:
        yield address


class Portal:
    """A configuration with its database and catalog."""

    def __init__(self, folder: Path, configured: list[dict[str, Any]]) -> None:
        self.config = folder / "portal.yaml"
        document = {"database": {"url": f"sqlite:///{folder}/portal.db"}, "sources": configured}
        self.config.write_text(json.dumps(document))
        (folder / "catalog-info.yaml").write_text(CATALOG)
        app = create_app(load_config(self.config))
        with app.app_context():
            Model.metadata.create_all(db.engine)
            with db.engine.begin() as connection:
                MigrationContext.configure(connection).stamp(ScriptDirectory(str(FOLDER)), "head")
            with transaction() as session:
                location = register_location(session, "file", str(folder / "catalog-info.yaml"), now())
                refresh_location(session, location, now())
            db.engine.dispose()

    def run(self, *words: str) -> Result:
        return CliRunner(env={"PORTAL_CONFIG": str(self.config)}).invoke(sources, words, catch_exceptions=False)


def source(url: str, name: str = "prod", **values: Any) -> dict[str, Any]:
    return {"name": name, "plugin": "prometheus", "url": url, **values}


def test_a_source_that_answers_is_said_to_be_well(tmp_path: Path, url: str) -> None:
    result = Portal(tmp_path, [source(url)]).run("check")
    assert result.exit_code == 0, result.output
    assert "knows 1 of 2 services" in result.output


def test_each_kind_of_trouble_is_told_in_words_and_ends_with_1(tmp_path: Path, url: str) -> None:
    with ExitStack() as running:
        told = {
            "closed": always(401),
            "page": always(200, b"<html>Sign in</html>"),
            "elsewhere": always(404),
            "broken": always(500),
            "busy": always(429, Retry_After="900"),
        }
        answering = [source(running.enter_context(serving(answer)).url, name) for name, answer in told.items()]
        portal = Portal(
            tmp_path,
            [
                source(url, "well"),
                source("http://127.0.0.1:9", "away"),
                *answering,
                source(url, "stranger", options={"service_label": "app"}),
            ],
        )
        result = portal.run("check", "--json")
    assert result.exit_code == 1
    found = {finding["name"]: finding for finding in json.loads(result.output)}
    assert found["well"]["ok"] is True
    assert {name: finding["kind"] for name, finding in found.items() if not finding["ok"]} == {
        "away": "unreachable",
        "closed": "credentials",
        "page": "bad_answer",
        "elsewhere": "misconfigured",
        "broken": "bad_answer",
        "busy": "rate_limited",
        "stranger": "misconfigured",
    }
    assert "check auth" in found["closed"]["remedy"]
    assert found["page"]["remedy"].startswith("address or options: check that url")
    assert found["elsewhere"]["remedy"].startswith("address: correct url")
    assert found["broken"]["remedy"].startswith("the source: it is there and fails")
    assert "asks for a pause of 900 s" in found["busy"]["message"]
    assert "no service matches" in found["stranger"]["message"]


def test_a_connector_that_blocks_is_given_up_and_the_others_are_checked(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    find = registry.connector

    class Blocking(type(find("prometheus"))):  # type: ignore[misc]
        def check(self, context: PullContext) -> str:
            released.wait(60)
            return "never said"

    monkeypatch.setattr(registry, "connector", lambda name: Blocking() if name == "grafana" else find(name))
    monkeypatch.setattr("portal_backend.commands.source_checks.CHECK_SECONDS", 1.0)
    try:
        result = Portal(tmp_path, [source(url), {"name": "boards", "plugin": "grafana", "url": url}]).run("check")
    finally:
        released.set()
    assert result.exit_code == 1
    assert "ok prod: Prometheus" in result.output
    assert "timeout boards: the connector was not done after 1 s" in result.output
    assert "tell whoever wrote it" in result.output


def test_one_source_can_be_checked_alone(tmp_path: Path, url: str) -> None:
    portal = Portal(tmp_path, [source(url), source("http://127.0.0.1:9", "away")])
    assert portal.run("check", "prod").exit_code == 0
    unknown = portal.run("check", "nobody")
    assert unknown.exit_code == 2


def test_a_collection_is_reported_and_then_listed(tmp_path: Path, url: str) -> None:
    portal = Portal(tmp_path, [source(url, simulated=True)])
    before = portal.run("list")
    assert "never_ran" in before.output
    collected = portal.run("collect", "prod", "--json")
    assert collected.exit_code == 0, collected.output
    (report,) = json.loads(collected.output)
    assert (report["outcome"], report["matched"], report["targets"]) == ("done", 1, 2)
    assert report["facts"] >= 3
    assert report["unmatched"] == ["legacy"]
    catalog, listed = json.loads(portal.run("list", "--json").output)
    assert catalog["name"] == "catalog"
    assert (listed["state"], listed["matched"], listed["simulated"]) == ("ok", 1, True)
    (run,) = json.loads(portal.run("runs", "prod", "--json").output)
    assert (run["state"], run["matched"], run["targets"], run["unmatched_sample"]) == ("ok", 1, 2, ["legacy"])
    assert "1 of 2" in portal.run("runs", "prod").output
    assert portal.run("runs", "nobody").exit_code == 2
    shown = portal.run("list").output
    assert "simulated" in shown
    assert "names that no service claims: legacy" in shown
    assert "holds no alerting rules" in shown


def test_a_failed_collection_ends_with_1_and_says_why(tmp_path: Path) -> None:
    portal = Portal(tmp_path, [source("http://127.0.0.1:9")])
    result = portal.run("collect", "prod", "--json")
    assert result.exit_code == 1
    (report,) = json.loads(result.output)
    assert report["failure"]["kind"] == "unreachable"
    catalog, listed = json.loads(portal.run("list", "--json").output)
    assert catalog["name"] == "catalog"
    assert (listed["state"], listed["failure_kind"]) == ("failing", "unreachable")


def test_a_source_that_another_run_collects_is_left_to_it(tmp_path: Path, url: str) -> None:
    portal = Portal(tmp_path, [source(url)])
    assert portal.run("collect", "prod").exit_code == 0
    with create_app(load_config(portal.config)).app_context(), transaction() as session:
        session.execute(update(Source).values(lease_token="another", lease_until=now() + timedelta(minutes=1)))
    result = portal.run("collect", "prod")
    assert result.exit_code == 1
    assert "prod is being collected by another run already; `portal sources runs prod` shows how far it is." in (
        result.output
    )
