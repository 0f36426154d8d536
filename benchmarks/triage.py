"""Triage, timed: what keeping the lists costs beside judging, and what a request costs then.

    python -m benchmarks.triage [SERVICES] [DATABASE_URL]

Compare within a run: the last line judges the fleet as every request had to before the lists were kept.
"""

import time
from pathlib import Path
from statistics import median

from benchmarks.fleet import VALUES, fleet_of_arguments, timed
from catalog.ingestion.refresh import refresh_location, register_location
from engagements.triage.candidates import Frameworks
from engagements.triage.settings import TriageSettings
from engagements.triage_inputs import gather
from engagements.triage_lists.refresh import refresh, row_of
from plugins.contract import Fact
from portal_backend import settings
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from scorecards import facts, judging

REQUESTS = 20


def main() -> None:
    """Time a fleet's lists."""
    with fleet_of_arguments() as (app, folder, count), app.app_context():
        fill(folder, count)
        timed("keep the lists, all new", keep)
        timed("keep them again, nothing changed", keep)
        client = app.test_client()
        for path in ("?direction=onboard&limit=20", "?direction=onboard&limit=20&rule=R2", "/changes"):
            spent = [requested(client, f"/api/engagements/triage{path}") for _ in range(REQUESTS)]
            print(f"  {path:<40} {1000 * median(spent):8.1f} ms")
        timed("judge the fleet for one request", judge)


def fill(folder: Path, count: int) -> None:
    """Put the services and what is observed of them into the database."""
    now = clock.now()
    with transaction() as session:
        location = register_location(session, "file", str(folder / "catalog.yaml"), now)
        refresh_location(session, location, now)
    refs = [f"component:default/service-{number}" for number in range(count)]
    observed = [Fact(ref, key, value, now) for ref in refs for key, value in VALUES.items()]
    with transaction() as session:
        facts.store(session, "prometheus", observed, settings.current().specs, now)


def keep() -> None:
    """Triage every service and keep what is found."""
    with transaction() as session:
        refresh(session, judging.current(), None, clock.now())


def judge() -> None:
    """Triage every service, as one page of the list did."""
    with reading() as session:
        evidences = gather(session, judging.current(), TriageSettings(), clock.now())
        for evidence in evidences:
            row_of(evidence, Frameworks.of(()), TriageSettings(), clock.now())


def requested(client: object, path: str) -> float:
    """Return the seconds that a request took."""
    begin = time.perf_counter()
    assert client.get(path).status_code == 200  # type: ignore[attr-defined]
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
