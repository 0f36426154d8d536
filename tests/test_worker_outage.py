"""What a worker writes while its database is away: a line for each kind of task, not a traceback for each tick."""

import logging

import pytest

from portal_backend import pipeline, worker
from portal_backend.app import create_app
from portal_backend.core.config import Config


@pytest.fixture
def celery(tmp_path, monkeypatch):
    """A worker whose database nobody runs."""
    config = Config(database_url="postgresql://nobody@127.0.0.1:1/none", data_dir=tmp_path, base_dir=tmp_path)
    monkeypatch.setattr(worker, "_last_told", {})
    return worker.make_celery(create_app(config), config)


def told(caplog) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("portal_backend")]


def test_a_database_that_is_away_is_told_once_a_minute_for_each_kind_of_task(celery, caplog, monkeypatch):
    for _ in range(3):
        celery.tasks["portal.dispatch"]()
        celery.tasks["portal.upkeep"]()
    assert [record.portal["task"] for record in told(caplog)] == ["dispatch", "upkeep"]
    assert "connection" in told(caplog)[0].portal["error"]
    assert not any(record.exc_info for record in told(caplog))
    monkeypatch.setattr(worker, "TELL_SECONDS", 0.0)
    celery.tasks["portal.dispatch"]()
    assert len(told(caplog)) == 3


def test_a_fault_of_ours_stays_an_error(celery, monkeypatch):
    def err() -> list[str]:
        raise LookupError("of ours")

    monkeypatch.setattr(pipeline, "due", err)
    with pytest.raises(LookupError):
        celery.tasks["portal.dispatch"]()
