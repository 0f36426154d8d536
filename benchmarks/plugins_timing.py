"""What the benchmarks of the plugins share: an empty database, and how the time of a piece of work is told."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tech_insights import backend_cpu, backend_pids
from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db


@contextmanager
def database(url: str) -> Iterator[None]:
    """Make every table anew in a database that may be overwritten, and drop them at the end."""
    with tempfile.TemporaryDirectory() as name:
        app = create_app(Config(database_url=url or f"sqlite:///{name}/benchmark.db", data_dir=Path(name)))
        with app.app_context():
            Model.metadata.drop_all(db.engine)
            Model.metadata.create_all(db.engine)
            print(f"database: {db.engine.dialect.name}; load {os.getloadavg()[0]:.1f}")
            try:
                yield
            finally:
                Model.metadata.drop_all(db.engine)


@contextmanager
def timed(what: str, *, with_database: bool = False) -> Iterator[None]:
    """Print how long the block took by the clock, of our CPU, and of that of PostgreSQL's processes behind us."""
    pids = backend_pids() if with_database else []
    theirs, cpu, began = backend_cpu(pids), time.process_time(), time.perf_counter()
    yield
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    told = f"{what:<58} {wall:8.2f} s  {cpu:7.2f} s CPU of ours"
    print(f"{told} + {(backend_cpu(pids) - theirs) / 1000:6.2f} of PostgreSQL's" if pids else told, flush=True)
