"""Requests that come while a location is read, and the same request twice at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from catalog.ingestion.refresh import begin, write_some
from catalog.ingestion.refresh import read as read_outside
from catalog.models import Entity, Location
from tests.catalog.registering.conftest import MOUNT
from tests.catalog.samples import NOW, component, files

SHOP = "component:default/shop"


@pytest.fixture
def under_way(session, permitted):
    """Read a location, and stop before anything of it is stored; returns what ends the read."""

    def start(location_id):
        session.expire_all()
        ingestion = begin(session, session.get_one(Location, location_id), claimed_until=NOW + timedelta(minutes=9))
        session.commit()
        read_outside(ingestion, permitted.reader())

        def end():
            while ingestion.report is None:
                write_some(session, ingestion, NOW, permitted)
                session.commit()
            session.expire_all()

        return end

    return start


def test_an_entity_taken_away_during_a_read_still_comes_back(client, session, register, read, under_way, tmp_path):
    location_id = register(files(tmp_path, all=component("shop")))
    read(location_id)
    uid = session.scalar(select(Entity.uid).where(Entity.ref == SHOP))
    session.commit()
    end = under_way(location_id)
    assert client.delete(f"{MOUNT}/entities/by-uid/{uid}").status_code == 204
    end()
    read(location_id)
    again = session.scalar(select(Entity.uid).where(Entity.ref == SHOP))
    assert again not in {None, uid}


def test_a_location_taken_away_during_a_read_stays_away(client, session, register, under_way, tmp_path):
    location_id = register(files(tmp_path, all=component("shop")))
    end = under_way(location_id)
    assert client.delete(f"{MOUNT}/locations/{location_id}").status_code == 204
    end()
    assert session.scalars(select(Entity.ref)).all() == []


def test_a_refresh_during_a_read_asks_for_another_one(client, session, register, read, under_way, tmp_path):
    location_id = register(files(tmp_path, all=component("shop")))
    read(location_id)
    end = under_way(location_id)
    assert client.post(f"{MOUNT}/refresh", json={"entityRef": SHOP}).status_code == 200
    end()
    assert session.get_one(Location, location_id).due_at is None


def test_of_two_registrations_at_once_one_is_a_conflict(app):
    def ask(_):
        body = {"type": "url", "target": "https://example.com/all.yaml"}
        return app.test_client().post(f"{MOUNT}/locations", json=body).status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(ask, range(6))) == [201, 409, 409, 409, 409, 409]
