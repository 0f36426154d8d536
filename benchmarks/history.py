"""The history, timed on one machine in one run: appending, checking the chain, lists of a long history, incident view.

    python -m benchmarks.history [EVENTS] [DATABASE_URL]

Machines differ and are noisy: compare within a run.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from flask import Flask

from catalog.ingestion.refresh import refresh_location, register_location
from engagements import history
from engagements.chain.verification import verify
from engagements.history import NewEvent
from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, reading, transaction

EVENTS = 20_000
SERVICES = 100
DEPENDENCIES = 10
START = datetime(2026, 1, 1, tzinfo=UTC)
ENTITY = """---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: service-{number}, annotations: {{sre.portal/criticality: T{tier}}}}}
spec: {{type: service, lifecycle: production, owner: team, dependsOn: [{others}]}}
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory() as name:
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{name}/benchmark.db"
        app = create_app(Config(database_url=url, data_dir=Path(name)))
        with app.app_context():
            print(f"{count} events of {SERVICES} services, {db.engine.dialect.name}")
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
        try:
            with app.app_context():
                append(count)
                long_history(5 * count)
                register(Path(name))
            read(app)
        finally:
            with app.app_context():
                Model.metadata.drop_all(db.engine)


def append(count: int) -> None:
    for size, share in ((1000, 1), (1, 20)):
        total = count // share
        events = list(deploys(f"batch-{size}", total))

        def write(events: list[NewEvent] = events, size: int = size) -> None:
            for start in range(0, len(events), size):
                with transaction() as session:
                    history.record(session, events[start : start + size], START)

        timed(f"append {total} events, {size} in a transaction", write, total)
    timed("append the first 1000 again", lambda: again(1000), 1000)


def again(count: int) -> None:
    with transaction() as session:
        assert history.record(session, list(deploys("batch-1000", count)), START) == 0


def long_history(count: int) -> None:
    """Give one service, service-1, as many events as a chatty one has in years."""

    def write() -> None:
        for start in range(0, count, 1000):
            with transaction() as session:
                history.record(session, [chatter(number) for number in range(start, start + 1000)], START)

    timed(f"append {count} events of one service", write, count)
    with reading() as session:
        timed("check the chain of all", lambda: print(f"  {verify(session)!s:.60}"), count + count // 5 + count // 100)


def chatter(number: int) -> NewEvent:
    kind = ("alert.fired", "alert.resolved", "deploy.finished")[number % 3]
    alert = {"alert": f"Alert{number // 3 % 7}"} if kind.startswith("alert") else {"revision": f"{number:040x}"}
    at = START + timedelta(minutes=number)
    return NewEvent("component:default/service-1", kind, at, "prometheus", f"long:{number}", kind, details=alert)


def register(folder: Path) -> None:
    text = "".join(
        ENTITY.format(
            number=number,
            tier=number % 4,
            others=", ".join(f"'component:service-{(number + n) % SERVICES}'" for n in range(1, DEPENDENCIES + 1)),
        )
        for number in range(SERVICES)
    )
    (folder / "catalog.yaml").write_text(text)
    with transaction() as session:
        refresh_location(session, register_location(session, "file", str(folder / "catalog.yaml"), START), START)


def deploys(prefix: str, count: int) -> Iterator[NewEvent]:
    for number in range(count):
        yield NewEvent(
            f"component:default/service-{number % SERVICES}",
            "deploy.finished",
            START + timedelta(minutes=number),
            "argocd",
            f"{prefix}:{number}",
            f"service-{number % SERVICES} deployed {number:08x}",
            link="https://argocd.example/applications/service",
            details={"application": "service", "revision": f"{number:040x}", "automated": True},
        )


def timed(what: str, work: Callable[[], object], items: int) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"  {what:<48} {wall:7.2f} s {cpu:7.2f} s CPU {items / wall:10,.0f} a second")


def read(app: Flask) -> None:
    client = app.test_client()
    base = "/api/services/component/default/service"
    for path in (
        f"{base}-1/history",
        f"{base}-1/history?kind=deploy.finished&until=2026-02-01T00:00:00Z",
        f"{base}-1/history?kind=tier.changed",
        f"{base}-1/incident-view",
        f"{base}-50/incident-view",
    ):
        answers = [one(client, path) for _ in range(20)]
        print(f"  {path:<88} {median(answers):7.2f} ms CPU")


def one(client: object, path: str) -> float:
    started = time.process_time()
    answer = client.get(path)  # type: ignore[attr-defined]
    assert answer.status_code == 200, answer.data
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
