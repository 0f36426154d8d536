"""The catalog from files to answers: reading them in, again, changed; then every kind of request. One run, one machine.

    python -m benchmarks.catalog [COMPONENTS] [DATABASE_URL] [--seconds N] [--ingest-only]

10,000 components are 19,583 entities in about 1,000 files; 100,000 are 195,833. The database (SQLite in a temporary
folder where none is named) is emptied first and must hold nothing else. Wall seconds; CPU seconds of this process and
of those that work for it, and of the database's processes on this machine (Linux); peak memory so far of this process,
and of the largest of the others.
Machines differ and are noisy: compare within a run. What is asked afterwards: see `benchmarks/catalog_reads.py`.
"""

import argparse
import tempfile
from pathlib import Path

COMPONENTS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("components", type=int, nargs="?", default=COMPONENTS)
    parser.add_argument("database_url", nargs="?")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind of request")
    parser.add_argument("--ingest-only", action="store_true")
    asked = parser.parse_args()
    # Imported here, and not above: the processes that work for this one import this module too.
    from benchmarks.catalog_ingestion import ingest_all
    from benchmarks.catalog_reads import read_all
    from portal_backend.core.db import with_driver

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = with_driver(asked.database_url or f"sqlite:///{folder}/benchmark.db")
        ingest_all(url, asked.components, folder)
        if not asked.ingest_only:
            read_all(url, asked.components, folder, asked.seconds)


if __name__ == "__main__":
    main()
