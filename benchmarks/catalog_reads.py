"""Reading the catalog, timed on one machine in one run: whole requests, through authentication, against real servers.

    python -m benchmarks.catalog_reads [COMPONENTS] [DATABASE_URL] [--seconds N] [--only WORD]

A database that holds entities already is read as it is; an empty one is filled first. Each request stands beside its
ceiling: the same bytes from a Flask view that does no work, in the same server. "first" finds nothing kept; before each
request of "changed" something else was written, so that a kept answer is sent only once its entities' etags were read;
"again" takes answers as they are kept until the next write. CPU is that of the web server and of the database's
processes on this machine (Linux). Machines differ and are noisy: compare within a run.
"""

import argparse
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, request
from sqlalchemy import create_engine, func, select, text
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from benchmarks.catalog_data import write_catalog
from benchmarks.machine import children
from catalog.ingestion.refresh import refresh_location, register_location
from catalog.models import Entity
from catalog.querying import repeating
from catalog.querying.remembering import answers
from catalog.versions import Version, current_version
from portal_backend.app import create_app
from portal_backend.core import clock, tokens
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, reading, transaction, with_driver
from portal_backend.core.quick_reading import Reader
from tests.servers import free_port

COMPONENTS = 10_000
CLIENTS = 8
WARM_UP_SECONDS = 0.5
TICKS = os.sysconf("SC_CLK_TCK")
LIST = "/api/catalog/entities/by-query?limit=20&orderField=metadata.name,asc&filter=kind=component"
FACETS = "/api/catalog/entity-facets?filter=kind=component"


@dataclass(frozen=True)
class Shape:
    name: str
    path: str
    body: Mapping[str, Any] | None = None

    def ask(self, connection: http.client.HTTPConnection, headers: Mapping[str, str]) -> bytes:
        body = None if self.body is None else json.dumps(self.body)
        connection.request("GET" if body is None else "POST", self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, (self.path, answer.status, content[:300])
        return content


@dataclass(frozen=True)
class Measured:
    requests: int
    seconds: float
    web_ms: float
    database_ms: float
    times: Sequence[float]

    def row(self) -> str:
        ordered = sorted(self.times)
        p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        rate = self.requests / self.seconds
        return f"{rate:8.0f} {self.web_ms:7.2f} {self.database_ms:7.2f} {p50 * 1000:7.1f} {p99 * 1000:7.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("components", type=int, nargs="?", default=COMPONENTS)
    parser.add_argument("database_url", nargs="?")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        url = with_driver(asked.database_url or f"sqlite:///{name}/benchmark.db")
        read_all(url, asked.components, Path(name), asked.seconds, asked.only)


def read_all(url: str, components: int, folder: Path, seconds: float, only: str = "") -> None:
    """Measure every request whose name holds `only`, on a database that is filled if it is empty."""
    token, refs = prepare(url, components, folder)
    shapes = [shape for shape in all_shapes(refs) if only in shape.name]
    print(f"{'':22}{'req/s':>16} {'web ms':>7} {'db ms':>7} {'p50 ms':>7} {'p99 ms':>7}   of the ceiling's rate")
    for kind in ("first", "changed", "again"):
        with server(url, token, folder, kind) as (port, pid):
            for shape in shapes:
                measure(shape, kind, url, (port, pid, token), folder, seconds)
            print(f"memory of the web server's process: {memory_mb(pid):.0f} MB, its own share")


def prepare(url: str, components: int, folder: Path) -> tuple[str, list[str]]:
    """Fill an empty database; return a token that may read, and some references."""
    app = create_app(Config(database_url=url, data_dir=folder))
    with app.app_context():
        Model.metadata.create_all(db.engine)
        with reading() as session:
            is_empty = session.scalar(select(func.count()).select_from(Entity)) == 0
        if is_empty:
            write_catalog(folder / "catalog", components)
            now = clock.now()
            with transaction() as session:
                refresh_location(session, register_location(session, "file", str(folder / "catalog"), now), now)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE" if db.engine.dialect.name == "postgresql" else "ANALYZE"))
        with transaction() as session:
            issued = tokens.issue_token(session, "benchmark", [], ["*:read"], timedelta(days=1), clock.now())
        with reading() as session:
            refs = list(session.scalars(select(Entity.ref).where(Entity.kind == "component").limit(50)))
            count = session.scalar(select(func.count()).select_from(Entity))
        print(f"{count} entities, {db.engine.dialect.name}; load of the machine {os.getloadavg()[0]:.1f}")
        db.engine.dispose()
    return issued.text, refs


def all_shapes(refs: Sequence[str]) -> list[Shape]:
    kind, rest = refs[0].split(":")
    text_fields = "metadata.name,metadata.title,spec.profile.displayName,spec.target,spec.targets"
    return [
        Shape("by name", f"/api/catalog/entities/by-name/{kind}/{rest}"),
        Shape("query 20, total", LIST),
        Shape("query 20", f"{LIST}&totalItems=exclude"),
        Shape("text", f"{LIST}&fullTextFilterTerm=pay"),
        Shape("text of a tenth", f"{LIST}&fullTextFilterTerm=api"),
        Shape("text, no total", f"{LIST}&fullTextFilterTerm=pay&totalItems=exclude"),
        Shape("text, five fields", f"{LIST}&fullTextFilterTerm=pay&fullTextFilterFields={text_fields}"),
        Shape("tag and lifecycle", f"{LIST},metadata.tags=java,spec.lifecycle=production"),
        Shape("entities 100", "/api/catalog/entities?limit=100&filter=kind=component"),
        Shape("facets, two columns", f"{FACETS}&facet=spec.type&facet=spec.lifecycle"),
        Shape("facet of tags", f"{FACETS}&facet=metadata.tags"),
        Shape("facets under a tag", f"{FACETS},metadata.tags=java&facet=spec.type&facet=spec.lifecycle"),
        Shape("tag", f"{LIST},metadata.tags=java"),
        Shape("tag of any kind", "/api/catalog/entities/by-query?limit=20&filter=metadata.tags=java"),
        Shape("by refs 50", "/api/catalog/entities/by-refs", {"entityRefs": refs}),
    ]


def make_app() -> Any:
    """Return what the server runs: the application, and beside it a view that answers with a file's bytes."""
    folder = Path(os.environ["BENCHMARK_FOLDER"])
    if os.environ["BENCHMARK_KIND"] == "first":
        answers.capacity = 0
    if os.environ["BENCHMARK_KIND"] == "changed":
        _change_before_every_request()
    app = create_app(Config(database_url=os.environ["BENCHMARK_URL"], data_dir=folder, service_tokens=True))
    ceiling = Flask("ceiling")
    kept: dict[str, bytes] = {}

    @ceiling.route("/<name>", methods=["GET", "POST"])
    def answer(name: str) -> Any:
        request.get_data()  # what is not read would end the connection
        if name not in kept:
            kept[name] = (folder / name).read_bytes()
        return ceiling.response_class(kept[name], mimetype="application/json")

    return DispatcherMiddleware(app, {"/ceiling": ceiling})


def _change_before_every_request() -> None:
    """Let every request see a version of the catalog that none saw before."""
    requests = itertools.count(1)

    def newer(reader: Reader) -> Version | None:
        version = current_version(reader)
        return version and version._replace(number=version.number + next(requests))

    repeating.current_version = newer  # type: ignore[attr-defined]


@contextmanager
def server(url: str, token: str, folder: Path, kind: str) -> Iterator[tuple[int, int]]:
    """Run one process of the web server; yield its port and process id."""
    port = free_port()
    environment = {**os.environ, "BENCHMARK_URL": url, "BENCHMARK_FOLDER": str(folder), "BENCHMARK_KIND": kind}
    options = ["--interface", "wsgi", "--blocking-threads", "4", "--port", str(port), "--log-level", "error"]
    command = [sys.executable, "-m", "granian", *options, "--factory", "benchmarks.catalog_reads:make_app"]
    process = subprocess.Popen(command, env=environment)
    try:
        while not (workers := children(process.pid)) or not _listens(port, token):
            assert process.poll() is None
            time.sleep(0.1)
        yield port, workers[0]
    finally:
        process.terminate()
        process.wait()


def measure(shape: Shape, kind: str, url: str, at: tuple[int, int, str], folder: Path, seconds: float) -> None:
    port, pid, token = at
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    name = shape.name.replace(" ", "-").replace(",", "")
    connection = http.client.HTTPConnection("127.0.0.1", port)
    (folder / name).write_bytes(shape.ask(connection, headers))
    connection.close()
    found = load(shape, headers, port, pid, url, seconds)
    ceiling = load(Shape(name, f"/ceiling/{name}", shape.body), headers, port, pid, url, seconds / 2)
    share = found.requests / found.seconds / (ceiling.requests / ceiling.seconds)
    size = (folder / name).stat().st_size / 1024
    print(f"{shape.name:22}{kind:>8}{found.row()}   {share:4.2f} (ceiling {ceiling.web_ms:.2f} ms), {size:.0f} KB")


def load(shape: Shape, headers: Mapping[str, str], port: int, pid: int, url: str, seconds: float) -> Measured:
    """Ask again and again over some connections at once."""
    times: list[float] = []
    start = threading.Event()
    end = [0.0]

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        shape.ask(connection, headers)
        start.wait()
        while (begun := time.perf_counter()) < end[0]:
            shape.ask(connection, headers)
            times.append(time.perf_counter() - begun)
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    time.sleep(WARM_UP_SECONDS)
    databases = database_processes(url)
    before = cpu_ms([pid]), cpu_ms(databases)
    begun = time.perf_counter()
    end[0] = begun + seconds
    start.set()
    for one in clients:
        one.join()
    took = time.perf_counter() - begun
    requests = max(1, len(times))
    web, database = cpu_ms([pid]) - before[0], cpu_ms(databases) - before[1]
    return Measured(requests, took, web / requests, database / requests, times or [took])


def cpu_ms(processes: Sequence[int]) -> float:
    total = 0
    for process in processes:
        stat = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(stat[11]) + int(stat[12])
    return 1000 * total / TICKS


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _listens(port: int, token: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == 200
    except OSError:
        return False


def database_processes(url: str) -> list[int]:
    if not url.startswith("postgresql"):
        return []
    engine = create_engine(url)
    with engine.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        processes = list(connection.scalars(text(query)))
    engine.dispose()
    return [process for process in processes if Path(f"/proc/{process}").exists()]


if __name__ == "__main__":
    main()
