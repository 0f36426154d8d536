"""From documents to the rows that are written of them. Pure: other processes do it while this one writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from catalog.ingestion.copying import PlainRow, copy_text
from catalog.ingestion.differences import Change, ChangeKind, differences
from catalog.ingestion.finishing import StatusItem, as_orphan, finish, items_of, with_annotations, with_uid
from catalog.ingestion.flatten import columns, search_values
from catalog.ingestion.place import Place
from catalog.places.scm import Integration
from portal_backend.core.memory import uncollected

Final = dict[str, Any]
Pairs = Iterable[tuple[str, str]]
Keys = Mapping[str, Mapping[str, int]]
"""The numbers of search keys, by kind and path, both in lower case."""


@dataclass(frozen=True)
class Document:
    """A good document that makes an entity, or its next form."""

    body: bytes
    place: Place
    origin: str
    """The registered location, `file:/srv/catalog`."""
    uid: str


@dataclass(frozen=True)
class Draft:
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
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Those that the entity itself does not tell; they are written even where the form stays the same."""


class Batch(NamedTuple):
    """Some drafts, with the numbers of the search keys that are known."""

    drafts: Sequence[Draft]
    keys: Keys


class NumberlessRow(NamedTuple):
    """A row of the rest-index whose key has no number yet."""

    kind: str
    key: str
    entity_id: int
    position: int
    value: str | None
    original: str | None
    is_item: bool


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
    search_rows: list[PlainRow] = field(default_factory=list)
    search_text: bytes = b""
    """The same for COPY, where that was asked for."""
    numberless: list[NumberlessRow] = field(default_factory=list)


def prepare(integrations: tuple[Integration, ...], as_text: bool, batch: Batch) -> Prepared:
    """Return what is to be written; `as_text` asks for the rows of the rest-index as COPY takes them."""
    prepared = Prepared()
    with uncollected():
        for draft in batch.drafts:
            _prepare_one(prepared, draft, batch.keys, integrations)
    # Rows that are written side by side into an index cost less than those that go everywhere.
    prepared.search_rows.sort(key=_place_in_index)
    if as_text:
        prepared.search_text, prepared.search_rows = copy_text(prepared.search_rows), []
    return prepared


def _prepare_one(prepared: Prepared, draft: Draft, keys: Keys, integrations: tuple[Integration, ...]) -> None:
    before = orjson.loads(draft.before) if draft.before is not None else None
    entity = _next_form(draft, before, integrations)
    if before is None or before["metadata"]["etag"] != entity["metadata"]["etag"]:
        _add(prepared, draft, before, entity)
        _add_search_rows(prepared, draft.id, entity, keys)
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
    etag, body = entity["metadata"]["etag"], (draft.id, orjson.dumps(entity))
    row = {**columns(entity), **draft.columns, "id": draft.id, "etag": etag}
    if before is None:
        prepared.new.append({**row, "ref": draft.ref, "uid": entity["metadata"]["uid"]})
        prepared.new_bodies.append(body)
        prepared.changes.append(Change(draft.ref, draft.change, None, etag))
        return
    prepared.changed.append(row)
    prepared.changed_bodies.append(body)
    change = Change(draft.ref, draft.change, before["metadata"]["etag"], etag, differences(before, entity))
    prepared.changes.append(change)


def _add_search_rows(prepared: Prepared, id_: int, entity: Final, keys: Keys) -> None:
    kind = entity["kind"].lower()
    numbers = keys.get(kind, {})
    for position, (key, value, original, is_item) in enumerate(search_values(entity)):
        number = numbers.get(key)
        if number is not None:
            prepared.search_rows.append((id_, position, number, value, original, is_item))
        else:
            prepared.numberless.append(NumberlessRow(kind, key, id_, position, value, original, is_item))


def _place_in_index(row: PlainRow) -> tuple[Any, ...]:
    id_, _, number, value, *_ = row
    return number, value or "", id_
