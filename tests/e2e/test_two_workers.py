"""Two workers on Redis or RabbitMQ, and PostgreSQL, share the work; what a killed one left, the other finishes."""

from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from portal_backend.worker import CONCURRENCY
from tests.e2e.installation import Installation, kill, wait_until
from tests.e2e.test_worker import SERVICE, ArgoCd, argocd

__all__ = ["argocd"]

SOURCES = [f"argocd-{number}" for number in range(CONCURRENCY + 3)]
"""More than one worker has threads for: while all of them hang, both workers are in the middle of a pull."""


@pytest.fixture(params=["redis_url", "rabbitmq_url"])
def installation(request, tmp_path, argocd, own_postgresql_database) -> Installation:
    broker = request.getfixturevalue(request.param)
    (tmp_path / "catalog.yaml").write_text(SERVICE)
    listed = "\n".join(f"  - {{name: {name}, plugin: argocd, url: '{argocd.url}', every: 1h}}" for name in SOURCES)
    config = f"""
catalog: {{locations: [{{type: file, target: catalog.yaml}}], every: 1h}}
broker: {{url: '${{BROKER_URL}}'}}
collecting: {{lease: 10s}}
sources:
{listed}
"""
    made = Installation(tmp_path, config, own_postgresql_database, BROKER_URL=broker)
    made.run("db", "upgrade")
    return made


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_what_a_killed_worker_was_pulling_the_other_one_finishes_and_nothing_doubles(
    installation, argocd: ArgoCd, own_postgresql_database
):
    engine = create_engine(own_postgresql_database)
    unread = "SELECT name FROM plugin_source WHERE plugin = 'argocd' AND (last_success_at IS NULL OR lease_token <> '')"
    argocd.mode = "hang"
    with installation.started("worker", "--beat"), installation.started("worker") as other:
        wait_until(lambda: argocd.requests == len(SOURCES), 120)
        kill(other)
        argocd.mode = "answer"
        argocd.released.set()
        wait_until(lambda: rows(engine, unread) == [], 90)
    interrupted = rows(engine, "SELECT source FROM plugin_source_run WHERE state = 'interrupted'")
    deploys = rows(engine, "SELECT source, source_event_id FROM history_event WHERE kind = 'deploy.finished'")
    engine.dispose()
    assert interrupted, "the worker that was killed had nothing to do"
    assert len(deploys) == len(set(deploys)) == 3 * len(SOURCES)
