"""After an upgrade that finds other values in entities, the stored ones are found by them too."""

import pytest
from sqlalchemy import select, update

from catalog.ingestion import reindexing
from catalog.models import CatalogVersion, Entity, SearchKey, SearchRow
from portal_backend import catalog_refresh
from tests.catalog.samples import bring_in, component, files

NUMBER = "  capacity: 1000000000000000000000\n"


def rows(session) -> list:
    statement = select(SearchRow.entity_id, SearchRow.position, SearchKey.name, SearchRow.value, SearchRow.original)
    return sorted(session.execute(statement.join(SearchKey, SearchKey.id == SearchRow.key_id)), key=repr)


@pytest.fixture
def of_the_release_before(session, tmp_path):
    """A catalog that a release stored which wrote numbers and lower case differently; yields the rows as they ought."""
    bring_in(session, files(tmp_path, a="---\n".join(component(f"s{number}", NUMBER) for number in range(3))))
    wanted = rows(session)
    capacity = select(SearchKey.id).where(SearchKey.name == "spec.capacity")
    session.execute(update(SearchRow).where(SearchRow.key_id.in_(capacity)).values(value="1" + "0" * 21))
    session.execute(update(Entity).where(Entity.name == "s1").values(type="Service"))
    session.execute(update(CatalogVersion).values(indexed_as=None))
    session.commit()
    assert rows(session) != wanted
    return wanted


def test_what_the_release_before_stored_is_indexed_anew_once(app, session, of_the_release_before, monkeypatch):
    monkeypatch.setattr(reindexing, "PORTION", 2)
    before = session.scalar(select(CatalogVersion.number))
    session.commit()
    with app.app_context():
        assert catalog_refresh.reindex() == 3
    assert rows(session) == of_the_release_before
    assert session.scalar(select(Entity.type).where(Entity.name == "s1")) == "service"
    assert session.scalar(select(CatalogVersion.number)) > before  # answers that were kept hold no more
    session.execute(update(SearchRow).values(value="x"))
    session.commit()
    with app.app_context():
        assert catalog_refresh.reindex() == 0  # nobody looks again
    assert {row.value for row in rows(session)} == {"x"}


def test_a_new_catalog_is_indexed_as_this_release_does(app, session, tmp_path):
    with app.app_context():
        assert catalog_refresh.reindex() == 0
    bring_in(session, files(tmp_path, a=component("s", NUMBER)))
    assert session.scalar(select(CatalogVersion.indexed_as)) == reindexing.INDEXING
    found = session.scalars(select(SearchRow.value).join(SearchKey, SearchKey.id == SearchRow.key_id)).all()
    assert "1e+21" in found
