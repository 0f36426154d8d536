"""What pulling, storing and keeping cost, measured on one machine in one run.

    python -m benchmarks.plugins pull [SERVICES]             services of a real Prometheus, by source and by service
    python -m benchmarks.plugins store [SERVICES] [URL]      40 facts each: all new, all changed, 1 % changed
    python -m benchmarks.plugins keep [SERVICES] [URL]       a year of 60 facts each, its size, and pruning it

URL is of an empty database that may be overwritten; SQLite in a temporary folder when it is not given. Machines differ
and are noisy: compare within a run.
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.plugins_timing import database, timed
from benchmarks.plugins_year import keep
from plugins.connectors.prometheus import CONNECTOR
from plugins.connectors.prometheus.options import Options
from plugins.contract import Fact, FactSpec, FactType, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.clock import now
from portal_backend.core.db import transaction
from scorecards import facts
from tests.prometheus_server import DAY, HOUR, counter, prometheus, series

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 500
ASKED_ONE_BY_ONE = 200
"""Services that are asked one by one; the rest is reckoned from them."""
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
    began, cpu = time.perf_counter(), time.process_time()
    with SourceClient(url, limits=WIDE) as client:
        for name in names:
            own = query.replace("http_requests_total{", f'http_requests_total{{service="{name}",')
            own = own.replace("http_requests_total[", f'http_requests_total{{service="{name}"}}[')
            assert own.count(f'"{name}"') == own.count("http_requests_total"), own
            client.post_form_json("api/v1/query", {"query": own})
        requests = client.requests_made
    one, cpu = (time.perf_counter() - began) / len(names), (time.process_time() - cpu) / len(names)
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

    def made(at: datetime, changed: Callable[[int], bool]) -> list[list[Fact]]:
        """Make the facts beforehand: that is the connector's work, not the store's."""
        return [
            [
                Fact(ref, key, hash((at, key)) % 1000 if changed(start + offset) else 7, at)
                for offset, ref in enumerate(refs[start : start + BATCH])
                for key in specs
            ]
            for start in range(0, count, BATCH)
        ]

    for what, minutes, changed in (
        ("all new", 0, lambda _: False),
        ("observed again, none changed", 5, lambda _: False),
        ("1 % of the services changed", 10, lambda number: number % 100 == 0),
        ("all changed", 15, lambda _: True),
    ):
        at = START + timedelta(minutes=minutes)
        batches = made(at, changed)
        with timed(f"{count} services x {len(specs)} facts, {what}", with_database=True):
            for batch in batches:
                with transaction() as session:
                    facts.store(session, "bench", batch, specs, at)


if __name__ == "__main__":
    main()
