"""What sources have observed of one entity, kept as the documents that the store holds until somebody looks. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self, cast

from portal_backend.core.clock import format_time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Entry = Mapping[str, Any]
"""One fact as it is stored: `{value, observed_at, collected_at}`, or `fault` instead of `value`."""


class Told(NamedTuple):
    """What one source has observed of an entity."""

    source: str
    document: dict[str, dict[str, Any]]
    observed_at: datetime | None
    """Of the entries that leave their times to it."""
    collected_at: datetime | None


@dataclass(frozen=True)
class Reading:
    """The latest observation of one fact by one source."""

    source: str
    value: Any
    """As stored (JSON); None when it was rejected, see `fault`."""
    observed_at: datetime
    collected_at: datetime
    fault: str | None = None


class Observations(Mapping[str, Sequence[Reading]]):
    """The latest observations of one entity: by key, one of each source that made any.

    A judgement of ten thousand services looks at the documents themselves; readings are made of what is asked for.
    """

    def __init__(
        self, documents: Sequence[tuple[str, Mapping[str, Entry]]] = (), sources: Collection[str] = frozenset()
    ) -> None:
        """Take what is looked at; `sources` are those that observed something, where that is not all there is."""
        self.told = [Told(source, cast(Any, document), None, None) for source, document in documents if document]
        """As it is stored, by source, of those that hold anything: not every entry has its times."""
        self._sources = sources
        self._read: dict[str, list[Reading]] = {}

    @classmethod
    def as_stored(cls, told: Sequence[Told]) -> Self:
        """Return observations of which entries may leave their times to their source's last batch."""
        found = cls()
        found.told = [one for one in told if one.document]
        return found

    @cached_property
    def documents(self) -> Sequence[tuple[str, Mapping[str, Entry]]]:
        """The same by source, each entry with its times."""
        return [(one.source, timed(*one[1:])) for one in self.told]

    @cached_property
    def sources(self) -> set[str]:
        """The sources that have ever observed anything of the entity."""
        return {one.source for one in self.told}.union(self._sources)

    @cached_property
    def _keys(self) -> dict[str, None]:
        return dict.fromkeys(key for one in self.told for key in one.document)

    def __getitem__(self, key: str) -> Sequence[Reading]:
        found = self._read.get(key)
        if found is None:
            found = [reading_of(source, document[key]) for source, document in self.documents if key in document]
            if not found:
                raise KeyError(key)
            self._read[key] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def reading_of(source: str, entry: Entry) -> Reading:
    """Return an entry of a source's document as a reading."""
    return Reading(
        source,
        entry.get("value"),
        datetime.fromisoformat(entry["observed_at"]),
        datetime.fromisoformat(entry["collected_at"]),
        entry.get("fault"),
    )


def timed(
    document: dict[str, dict[str, Any]], observed_at: datetime | None, collected_at: datetime | None
) -> dict[str, dict[str, Any]]:
    """Return a stored document with the last batch's times in the entries that leave them to their row."""
    if observed_at is None or collected_at is None:
        return document
    times = {"observed_at": format_time(observed_at), "collected_at": format_time(collected_at)}
    for entry in document.values():
        if "observed_at" not in entry:
            entry |= times
    return document


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970: exact, and compared faster than datetimes."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(count: int) -> datetime:
    """Return the moment that is so many microseconds after 1970."""
    return EPOCH + count * MICROSECOND
