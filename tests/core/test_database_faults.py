"""A database that does not answer, and writers who are overtaken, as a caller sees them."""

import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool

from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.database_faults import DatabaseFault, database_fault
from portal_backend.core.db import reading, transaction


def error_of(work) -> Exception:
    with pytest.raises(Exception) as caught:
        work()
    return caught.value


@pytest.fixture(scope="module")
def deserted(tmp_path_factory):
    """An application whose database nobody runs."""
    folder = tmp_path_factory.mktemp("deserted")
    url = "postgresql://nobody@127.0.0.1:1/none"
    return create_app(Config(database_url=url, data_dir=folder, base_dir=folder)).test_client()


@pytest.mark.parametrize(
    "path",
    [
        "/api/services",
        "/api/engagements/triage",
        "/api/plugins/sources",
        "/api/scorecards/waivers",
        "/api/catalog/entities",
        "/api/catalog/entities/by-name/component/default/checkout",
        "/api/tech-insights/facts/latest?entity=component:default/checkout&ids[]=slo",
        "/",
    ],
)
def test_a_database_that_does_not_answer_is_a_503_that_says_when_to_come_back(deserted, path):
    answer = deserted.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "database does not answer" in answer.text


def test_backstage_clients_are_told_in_their_shape(deserted):
    answer = deserted.get("/api/catalog/entities")
    assert answer.json["error"]["name"] == "ServiceUnavailableError"


def test_the_metrics_are_told_while_the_database_is_away(deserted):
    answer = deserted.get("/metrics")
    assert answer.status_code == 200
    assert "portal_database_up 0.0" in answer.text


def test_the_metrics_say_that_the_database_answers(client):
    assert "portal_database_up 1.0" in client.get("/metrics").text


def test_a_statement_that_is_wrong_is_our_fault(app):
    with app.app_context(), reading() as session:
        assert database_fault(error_of(lambda: session.execute(text("SELECT nonsense FROM nowhere")))) is None


def test_whoever_writes_second_was_overtaken(app):
    with app.app_context(), transaction() as session:
        session.execute(text("CREATE TEMPORARY TABLE only_one (id INTEGER PRIMARY KEY)"))
        session.execute(text("INSERT INTO only_one VALUES (1)"))
        with pytest.raises(IntegrityError) as caught, session.begin_nested():
            session.execute(text("INSERT INTO only_one VALUES (1)"))
        assert database_fault(caught.value) is DatabaseFault.OVERTAKEN


def test_a_file_that_another_writer_holds_is_free_later(tmp_path):
    with sqlite3.connect(tmp_path / "held.db", isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        other = sqlite3.connect(tmp_path / "held.db", isolation_level=None, timeout=0)
        assert database_fault(error_of(lambda: other.execute("BEGIN IMMEDIATE"))) is DatabaseFault.LATER
        other.close()


def test_a_pool_without_a_free_connection_has_one_later():
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect():
        error = error_of(engine.connect)
    assert isinstance(error, NoConnectionFree)
    assert database_fault(error) is DatabaseFault.LATER


def test_an_error_of_ours_is_none_of_the_database():
    assert database_fault(ValueError("ours")) is None
