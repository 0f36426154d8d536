"""Answers that are asked about again by their ETag: kept in the database, from one pull and worker to the next."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from plugins.kept_answers import StoredAnswers, forget_all, forget_unused
from plugins.models import KeptAnswer
from plugins.transport.conditional import Kept
from portal_backend.core.db import reading, transaction

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANSWER = Kept('"one"', b'{"a": 1}' * 100, "/two")


def keep(source: str = "github", key: str = "k", now: datetime = NOW, answer: Kept = ANSWER) -> None:
    answers = StoredAnswers(source)
    answers.put(key, answer)
    with transaction() as session:
        answers.save(session, now)


def count() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(KeptAnswer)) or 0


def test_what_one_pull_kept_the_next_one_finds_and_another_source_does_not(app, session):
    with app.app_context():
        keep()
        assert StoredAnswers("github").get("k") == ANSWER
        assert StoredAnswers("gitlab").get("k") is None


def test_what_is_not_saved_was_never_kept(app, session):
    with app.app_context():
        answers = StoredAnswers("github")
        answers.put("k", ANSWER)
        assert answers.get("k") == ANSWER
        assert StoredAnswers("github").get("k") is None


def test_an_answer_that_nobody_asks_for_is_deleted_and_one_that_is_confirmed_stays(app, session):
    with app.app_context():
        keep(key="asked")
        keep(key="forgotten")
        answers = StoredAnswers("github")
        found = answers.get("asked")
        assert found is not None
        answers.put("asked", found)
        with transaction() as writing:
            answers.save(writing, NOW + 5 * DAY)
            forget_unused(writing, "github", NOW + 8 * DAY)
        assert StoredAnswers("github").get("asked") == ANSWER
        assert count() == 1


def test_another_system_of_the_same_name_begins_without_answers(app, session):
    with app.app_context():
        keep()
        keep("gitlab")
        with transaction() as writing:
            forget_all(writing, "github")
        assert count() == 1
