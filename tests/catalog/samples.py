"""Catalog files that tests write, and the ways they are brought in."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from catalog.ingestion.file_readings import KnownFile, Reading
from catalog.ingestion.reading import Reader
from catalog.ingestion.refresh import IngestReport, refresh_location, register_location
from catalog.places.hosts import UrlPolicy

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OFFLINE = Reader(UrlPolicy(allow=()))


def component(name: str, spec: str = "", metadata: str = "", type_: str = "service", owner: str = "team-a") -> str:
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n{metadata}"
        f"spec:\n  type: {type_}\n  lifecycle: production\n  owner: {owner}\n{spec}"
    )


def files(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(content)
    return folder


def bring_in(session: Session, target: Path, now: datetime = NOW, *, allow_removals: bool = False) -> IngestReport:
    location = register_location(session, "file", str(target), now)
    report = refresh_location(session, location, now, allow_removals=allow_removals, reader=OFFLINE)
    session.commit()
    return report


def remembered(reading: Reading) -> dict[str, KnownFile]:
    """What the next read is told of this one, as it would come from the database."""
    found = reading.files
    return {one.place.target: KnownFile.recalled(one.digest, one.http_etag, one.remembered()) for one in found}


def numbered(count):
    """Return components s0 and on, all of which depend on s0."""
    return "---\n".join(component(f"s{number}", spec="  dependsOn: [component:s0]\n") for number in range(count))
