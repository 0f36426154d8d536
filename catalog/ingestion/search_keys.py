"""The numbers under which the rest-index knows the paths into entities."""

from collections.abc import Collection, Iterable

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from catalog.ingestion.preparing import Keys
from catalog.models import SearchKey
from portal_backend.core.db import chunks

KEYS = 200
"""Named in one statement; SQLite bounds the number of parameters."""


class SearchKeys:
    """The numbers that are known so far; good for as long as nobody else writes entities."""

    def __init__(self) -> None:
        self.numbers: Keys = {}

    def learn(self, session: Session, wanted: Collection[tuple[str, str]]) -> None:
        """Make the numbers of kinds and paths known, and give one to those that have none."""
        self._load(session, self._unknown(wanted))
        missing = self._unknown(wanted)
        if missing:
            session.execute(insert(SearchKey), [{"kind": kind, "name": path} for kind, path in missing])
            self._load(session, missing)

    def _load(self, session: Session, names: Iterable[tuple[str, str]]) -> None:
        found = {kind: dict(numbers) for kind, numbers in self.numbers.items()}
        for some in chunks(names, KEYS):
            statement = select(SearchKey.kind, SearchKey.name, SearchKey.id).where(
                tuple_(SearchKey.kind, SearchKey.name).in_(some)
            )
            for kind, path, number in session.execute(statement):
                found.setdefault(kind or "", {})[path] = number
        self.numbers = found

    def _unknown(self, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return sorted((kind, path) for kind, path in wanted if path not in self.numbers.get(kind, ()))
