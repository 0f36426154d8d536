"""The line from catalog files to answers, timed on one machine in one run.

    python -m benchmarks.line [SERVICES] [DATABASE_URL]

Each reading request stands beside its ceiling: the same bytes from a view that does no work, through the same server
stack. Machines differ and are noisy: compare within a run.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from flask import Flask, Response
from flask.testing import FlaskClient

from catalog.ingestion.refresh import refresh_location, register_location
from plugins.contract import Fact
from portal_backend import catalog_refresh, judgement, pipeline, settings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, transaction
from scorecards import facts

SERVICES = 2000
REQUESTS = 30

ENTITY = """---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: service-{number}
  description: Service number {number} of the benchmark
  tags: [java, team-{team}]
  annotations: {{sre.portal/criticality: T{tier}, sre.portal/criticality-confirmed-at: '2026-10-01'}}
spec: {{type: service, lifecycle: production, owner: team-{team}, dependsOn: ['component:service-{other}']}}
"""
VALUES = {
    "slo.availability.actual_28d": 0.9991,
    "slo.availability.target": 0.999,
    "slo.availability.budget_left": 0.4,
    "slo.latency.actual_28d": 0.991,
    "slo.latency.target": 0.99,
    "traffic.rps_now": 120.0,
    "traffic.rps_180d_ago": 80.0,
    "traffic.peak_rps_30d": 300.0,
    "metrics.signals.present": 4,
    "alerts.slo_burn.count": 2,
    "alerts.sli_coverage_ratio": 1.0,
    "alerts.paging.count_30d": 12,
    "alerts.paging.without_runbook": 0,
    "alerts.paging.unrouted": 0,
    "runtime.replicas": 3,
    "runtime.zones": 3,
    "runtime.resources.set": True,
    "runtime.autoscaler.enabled": True,
    "runtime.cpu.p95_30d": 0.5,
    "runtime.mem.p95_30d": 0.6,
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/benchmark.db"
        (folder / "catalog.yaml").write_text("".join(entity(number, count) for number in range(count)))
        app = create_app(Config(database_url=url, data_dir=folder, base_dir=folder))
        with app.app_context():
            print(f"{count} services, {db.engine.dialect.name}")
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
            pipeline.prepare()
            write(folder, count)
        read(app)
        with app.app_context():
            Model.metadata.drop_all(db.engine)


def entity(number: int, count: int) -> str:
    return ENTITY.format(number=number, team=number % 50, tier=number % 4, other=(number * 7 + 1) % count)


def write(folder: Path, count: int) -> None:
    def ingest() -> None:
        with transaction() as session:
            location = register_location(session, "file", str(folder / "catalog.yaml"), clock.now())
            reports.append(refresh_location(session, location, clock.now()))

    def store() -> None:
        with transaction() as session:
            facts.store(session, "prometheus", batch, settings.current().specs, now)

    reports: list = []
    timed("first ingest", ingest)
    timed("unchanged ingest", ingest)
    timed("catalog facts and first judgement", lambda: catalog_refresh.follow(reports))
    now = clock.now()
    batch = [
        Fact(f"component:default/service-{number}", key, value, now - timedelta(minutes=1))
        for number in range(count)
        for key, value in VALUES.items()
    ]
    timed(f"store {len(batch)} facts, all new", store)
    timed("store them again, unchanged", store)
    timed("judge all, every service changed", judgement.judge_all)
    timed("judge all, nothing changed", judgement.judge_all)


def timed(what: str, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"  {what:<40} {time.perf_counter() - wall:8.2f} s  {time.process_time() - cpu:8.2f} s CPU")


def read(app: Flask) -> None:
    client = app.test_client()
    for path in (
        "/api/services/component/default/service-1",
        "/api/services/component/default/service-1/scorecard",
        "/api/services/component/default/service-1/history",
        "/api/services?limit=50",
        "/api/services?limit=50&sort=-observability.percent&criticality=T1",
        "/api/services?limit=50&q=number%2019&include_total=true",
        "/api/engagements/triage?direction=onboard&limit=20",
    ):
        body = client.get(path).data
        ceiling = ceiling_client(body)
        ours, bare = [], []
        for _ in range(REQUESTS if "triage" not in path else 3):  # in turn, so that both see the same noise
            ours.append(one(client, path))
            bare.append(one(ceiling, "/"))
        print(f"  {path:<72} {median(ours):9.2f} ms CPU, ceiling {median(bare):6.2f} ms, {len(body):7} bytes")


def ceiling_client(body: bytes) -> FlaskClient:
    bare = Flask("ceiling")
    bare.add_url_rule("/", view_func=lambda: Response(body, mimetype="application/json"))
    return bare.test_client()


def one(client: FlaskClient, path: str) -> float:
    """Ask once; return the milliseconds of CPU that it took."""
    started = time.process_time()
    client.get(path)
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
