"""From documents to the rows that are written of them. Pure: done while the rows before them are written."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from catalog.ingestion.copying import NULL, PlainRow, escaped
from catalog.ingestion.differences import Change, ChangeKind, differences
from catalog.ingestion.finishing import StatusItem, as_orphan, finish, items_of, with_annotations, with_uid
from catalog.ingestion.flatten import SearchValue, columns, search_values
from catalog.ingestion.place import Place
from catalog.places.scm import Integration

Final = dict[str, Any]
Pairs = Iterable[tuple[str, str]]
Keys = Mapping[str, Mapping[str, int]]
"""The numbers of search keys, by kind and path, both in lower case."""
Ends = tuple[str, str, str]
"""Source, type and target of a relation, as the entity at its source shows it."""
SEARCH_COLUMNS = ("key_id", "value", "entity_id", "position", "original", "is_item")
"""Of the rest-index, as rows are made of them here."""


class Document(NamedTuple):
    """A good document that makes an entity, or its next form."""

    body: bytes
    place: Place
    origin: str
    """The registered location, `file:/srv/catalog`."""
    uid: str


class Draft(NamedTuple):
    """An entity on its way to its next form."""

    id: int
    ref: str
    change: ChangeKind
    """What this is where the form differs from the one before."""
    before: bytes | None
    """The present form as JSON; None for a new entity."""
    document: Document | None = None
    """None: what the present form says stays."""
    relations: Pairs | None = None
    """Types and targets; None: they stay."""
    items: Sequence[StatusItem] | None = None
    """None: they stay."""
    orphan_reason: str = ""
    columns: Mapping[str, Any] = MappingProxyType({})
    """Those that the entity itself does not tell; they are written even where the form stays the same."""
    declares: Collection[Ends] = ()
    """Relations, at both ends, that its file says and did not say before."""
    withdraws: Collection[Ends] = ()
    """Those that it said before, and no more."""


class Found(NamedTuple):
    """What the rest-index is to hold of an entity."""

    entity_id: int
    kind: str
    """In lower case."""
    values: Sequence[SearchValue]
    is_plain: bool
    """No value holds a character that COPY's text format escapes."""


@dataclass
class Prepared:
    """What is to be written of some drafts."""

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    """Columns of entities whose form stays the same."""
    new_bodies: list[tuple[int, bytes]] = field(default_factory=list)
    changed_bodies: list[tuple[int, bytes]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    declared: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Relations that come, each with the entity whose file says so; sorted, as rows of an index are."""
    withdrawn: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Those that go."""

    def keys(self) -> set[tuple[str, str]]:
        """Return kind and path of all that the rest-index is to hold."""
        return {(found.kind, key) for found in self.found for key, *_ in found.values}


def prepare(integrations: tuple[Integration, ...], drafts: Iterable[Draft]) -> Prepared:
    """Return what is to be written of the drafts."""
    prepared = Prepared()
    for draft in drafts:
        _prepare_one(prepared, draft, integrations)
        prepared.declared += [(*ends, draft.id) for ends in draft.declares]
        prepared.withdrawn += [(*ends, draft.id) for ends in draft.withdraws]
    prepared.declared.sort()
    return prepared


# Rows that are written side by side into an index cost less than those that go everywhere: hence they are sorted.


def search_rows(found: Iterable[Found], keys: Keys) -> list[PlainRow]:
    """Return the rows of the rest-index, with SEARCH_COLUMNS. Raises KeyError where a key has no number yet."""
    rows: list[PlainRow] = [
        (numbers[key], value, id_, position, original, is_item)
        for id_, numbers, values, _ in _numbered(found, keys)
        for position, (key, value, original, is_item) in enumerate(values)
    ]
    rows.sort(key=lambda row: (row[0], row[1] or "", row[2]))
    return rows


def search_text(found: Iterable[Found], keys: Keys) -> bytes:
    """Return the same rows as COPY takes them, those of a key side by side. Raises KeyError too."""
    rows: list[str] = []
    add = rows.append
    for id_, numbers, values, is_plain in _numbered(found, keys):
        for position, (key, value, original, is_item) in enumerate(values):
            text = NULL if value is None else value if is_plain else escaped(value)
            spelling = NULL if original is None else original if is_plain else escaped(original)
            add(f"{numbers[key]}\t{text}\t{id_}\t{position}\t{spelling}\t{'1' if is_item else '0'}\n")
    rows.sort()
    return "".join(rows).encode()


def _numbered(
    found: Iterable[Found], keys: Keys
) -> Iterator[tuple[int, Mapping[str, int], Sequence[SearchValue], bool]]:
    for one in found:
        yield one.entity_id, keys[one.kind], one.values, one.is_plain


def _prepare_one(prepared: Prepared, draft: Draft, integrations: tuple[Integration, ...]) -> None:
    before = orjson.loads(draft.before) if draft.before is not None else None
    entity = _next_form(draft, before, integrations)
    if before is None or before["metadata"]["etag"] != entity["metadata"]["etag"]:
        _add(prepared, draft, before, entity)
    elif draft.columns:
        prepared.others.append({"id": draft.id, **draft.columns})


def _next_form(draft: Draft, before: Final | None, integrations: tuple[Integration, ...]) -> Final:
    document = draft.document
    base: Final = before or {}
    if document is not None:
        placed = with_annotations(orjson.loads(document.body), document.place, document.origin, integrations)
        base = with_uid(placed, document.uid)
    elif draft.orphan_reason:
        base = as_orphan(base, draft.orphan_reason)
    relations = base.get("relations", []) if draft.relations is None else _told(draft.relations)
    return finish(base, relations, items_of(base) if draft.items is None else draft.items)


def _told(relations: Pairs) -> list[dict[str, str]]:
    return [{"type": type_, "targetRef": target} for type_, target in sorted(relations)]


def _add(prepared: Prepared, draft: Draft, before: Final | None, entity: Final) -> None:
    etag, body = entity["metadata"]["etag"], orjson.dumps(entity)
    row = {**columns(entity), **draft.columns, "id": draft.id, "etag": etag}
    prepared.found.append(found_in(draft.id, entity, body))
    if before is None:
        prepared.new.append({**row, "ref": draft.ref, "uid": entity["metadata"]["uid"]})
        prepared.new_bodies.append((draft.id, body))
        prepared.changes.append(Change(draft.ref, draft.change, None, etag))
        return
    prepared.changed.append(row)
    prepared.changed_bodies.append((draft.id, body))
    change = Change(draft.ref, draft.change, before["metadata"]["etag"], etag, differences(before, entity))
    prepared.changes.append(change)


def found_in(id_: int, entity: Final, body: bytes) -> Found:
    """Return what the rest-index is to hold of a final entity; `body` is its JSON."""
    return Found(id_, entity["kind"].lower(), search_values(entity), _is_plain(body))


def _is_plain(body: bytes) -> bool:
    """Say whether no text in an entity's JSON holds a backslash or a control character: JSON escapes those as well."""
    return b"\\" not in body.replace(b'\\"', b"")
