"""Tech Insights' bulk checks from stored results, timed on one machine in one run.

    python -m benchmarks.tech_insights [SERVICES] [DATABASE_URL]

CPU is this process's; what PostgreSQL's processes of this database use comes on top (`pg`, from /proc where it can be
seen, in ticks of 10 ms). "First" is asked with an empty shelf, "again" finds there what was told before.
Each request stands beside its ceiling: the same bytes from a view that does no work. Compare within a run.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

from flask import Flask

from benchmarks.fleet import VALUES, entity
from benchmarks.line import ceiling_client
from catalog.ingestion.refresh import refresh_location, register_location
from plugins.contract import Fact
from portal_backend import catalog_refresh, judgement, pipeline, settings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, transaction
from scorecards import facts, judging
from scorecards.tech_insights.views import SHELF

SERVICES = 2000
MOUNT = "/api/tech-insights"
SIX = ["cap.limits", "chg.cfr", "arch.owner", "arch.criticality", "obs.golden", "perf.availability"]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/benchmark.db"
        (folder / "catalog.yaml").write_text("".join(entity(number, count) for number in range(count)))
        app = create_app(Config(database_url=url, data_dir=folder, base_dir=folder))
        with app.app_context():
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
            pipeline.prepare()
            fill(folder, count)
            checks = list(judging.current().catalogue.checks)
            print(f"{count} services, {len(checks)} checks, {db.engine.dialect.name}")
        ask(app, count, checks)
        with app.app_context():
            Model.metadata.drop_all(db.engine)


def fill(folder: Path, count: int) -> None:
    """Ingest, store facts, judge: what is asked about afterwards is all stored."""
    with transaction() as session:
        location = register_location(session, "file", str(folder / "catalog.yaml"), clock.now())
        reports = [refresh_location(session, location, clock.now())]
    catalog_refresh.follow(reports)
    now = clock.now()
    observed = now - timedelta(minutes=1)
    batch = [
        Fact(f"component:default/service-{number}", key, value, observed)
        for number in range(count)
        for key, value in VALUES.items()
    ]
    with transaction() as session:
        facts.store(session, "prometheus", batch, settings.current().specs, now)
    judgement.judge_all()


def ask(app: Flask, count: int, checks: list[str]) -> None:
    six = [check for check in SIX if check in checks]
    refs = [f"component:default/service-{(number * 7) % count}" for number in range(min(750, count))]
    one = f"{MOUNT}/checks/run/default/component/service-1"
    time_of(app, "one entity, 6 checks, first", one, {"checks": six}, 30, first=True)
    time_of(app, "one entity, 6 checks, again", one, {"checks": six}, 30)
    for size, repeats in ((50, 30), (750, 5)):
        for chosen, words in ((six, "6 checks"), (checks, f"{len(checks)} checks")):
            body = {"entities": refs[:size], "checks": chosen}
            what = f"{len(refs[:size])} entities, {words}"
            time_of(app, f"{what}, first", f"{MOUNT}/checks/run", body, repeats // 3, first=True)
            time_of(app, f"{what}, again", f"{MOUNT}/checks/run", body, repeats)


def time_of(app: Flask, what: str, path: str, body: dict[str, object], repeats: int, first: bool = False) -> None:
    client = app.test_client()
    answer = client.post(path, json=body).data
    ceiling = ceiling_client(answer)
    with app.app_context():
        pids = backend_pids()
    ours, servers, bare, wall = [], [], [], []
    for _ in range(repeats):
        if first:
            app.extensions.pop(SHELF, None)
        started, of_server = time.perf_counter(), backend_cpu(pids)
        ours.append(cpu_of(lambda: client.post(path, json=body).data))
        servers.append(backend_cpu(pids) - of_server)
        wall.append(1000 * (time.perf_counter() - started))
        bare.append(cpu_of(lambda: ceiling.get("/").data))
    print(
        f"  {what:<32} {median(ours):8.2f} ms CPU + {sum(servers) / repeats:6.2f} pg  {median(wall):8.2f} ms wall"
        f"  ceiling {median(bare):6.2f} ms  {len(answer):>9,} bytes"
    )


def cpu_of(work: Callable[[], object]) -> float:
    """Return the milliseconds of this process's CPU that the work took."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def backend_cpu(pids: Sequence[int]) -> float:
    """Return the milliseconds of CPU that processes of PostgreSQL have used; those that cannot be seen count for 0."""
    used = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += sum(int(value) for value in fields[11:13])
    return 1000 * used / os.sysconf("SC_CLK_TCK")


def backend_pids() -> list[int]:
    """Return the processes behind the connections to our database; none without PostgreSQL."""
    if db.engine.dialect.name != "postgresql":
        return []
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    with db.engine.connect() as connection:
        return [int(pid) for pid in connection.exec_driver_sql(query).scalars()]


if __name__ == "__main__":
    main()
