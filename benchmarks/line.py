"""The line from catalog files to answers, timed on one machine in one run.

    python -m benchmarks.line [SERVICES] [DATABASE_URL]

Each reading request stands beside its ceiling: the same bytes from a view that does no work, through the same server
stack. Machines differ and are noisy: compare within a run.
"""

import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from flask import Flask, Response
from flask.testing import FlaskClient

from benchmarks.fleet import VALUES, fleet_of_arguments, timed
from catalog.ingestion.refresh import refresh_location, register_location
from plugins.contract import Fact
from portal_backend import catalog_refresh, judgement, pipeline, settings
from portal_backend.core import clock
from portal_backend.core.db import transaction
from scorecards import facts

REQUESTS = 30


def main() -> None:
    with fleet_of_arguments() as (app, folder, count):
        with app.app_context():
            pipeline.prepare()
            write(folder, count)
        read(app)


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
