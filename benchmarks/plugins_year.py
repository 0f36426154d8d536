"""A year of facts: writes it as it would come, tells its size on the disk, reads from it, and prunes it."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import orjson
from sqlalchemy import func, insert, literal, literal_column, select, text
from sqlalchemy.orm import Session

from benchmarks.plugins_timing import timed
from catalog.format.refs import parse_ref
from plugins.contract import FactType
from portal_backend.core.db import UtcDateTime, db, reading, transaction
from portal_backend.core.quick_reading import quick_reading
from scorecards import fact_history, judging, timeline
from scorecards.bulk import add
from scorecards.fact_history import Change
from scorecards.models import FactName, FactSubject, FactValue, ScorecardChange
from scorecards.retention import RetentionSettings, prune_step
from scorecards.tech_insights import fact_rows

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SOURCE = "prometheus-production"
TABLES = ("fact_value", "fact_subject", "fact_name", "scorecard_change")


@dataclass(frozen=True)
class Kind:
    """Facts of one type."""

    count: int
    every_days: int
    """After how many days such a fact takes another value."""
    value: dict[str, str]
    """An expression for a value, by database."""


KINDS = {
    FactType.INTEGER: Kind(
        10, 14, {"postgresql": "(random() * 50)::int::text", "sqlite": "CAST(abs(random() % 50) AS TEXT)"}
    ),
    FactType.NUMBER: Kind(
        15,
        1,
        {
            "postgresql": "round(random()::numeric, 6)::text",
            "sqlite": "CAST(abs(random() % 1000000) / 1000000.0 AS TEXT)",
        },
    ),
    FactType.BOOLEAN: Kind(
        35,
        91,
        {
            "postgresql": "CASE WHEN random() < 0.5 THEN 'true' ELSE 'false' END",
            "sqlite": "CASE WHEN random() % 2 = 0 THEN 'true' ELSE 'false' END",
        },
    ),
}
"""The 60 facts of a service: counts, measured numbers (of which the history gets one a day), yes or no."""
FLAPPING_SERVICES, FLAPPING_FACTS, FLAPS_A_DAY = 100, 5, 24
"""Of every so many services one flaps: so many of its facts of yes or no change every hour."""
JUDGEMENTS_A_YEAR = 52
READ = 200
"""Services whose history and trend are read, one after the other."""


def keep(count: int) -> None:
    """Write a year day by day, read from it, and prune it as of its end and of later days.

    The rows are made by the database itself: tens of millions of them, in the order in which `store` would write them.
    """
    refs = [f"component:default/service-{number}" for number in range(count)]
    keys = _declared_keys()
    with transaction() as session:
        first = START - DAY
        for key in keys:  # one by one: they are numbered in this order
            fact_history.record(session, [Change(refs[0], SOURCE, key, 1, first)])
        fact_history.record(session, [Change(ref, SOURCE, keys[0], 1, first) for ref in refs])
    with timed(f"a year of {count} services x {len(keys)} facts written", with_database=True):
        for day in range(365):
            with transaction() as session:
                for kind, first_id, last_id in _numbers_of_kinds():
                    _write_day(session, kind, first_id, last_id, day)
                _write_flaps(session, day)
    with timed(f"{JUDGEMENTS_A_YEAR} changes of each scorecard written", with_database=True):
        _write_judgements(refs)
    _vacuum()
    sizes()
    read(refs, keys)
    for days in (365, 366, 500, 1000):
        prune(START + days * DAY, f"day {days}")


def _declared_keys() -> list[str]:
    """Return as many declared facts of each type as a service has here: only such are read."""
    specs = judging.current().specs
    chosen = []
    for kind, of_kind in KINDS.items():
        declared = sorted(key for key, spec in specs.items() if spec.type is kind)[: of_kind.count]
        others = sorted(key for key, spec in specs.items() if spec.type not in KINDS)
        chosen += (declared + [key for key in others if key not in chosen])[: of_kind.count]
    assert len(set(chosen)) == sum(of_kind.count for of_kind in KINDS.values())
    return chosen


def _numbers_of_kinds() -> Iterator[tuple[FactType, int, int]]:
    """Return each kind with the first and the last number of the facts that are of it: they stand in this order."""
    first = 1
    for kind, of_kind in KINDS.items():
        yield kind, first, first + of_kind.count - 1
        first += of_kind.count


def _write_day(session: Session, kind: FactType, first_id: int, last_id: int, day: int) -> None:
    """Write what changed on one day: each fact of a kind comes anew every so many days, not all on one."""
    turn = (FactSubject.id + FactName.id + day) % KINDS[kind].every_days == 0
    _write(session, kind, FactName.id.between(first_id, last_id) & turn, START + timedelta(days=day, hours=9))


def _write_flaps(session: Session, day: int) -> None:
    """Write what the services say that cannot make up their minds."""
    kind, _, last_id = list(_numbers_of_kinds())[-1]
    flapping = FactName.id.between(last_id - FLAPPING_FACTS + 1, last_id) & (FactSubject.id % FLAPPING_SERVICES == 0)
    for turn in range(FLAPS_A_DAY):
        _write(session, kind, flapping, START + timedelta(days=day, hours=24 * turn / FLAPS_A_DAY, minutes=7))


def _write(session: Session, kind: FactType, chosen: object, at: datetime) -> None:
    value = literal_column(KINDS[kind].value[session.get_bind().dialect.name])
    rows = (
        select(FactSubject.id, FactName.id, literal(at, UtcDateTime()), value)
        .join(FactName, chosen)
        .order_by(FactSubject.id, FactName.id)
    )
    session.execute(insert(FactValue.__table__).from_select(["subject_id", "name_id", "observed_at", "value"], rows))


def _write_judgements(refs: Sequence[str]) -> None:
    """Write changes of scorecards such as judgements leave: three verdicts, the values they rest on, a level."""
    for turn in range(JUDGEMENTS_A_YEAR):
        at = START + turn * 365 / JUDGEMENTS_A_YEAR * DAY
        level, before = f"L{turn % 3 + 1}", f"L{(turn - 1) % 3 + 1}"
        verdicts = [
            [check, "passed", "failed", "service_changed", 1, "0123456789abcdef"]
            for check in ("obs.golden", "cap.limits", "er.runbook")
        ]
        document = {
            "verdicts": verdicts,
            "values": {"metrics.signals.present": 3, "runtime.resources.set": False, "alerts.paging.unrouted": 2},
            "levels": [[None, before, level, "service_changed", ["obs.golden"]]],
            "frozen_until": None,
        }  # fmt: skip
        standings = [[level, 70.5 + turn % 7, 91.2]] + [[level, 66.7 + turn % 5, 88.9]] * 6
        with transaction() as session:
            rows = [
                {"entity_ref": ref, "at": at, "catalogue_version": "0123456789ab", "standings": standings,
                 "document": orjson.dumps(document)}
                for ref in refs
            ]  # fmt: skip
            add(session, ScorecardChange, rows)


def _vacuum() -> None:
    """Let PostgreSQL do what its autovacuum does some time later: sizes and plans are then those of a steady state."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"VACUUM ANALYZE {', '.join(TABLES)}"))
        else:
            connection.execute(text("ANALYZE"))


def sizes() -> None:
    """Print what each table and its indexes take on the disk."""
    with reading() as session:
        rows = session.scalar(select(func.count()).select_from(FactValue)) or 0
    for table in TABLES:
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                heap = connection.scalar(text(f"SELECT pg_table_size('{table}')"))
                indexes = connection.scalar(text(f"SELECT pg_indexes_size('{table}')"))
            else:
                of_table = f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = '{table}'"
                of_indexes = f"SELECT name FROM sqlite_master WHERE tbl_name = '{table}' AND type = 'index'"
                heap = connection.scalar(text(of_table))
                indexes = connection.scalar(
                    text(f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({of_indexes})")
                )
        print(f"    {table:<18} {heap / 1e6:10.1f} MB + indexes {indexes / 1e6:9.1f} MB", flush=True)
        if table == "fact_value":
            print(f"    {rows:,} values, {(heap + indexes) / max(rows, 1):.0f} bytes each")


def read(refs: Sequence[str], keys: Sequence[str]) -> None:
    """Read facts of services that nobody asked about before, and the trends of their scorecards."""
    chosen = random.Random(7).sample(list(refs), min(READ, len(refs)))
    number = keys[KINDS[FactType.INTEGER].count]
    span = (START, START + 365 * DAY)
    recent = (span[1] - 30 * DAY, span[1])

    def history(ref: str) -> int:
        entity = parse_ref(ref)
        with reading() as session, quick_reading() as reader:
            return len(fact_rows.between(session, reader, judging.current(), entity, [number], span, span[1])[number])

    def all_facts(ref: str) -> int:
        entity = parse_ref(ref)
        with reading() as session, quick_reading() as reader:
            found = fact_rows.between(session, reader, judging.current(), entity, keys, recent, span[1])
            return sum(len(rows) for rows in found.values())

    def trend(ref: str) -> int:
        with reading() as session:
            return len(timeline.trend(session, ref, *span)["points"])

    for what, work in (
        ("one fact of one service, the year", history),
        ("60 facts of one service, the last 30 days", all_facts),
        ("a scorecard's trend of the year", trend),
    ):
        _time_each(what, work, chosen)


def _time_each(what: str, work: Callable[[str], int], refs: Sequence[str]) -> None:
    for turn in ("first", "again"):
        walls, began = [], time.process_time()
        for ref in refs:
            started = time.perf_counter()
            found = work(ref)
            walls.append(1000 * (time.perf_counter() - started))
        cpu = 1000 * (time.process_time() - began) / len(refs)
        print(
            f"    {what}, {turn}: {found} points, median {median(walls):.1f} ms, longest {max(walls):.1f} ms, "
            f"{cpu:.1f} ms CPU of ours",
            flush=True,
        )


def prune(moment: datetime, when: str) -> None:
    """Prune as of a moment, step by step as the worker does."""
    gone, last, walls = 0, "", []
    with timed(f"pruned as of {when}", with_database=True):
        while last is not None:
            started = time.perf_counter()
            with transaction() as session:
                step = prune_step(session, RetentionSettings(), moment, last)
            walls.append(time.perf_counter() - started)
            gone, last = gone + step.gone, step.last
    print(
        f"    {gone:,} values had to go; {len(walls)} steps, median {median(walls):.2f} s, longest {max(walls):.2f} s"
    )
    began = time.perf_counter()
    _vacuum()
    print(f"    VACUUM {time.perf_counter() - began:.1f} s")
    sizes()
