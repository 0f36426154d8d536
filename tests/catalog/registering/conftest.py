"""A catalog that may read a folder and this machine's own addresses, and a way to read a location as a worker does."""

from datetime import timedelta

import pytest

from catalog import settings
from catalog.ingestion.refresh import refresh_location
from catalog.models import Location
from catalog.places.files import FilePolicy
from catalog.places.hosts import AllowedHost
from catalog.places.scm import WELL_KNOWN
from tests.catalog.samples import NOW

MOUNT = "/api/catalog"


@pytest.fixture
def permitted(app, tmp_path, monkeypatch):
    """Settings under which files below the folder, and servers of this machine, may be registered."""
    given = settings.CatalogSettings(
        urls=settings.url_policy((AllowedHost("127.0.0.1:*"),), WELL_KNOWN),
        files=FilePolicy((str(tmp_path),)),
        registration_types=frozenset({"file", "url"}),
    )
    monkeypatch.setitem(app.extensions, settings.EXTENSION, given)
    return given


@pytest.fixture
def register(client, permitted):
    """Register a file or folder over HTTP; returns its id."""

    def ask(path, **body):
        answer = client.post(f"{MOUNT}/locations", json={"type": "file", "target": str(path), **body})
        assert answer.status_code == 201, answer.json
        return answer.json["location"]["id"]

    return ask


@pytest.fixture
def read(session, permitted):
    """Read a location as the worker does."""

    def refresh(location_id, after=timedelta(0), **options):
        session.expire_all()
        location = session.get_one(Location, location_id)
        report = refresh_location(session, location, NOW + after, reader=permitted.reader(), **options)
        session.commit()
        return report

    return refresh
