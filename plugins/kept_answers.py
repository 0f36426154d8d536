"""Keeps a source's answers in the database, so that every worker can ask whether they still hold."""

import zlib
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from plugins.models import KeptAnswer
from plugins.transport.conditional import Kept
from portal_backend.core.db import chunks, reading, upsert

UNUSED_FOR = timedelta(days=7)
CONFIRMED_EVERY = timedelta(days=1)
PER_STATEMENT = 100


class StoredAnswers:
    """The answers of one source. What is put is written by `save`, with whatever else a batch writes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._fresh: dict[str, Kept] = {}
        self._confirmed: set[str] = set()
        self._read: dict[str, Kept] = {}

    def get(self, key: str) -> Kept | None:
        """Return the answer that was kept under a key. Needs an app context, and no transaction of the caller's."""
        if key in self._fresh:
            return self._fresh[key]
        with reading() as session:
            row = session.get(KeptAnswer, (self._source, key))
        if row is None:
            return None
        kept = self._read[key] = Kept(row.etag, zlib.decompress(row.body), row.following)
        return kept

    def put(self, key: str, answer: Kept) -> None:
        """Keep an answer under a key; one that was read from here was confirmed."""
        if self._read.get(key) is answer:
            self._confirmed.add(key)
        else:
            self._fresh[key] = answer

    def save(self, session: Session, now: datetime) -> None:
        """Write what was put since the last time, and note what was confirmed, once a day each."""
        rows = [
            {
                "source": self._source,
                "key": key,
                "etag": answer.etag,
                "following": answer.following,
                "body": zlib.compress(answer.body, 1),
                "held_at": now,
            }
            for key, answer in self._fresh.items()
        ]
        for some in chunks(rows, PER_STATEMENT):
            upsert(session, KeptAnswer, some, ["source", "key"])
        for keys in chunks(sorted(self._confirmed)):
            old = update(KeptAnswer).where(KeptAnswer.source == self._source, KeptAnswer.key.in_(keys))
            session.execute(
                old.where(KeptAnswer.held_at < now - CONFIRMED_EVERY).values(held_at=now),
                execution_options={"synchronize_session": False},
            )
        self._fresh.clear()
        self._confirmed.clear()
        self._read.clear()


def forget_unused(session: Session, source: str, now: datetime) -> None:
    """Delete the answers of a source that nobody has asked for in a while."""
    gone = delete(KeptAnswer).where(KeptAnswer.source == source, KeptAnswer.held_at < now - UNUSED_FOR)
    session.execute(gone, execution_options={"synchronize_session": False})


def forget_all(session: Session, source: str) -> None:
    """Delete every answer of a source: another system has its name now."""
    session.execute(delete(KeptAnswer).where(KeptAnswer.source == source))
