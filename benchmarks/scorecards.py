"""Judging from stored facts to stored results, and reading what was judged, timed on one machine in one run.

    python -m benchmarks.scorecards [SERVICES] [DATABASE_URL]

SERVICES (10000) x 60 checks on 40 facts of five sources. *All changed* flips every fact of every service, so that
nearly every verdict changes and leaves its change; *1 % changed* flips those of every hundredth service and judges,
as the pipeline does, what was touched; beside it everything is judged again to find that 1 % out. Beside the wall clock
stand the CPU seconds of this process, of those that work for it (PORTAL_PROCESSES=1 has all done here) and of
PostgreSQL's process. The levels that move are not written into the histories here.
To compare with: a prototype took 1.9 s and 0.75 s (PostgreSQL), another product 594 to 1225 CPU-ms for 6 checks on 50
entities.
"""

import cProfile
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from flask import Flask
from sqlalchemy import func, select, text

from benchmarks.fleet import entity
from benchmarks.machine import of_children
from benchmarks.tech_insights import backend_cpu, backend_pids
from catalog.ingestion.refresh import refresh_location, register_location
from plugins.contract import FactSpec, FactType
from portal_backend import judgement, pipeline, settings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, reading, transaction
from portal_backend.core.processes import other_processes
from scorecards import bulk, judging, scorecard
from scorecards.assessment.portions import judged
from scorecards.checks.catalogue import load_catalogue
from scorecards.models import EntityFacts, Scorecard, ScorecardChange

SERVICES = 10_000
SOURCES = 5
FACTS = 40
CHECKS = 60
AXES = ("architecture", "observability", "emergency", "capacity", "change", "performance")
KINDS = (
    (FactType.NUMBER, "greaterThanInclusive", 0.9, 0.95, 0.5),
    (FactType.INTEGER, "lessThanInclusive", 3, 1, 7),
    (FactType.BOOLEAN, "equal", True, True, False),
    (FactType.DATETIME, "youngerThan", "90d", "2026-11-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    (FactType.SET, "contains", "errors", ["errors", "latency"], ["latency"]),
)
"""Of each kind of fact: operator, operand, a value that passes and one that fails."""


def main() -> None:
    # Another process begins with the main module of this one, which is a small one under the installed command.
    vars(sys.modules["__main__"]).update(__spec__=None, __file__=None)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    # Times far in the past would make a date in the operands pass or fail by the day of the run.
    os.environ.setdefault(clock.VARIABLE, "2026-11-22T12:00:00Z")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/benchmark.db"
        app = create_app(Config(database_url=url, data_dir=folder, base_dir=folder))
        with app.app_context():
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
            pipeline.prepare()
            arrange(app, folder, count)
            print(f"{count} services x {CHECKS} checks, {db.engine.dialect.name}")
            run(app, count)
            Model.metadata.drop_all(db.engine)


def arrange(app: Flask, folder: Path, count: int) -> None:
    """Register the services, and judge by checks that look at every kind of fact."""
    (folder / "catalog.yaml").write_text("".join(entity(number, count) for number in range(count)))
    with transaction() as session:
        location = register_location(session, "file", str(folder / "catalog.yaml"), clock.now())
        refresh_location(session, location, clock.now())
    analyse()
    specs = {key(number): spec(number) for number in range(FACTS)}
    (folder / "checks.yaml").write_bytes(orjson.dumps([check(number) for number in range(CHECKS)]))
    catalogue = load_catalogue([folder / "checks.yaml"], specs, None)
    offered = judging.current().offers
    judging.init_app(app, judging.Judging(catalogue, specs, settings.current().config.service_types, offered))


def analyse() -> None:
    with transaction() as session:
        session.execute(text("ANALYZE"))


def key(number: int) -> str:
    return f"benchmark.fact_{number}"


def spec(number: int) -> FactSpec:
    return FactSpec(key(number), KINDS[number % len(KINDS)][0], "", "A fact of the benchmark", timedelta(days=1))


def check(number: int) -> dict[str, Any]:
    """Return a check on one fact, every third one on two."""
    facts = [number % FACTS] if number % 3 else [number % FACTS, (number + 5) % FACTS]
    leaves = [
        {"fact": key(fact), "operator": KINDS[fact % len(KINDS)][1], "value": KINDS[fact % len(KINDS)][2]}
        for fact in facts
    ]
    made: dict[str, Any] = {
        "id": f"bench.check_{number}",
        "title": f"Check {number}",
        "question": "Is it so?",
        "axis": AXES[number % len(AXES)],
        "level": 1 + number % 4,
        "weight": 1 + number % 5,
        "criticality": ("blocker", "major", "minor")[number % 3],
        "version": 1,
        "owner": "sre",
        "effort": ("hours", "days", "weeks")[number % 3],
        "sources": ["benchmark"],
        "why": "To be timed.",
        "how_to_fix": ["Mend it."],
        "guide": "docs/checks.md",
        "rule": {"all": leaves},
        "passes": f"It is so: {{{key(facts[0])}}}.",
        "fails": f"It is {{{key(facts[0])}}}, which is not so.",
    }
    if number % 6 == 0:
        made["applies_to"] = {"when": {"field": "tags", "operator": "contains", "value": "java"}, "otherwise": "No."}
    return made


def observe(numbers: Sequence[int], turned: bool, now: datetime) -> None:
    """Store the facts of services; `turned` gives each the other of its two values."""
    at = clock.format_time(now)
    rows = []
    for number in numbers:
        documents: list[dict[str, Any]] = [{} for _ in range(SOURCES)]
        for fact in range(FACTS):
            if (number + fact) % 10 == 0:
                continue  # some facts are never observed
            *_, good, bad = KINDS[fact % len(KINDS)]
            value = good if is_good(number, fact) is not turned else bad
            if isinstance(value, float):
                value += (number % 997) / 50_000  # no two services measure the same
            entry = {"value": value, "observed_at": at, "collected_at": at, "recorded": value, "recorded_at": at}
            documents[fact % SOURCES][key(fact)] = entry
        for place, document in enumerate(documents):
            row = {"entity_ref": ref(number), "source": f"source-{place}", "document": document, "updated_at": now}
            rows.append(row)
    with transaction() as session:
        for start in range(0, len(rows), 5_000):
            bulk.upsert(session, EntityFacts, rows[start : start + 5_000], ["entity_ref", "source"])


def is_good(number: int, fact: int) -> bool:
    """Say whether a fact of a service passes at first: two of three do, and no two services are alike in all."""
    return ((number * 2_654_435_761 + fact * 2_246_822_519) % 2**32 >> 13) % 3 != 0


def ref(number: int) -> str:
    return f"component:default/service-{number}"


def run(app: Flask, count: int) -> None:
    every, few = range(count), range(0, count, 100)
    now = clock.now()
    observe(every, False, now)
    analyse()
    timed("first judgement", lambda: judge(every, now))
    observe(every, True, now + timedelta(minutes=1))
    analyse()
    timed("all changed", lambda: judge(every, now + timedelta(minutes=1)))
    observe(few, False, now + timedelta(minutes=2))
    timed("1 % changed, the touched ones judged", lambda: judge(few, now + timedelta(minutes=2)))
    observe(few, True, now + timedelta(minutes=3))
    timed("1 % changed, everything judged", lambda: judge(every, now + timedelta(minutes=3)))
    timed("nothing changed, everything judged", lambda: judge(every, now + timedelta(minutes=4)))
    with reading() as session:
        sizes = [session.scalar(select(func.count()).select_from(table)) for table in (Scorecard, ScorecardChange)]
        session.rollback()
    print(f"{sizes[0]} scorecards, {sizes[1]} rows of changes")
    if "PROFILE" in os.environ:
        observe(every, False, now + timedelta(minutes=5))
        profiled(lambda: judge(every, now + timedelta(minutes=5)))
    ask(app, count)


def judge(numbers: Sequence[int], now: datetime) -> None:
    """Judge services as the pipeline does: in transactions of its size, with other processes where it takes some."""
    refs = [ref(number) for number in numbers]
    is_shared = len(refs) >= judgement.WORTH_SHARING
    size = judgement.SHARED_BATCH if is_shared else judgement.BATCH
    with other_processes(None if is_shared else 0, judged if is_shared else None) as run:
        for start in range(0, len(refs), size):
            with transaction() as session:
                scorecard.update(session, judging.current(), refs[start : start + size], now, run)


def timed(name: str, work: Callable[[], None]) -> None:
    pids = backend_pids()
    wall, cpu, others, server = time.perf_counter(), time.process_time(), of_others(), backend_cpu(pids)
    work()
    print(
        f"{name:40} {time.perf_counter() - wall:6.2f} s  CPU {time.process_time() - cpu:6.2f} here"
        f" + {of_others() - others:6.2f} others + {(backend_cpu(pids) - server) / 1000:6.2f} PostgreSQL"
    )


def of_others() -> float:
    """Return the CPU seconds of the processes that worked for this one and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime + of_children()


def profiled(work: Callable[[], None]) -> None:
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats(os.environ["PROFILE"] or "tottime").print_stats(45)


def ask(app: Flask, count: int) -> None:
    client = app.test_client()
    routes = {
        "one scorecard": lambda number: f"/api/services/component/default/service-{number}/scorecard",
        "one scorecard, again": lambda _number: "/api/services/component/default/service-7/scorecard",
        "a page of 50 services": lambda number: f"/api/services?limit=50&sort={'-' if number % 2 else ''}percent",
        "the fleet by owner": lambda _number: "/api/scorecards/fleet?group_by=owner",
    }
    for name, route in routes.items():
        times = []
        for number in range(3 if "fleet" in name else 40):
            begin = time.process_time()
            answer = client.get(route(number * 7 % count))
            times.append((time.process_time() - begin) * 1000)
            assert answer.status_code == 200, answer.json
        print(f"{name:40} {median(times):6.2f} CPU-ms (median), {len(answer.data) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
