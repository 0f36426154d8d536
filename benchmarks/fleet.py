"""A fleet of services for benchmarks, and how the time of a piece of work is told."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db

SERVICES = 2000

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


@contextmanager
def fleet_of_arguments() -> Iterator[tuple[Flask, Path, int]]:
    """Yield the app on an empty database, a folder with catalog.yaml, and the count of services in it.

    The command line names the count and the database's URL; both may be left out.
    """
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
        yield app, folder, count
        with app.app_context():
            Model.metadata.drop_all(db.engine)


def entity(number: int, count: int) -> str:
    """Return one component's document; it depends on another one."""
    return ENTITY.format(number=number, team=number % 50, tier=number % 4, other=(number * 7 + 1) % count)


def timed(what: str, work: Callable[[], object]) -> None:
    """Print how long a piece of work took, by the clock and of our CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"  {what:<40} {time.perf_counter() - wall:8.2f} s  {time.process_time() - cpu:8.2f} s CPU")
