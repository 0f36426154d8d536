"""Reading a catalog's files into the database: first, unchanged, and with 1 % of the components changed."""

import os
import resource
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.catalog_data import write_catalog
from benchmarks.catalog_reads import cpu_ms, database_processes
from benchmarks.machine import of_children, peak_mb_of_others
from catalog.ingestion.refresh import IngestReport, begin, read, register_location, write_some
from catalog.models import Entity, Location
from catalog.settings import CatalogSettings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, reading, transaction
from portal_backend.core.processes import other_processes


def ingest_all(url: str, components: int, folder: Path) -> None:
    """Read the files into an empty database, then again: unchanged, and with 1 % of the components changed."""
    files = folder / "files"
    app = create_app(Config(database_url=url, data_dir=folder))
    with app.app_context():
        Model.metadata.drop_all(db.engine)
        Model.metadata.create_all(db.engine)
        print(f"{components} components, {db.engine.dialect.name}; load of the machine {os.getloadavg()[0]:.1f}")
        heads = f"{'wall s':>8} {'CPU s':>8} {'db CPU s':>9} {'peak MB':>8} {'others':>8}   {'added':>7} {'changed':>7}"
        print(f"{'':22}{heads}")
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


def ingest(location_id: str) -> tuple[IngestReport, float]:
    """Read the location as the worker does, part by part, each in a transaction of its own.

    Beside the report stands the most memory in MB that another process took for it.
    """
    settings = CatalogSettings()
    with transaction() as session:
        location = session.get_one(Location, location_id)
        ingestion = begin(session, location, clock.now() + timedelta(minutes=2))
    with other_processes() as run:
        read(ingestion, settings.reader(), run=run)
        peak = peak_mb_of_others()
    while ingestion.report is None:
        with transaction() as session:
            write_some(session, ingestion, clock.now(), settings)
    return ingestion.report, peak


def measured(what: str, url: str, work: Callable[[], tuple[IngestReport, float]]) -> None:
    """Do it and print what it took."""
    database = cpu_ms(database_processes(url))
    wall, own = time.perf_counter(), sum(os.times()[:4]) + of_children()
    report, others = work()
    wall, own = time.perf_counter() - wall, sum(os.times()[:4]) + of_children() - own
    database = (cpu_ms(database_processes(url)) - database) / 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = f"{report.added:7} {report.changed:7}"
    print(f"{what:22}{wall:8.2f} {own:8.2f} {database:9.2f} {peak:8.0f} {others:8.0f}   {counts}")
