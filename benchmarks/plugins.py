"""What pulling, storing and keeping cost, measured on one machine in one run.

    python -m benchmarks.plugins pull [SERVICES]             services of a real Prometheus, by source and by service
    python -m benchmarks.plugins store [SERVICES] [URL]      40 facts each: all new, all changed, 1 % changed
    python -m benchmarks.plugins keep [SERVICES] [URL]       a year of 60 facts each, its size, and pruning it

URL is of an empty database that may be overwritten; SQLite in a temporary folder when it is not given. Machines differ
and are noisy: compare within a run.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, literal, literal_column, select, text
from sqlalchemy.orm import Session

from plugins.connectors.prometheus import CONNECTOR
from plugins.connectors.prometheus.options import Options
from plugins.contract import Fact, FactSpec, FactType, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.app import create_app
from portal_backend.core.clock import now
from portal_backend.core.config import Config
from portal_backend.core.db import Model, UtcDateTime, db, reading, transaction
from scorecards import fact_history, facts
from scorecards.fact_history import Change
from scorecards.models import FactName, FactSubject, FactValue
from scorecards.retention import RetentionSettings, prune_step
from tests.prometheus_server import DAY, HOUR, counter, prometheus, series

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 500
ASKED_ONE_BY_ONE = 200
"""Services that are asked one by one; the rest is reckoned from them."""
INTEGERS, NUMBERS, BOOLEANS = 10, 15, 35
"""The 60 facts of a service: counts, measured numbers, yes or no."""
CHANGES_A_YEAR = {FactType.INTEGER: 26, FactType.NUMBER: 365, FactType.BOOLEAN: 4}
"""How often each comes anew: a count every other week, a number each day (more are not kept), a yes or no a quarter."""
WIDE = Limits(read_seconds=300, total_seconds=1800)


def main() -> None:
    parts: dict[str, tuple[Callable[[int], None], int]] = {
        "pull": (pull, 5000),
        "store": (store, 10_000),
        "keep": (keep, 100),
    }
    part, usual = parts[sys.argv[1]]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else usual
    if part is pull:
        pull(count)
        return
    with database(sys.argv[3] if len(sys.argv) > 3 else ""):
        part(count)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, cpu = time.perf_counter(), _cpu()
    yield
    print(f"{what:<58} {time.perf_counter() - began:8.2f} s  {_cpu() - cpu:8.2f} s CPU of ours")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def database(url: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as name:
        app = create_app(Config(database_url=url or f"sqlite:///{name}/benchmark.db", data_dir=Path(name)))
        with app.app_context():
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
            print(f"database: {db.engine.dialect.name}")
            try:
                yield
            finally:
                Model.metadata.drop_all(db.engine)


def pull(count: int) -> None:
    end = int(time.time()) // 300 * 300
    names = [f"service-{number}" for number in range(count)]

    def history() -> Iterator[str]:
        for name in names:
            yield from series("up", {"service": name}, range(end - 300, end + HOUR, 300), lambda _: 1)
            for code, rate in (("200", 9), ("500", 1)):
                labels = {"service": name, "code": code}
                yield from series("http_requests_total", labels, range(end - DAY, end + HOUR, HOUR), counter(rate, 0))

    with prometheus(history()) as url:
        targets = [Target(f"component:default/{name}", name) for name in names]
        for some in (targets[:5], targets):
            with SourceClient(url, limits=WIDE) as client, timed(f"{len(some)} services by source"):
                context = PullContext("p", client, _options(), some, now())
                found = sum(len(batch.facts) for batch in CONNECTOR.pull(context))
            print(f"    {client.requests_made} requests, {found} facts")
        by_service(url, names[:ASKED_ONE_BY_ONE], count)


def _options() -> dict[str, object]:
    return dict(CONNECTOR.options_schema().load({}))


def by_service(url: str, names: list[str], count: int) -> None:
    """One query for each service, of one fact: what asking by service would cost."""
    query = Options().promql()["slo.availability.actual_28d"]
    began, cpu = time.perf_counter(), _cpu()
    with SourceClient(url, limits=WIDE) as client:
        for name in names:
            own = query.replace("http_requests_total{", f'http_requests_total{{service="{name}",')
            own = own.replace("http_requests_total[", f'http_requests_total{{service="{name}"}}[')
            assert own.count(f'"{name}"') == own.count("http_requests_total"), own
            client.post_form_json("api/v1/query", {"query": own})
        requests = client.requests_made
    one, cpu = (time.perf_counter() - began) / len(names), (_cpu() - cpu) / len(names)
    with SourceClient(url, limits=WIDE) as client, timed("one fact of all services, one grouped query"):
        client.post_form_json("api/v1/query", {"query": query})
    print(
        f"one fact, one query per service: {requests} measured, {one * 1000:.1f} ms each; {count} services: "
        f"{one * count:.1f} s, {cpu * count:.1f} s CPU of ours"
    )


def store(count: int) -> None:
    specs = {f"bench.fact_{n}": FactSpec(f"bench.fact_{n}", FactType.INTEGER, "count", "", timedelta(days=1))
             for n in range(40)}  # fmt: skip
    refs = [f"component:default/service-{number}" for number in range(count)]

    def collected(at: datetime, changed: Callable[[int], bool]) -> None:
        for start in range(0, count, BATCH):
            batch = [
                Fact(ref, key, hash((at, key)) % 1000 if changed(start + offset) else 7, at)
                for offset, ref in enumerate(refs[start : start + BATCH])
                for key in specs
            ]
            with transaction() as session:
                facts.store(session, "bench", batch, specs, at)

    for what, minutes, changed in (
        ("all new", 0, lambda _: False),
        ("observed again, none changed", 5, lambda _: False),
        ("1 % of the services changed", 10, lambda number: number % 100 == 0),
        ("all changed", 15, lambda _: True),
    ):
        with timed(f"{count} services x {len(specs)} facts, {what}"):
            collected(START + timedelta(minutes=minutes), changed)


def keep(count: int) -> None:
    """Write a year of changes day by day, as they would come, and prune it as if 400 days and then more had gone by.

    The rows are made by the database itself: tens of millions of them, in the order in which `store` would write them.
    """
    kinds = [FactType.INTEGER] * INTEGERS + [FactType.NUMBER] * NUMBERS + [FactType.BOOLEAN] * BOOLEANS
    refs = [f"component:default/service-{number}" for number in range(count)]
    keys = [f"area.some_fact_name.{position}" for position in range(len(kinds))]
    with transaction() as session:
        first = START - timedelta(days=1)
        fact_history.record(session, [Change(refs[0], "prometheus-production", key, 1, first) for key in keys])
        fact_history.record(session, [Change(ref, "prometheus-production", keys[0], 1, first) for ref in refs])
    with timed(f"a year of {count} services x {len(kinds)} facts written"):
        for day in range(365):
            with transaction() as session:
                for kind, first_id, last_id in _numbers_of(kinds):
                    _write_day(session, kind, first_id, last_id, day)
    values, taken = size()
    share = 10_000 / count
    print(f"    10,000 services, reckoned: {values * share / 1e6:.1f} million values, {taken * share / 1e9:.2f} GB")
    for days in (365, 500, 1000):
        moment, gone = START + timedelta(days=days), 0
        with timed(f"pruned as of day {days}"):
            last: str | None = ""
            while last is not None:
                with transaction() as session:
                    step = prune_step(session, RetentionSettings(), moment, last)
                gone, last = gone + step.gone, step.last
        print(f"    {gone} values had to go")
    size()


def _numbers_of(kinds: Sequence[FactType]) -> Iterator[tuple[FactType, int, int]]:
    """Return each kind with the first and the last number of the facts that are of it: they stand in this order."""
    for kind in dict.fromkeys(kinds):
        places = [place for place, other in enumerate(kinds, 1) if other is kind]
        yield kind, places[0], places[-1]


VALUES = {
    "postgresql": {
        FactType.INTEGER: "(random() * 50)::int::text",
        FactType.NUMBER: "round(random()::numeric, 6)::text",
        FactType.BOOLEAN: "CASE WHEN random() < 0.5 THEN 'true' ELSE 'false' END",
    },
    "sqlite": {
        FactType.INTEGER: "CAST(abs(random() % 50) AS TEXT)",
        FactType.NUMBER: "CAST(abs(random() % 1000000) / 1000000.0 AS TEXT)",
        FactType.BOOLEAN: "CASE WHEN random() % 2 = 0 THEN 'true' ELSE 'false' END",
    },
}


def _write_day(session: Session, kind: FactType, first_id: int, last_id: int, day: int) -> None:
    """Write what changed on one day: each fact of a kind comes anew every so many days, not all on one."""
    every = round(365 / CHANGES_A_YEAR[kind])
    value = literal_column(VALUES[session.get_bind().dialect.name][kind])
    moment = literal(START + timedelta(days=day, hours=9), UtcDateTime())
    chosen = (
        select(FactSubject.id, FactName.id, moment, value)
        .join(FactName, FactName.id.between(first_id, last_id))
        .where((FactSubject.id + FactName.id + day) % every == 0)
        .order_by(FactSubject.id, FactName.id)
    )
    session.execute(insert(FactValue.__table__).from_select(["subject_id", "name_id", "observed_at", "value"], chosen))


def size() -> tuple[int, float]:
    """Print how many values the history holds and what they take on the disk, in bytes; return both."""
    with reading() as session:
        rows = session.scalar(select(func.count()).select_from(FactValue)) or 0
    tables = ("fact_value", "fact_subject", "fact_name")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            taken = sum(connection.scalar(text(f"SELECT pg_total_relation_size('{table}')")) for table in tables)
        else:
            pages = text("SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%fact_%'")
            taken = connection.scalar(pages)
    print(f"    {rows} values, {taken / 1e6:.1f} MB with indexes, {taken / max(rows, 1):.0f} bytes each")
    return rows, float(taken)


if __name__ == "__main__":
    main()
