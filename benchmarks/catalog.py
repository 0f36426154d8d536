"""The catalog from files to answers: reading them in, again, changed; then every kind of request. One run, one machine.

    python -m benchmarks.catalog [COMPONENTS] [DATABASE_URL] [--seconds N] [--ingest-only]

10,000 components are 19,583 entities in about 1,000 files; 100,000 are 195,833. The database (SQLite in a temporary
folder where none is named) is emptied first and must hold nothing else. Wall seconds; CPU seconds of this process that
parses and prepares, and of the database's processes on this machine (Linux); peak memory of this process so far.
Machines differ and are noisy: compare within a run. What is asked afterwards: see `benchmarks/catalog_reads.py`.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.catalog_data import write_catalog
from benchmarks.catalog_reads import cpu_ms, database_processes, read_all
from catalog.ingestion.refresh import IngestReport, begin, read, register_location, write_some
from catalog.models import Entity, Location
from catalog.settings import CatalogSettings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, reading, transaction, with_driver

COMPONENTS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("components", type=int, nargs="?", default=COMPONENTS)
    parser.add_argument("database_url", nargs="?")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind of request")
    parser.add_argument("--ingest-only", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = with_driver(asked.database_url or f"sqlite:///{folder}/benchmark.db")
        ingest_all(url, asked.components, folder)
        if not asked.ingest_only:
            read_all(url, asked.components, folder, asked.seconds)


def ingest_all(url: str, components: int, folder: Path) -> None:
    """Read the files into an empty database, then again: unchanged, and with 1 % of the components changed."""
    files = folder / "files"
    app = create_app(Config(database_url=url, data_dir=folder))
    with app.app_context():
        Model.metadata.drop_all(db.engine)
        Model.metadata.create_all(db.engine)
        print(f"{components} components, {db.engine.dialect.name}; load of the machine {os.getloadavg()[0]:.1f}")
        print(f"{'':22}{'wall s':>8} {'CPU s':>8} {'db CPU s':>9} {'peak MB':>8}   {'added':>7} {'changed':>7}")
        write_catalog(files, components)
        with transaction() as session:
            location_id = register_location(session, "file", str(files), clock.now()).id
        measured("first ingest", url, lambda: ingest(location_id))
        measured("unchanged", url, lambda: ingest(location_id))
        for edition in (1, 2):
            write_catalog(files, components, edition)
            measured(f"1 % changed, {edition}", url, lambda: ingest(location_id))
        with reading() as session:
            count = session.scalar(select(func.count()).select_from(Entity))
        print(f"{count} entities")
        db.engine.dispose()


def ingest(location_id: str) -> IngestReport:
    """Read the location as the worker does: part by part, each in a transaction of its own."""
    settings = CatalogSettings()
    with transaction() as session:
        location = session.get_one(Location, location_id)
        ingestion = begin(session, location, clock.now() + timedelta(minutes=2))
    read(ingestion, settings.reader())
    while ingestion.report is None:
        with transaction() as session:
            write_some(session, ingestion, clock.now(), settings)
    return ingestion.report


def measured(what: str, url: str, work: Callable[[], IngestReport]) -> None:
    """Do it and print what it took."""
    database = cpu_ms(database_processes(url))
    wall, own = time.perf_counter(), time.process_time()
    report = work()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    database = (cpu_ms(database_processes(url)) - database) / 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = f"{report.added:7} {report.changed:7}"
    print(f"{what:22}{wall:8.2f} {own:8.2f} {database:9.2f} {peak:8.0f}   {counts}")


if __name__ == "__main__":
    main()
