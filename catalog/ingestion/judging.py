"""What files hold, whatever stands in the database: judged, and made ready to wait. Pure: other processes do it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from catalog.format.custom_kinds import CustomKind, known_kinds
from catalog.format.documents import Fill, JudgedDocument, judge_documents
from catalog.format.envelope import shown
from catalog.format.kinds import Kind, KnownKinds
from catalog.format.relations import declared
from catalog.places.rules import AllowedKind
from portal_backend.core.faults import Fault
from portal_backend.core.memory import uncollected


class KnownDocument(NamedTuple):
    """A document as the last read of its file found it, without a fault."""

    position: int
    """In its file, from 0."""
    digest: str
    ref: str


def recalled(remembered: str) -> tuple[KnownDocument, ...]:
    """Return the documents from what `JudgedFile.remembered` made of them."""
    lines = (line.split(" ") for line in remembered.split("\n") if line)
    return tuple(KnownDocument(int(position), digest, ref) for position, digest, ref in lines)


@dataclass(frozen=True)
class Content:
    """What stands in a file, and what may stand there."""

    data: bytes
    allowed: tuple[AllowedKind, ...] | None = None
    """None: every kind."""
    known: tuple[KnownDocument, ...] = ()
    """Documents that need not be judged where their text is what it was."""


DeclaredHere = tuple[str, str, str]
"""A relation that a document declares: its type there, its type at the other end, and the target."""


@dataclass(frozen=True, slots=True)
class GoodDocument:
    """A document without a fault, as it waits to be stored: as JSON, since many of them wait at once."""

    ref: str
    index: int
    body: bytes
    digest: str
    """SHA-256 of the body."""
    edges: bytes
    """The relations that it declares, a JSON list."""

    @property
    def size(self) -> int:
        """Of the body, in bytes."""
        return len(self.body)

    def declared(self) -> Sequence[DeclaredHere]:
        """Return the relations that it declares."""
        found: list[DeclaredHere] = orjson.loads(self.edges)
        return found


@dataclass(frozen=True)
class JudgedFile:
    """What a file's content means."""

    documents: tuple[JudgedDocument, ...]
    """All of them; their entities only where they were asked for."""
    good: tuple[GoodDocument, ...]
    locations: tuple[tuple[int, Mapping[str, Any]], ...]
    """Positions and `spec` of the Location entities in it."""
    forbidden: frozenset[int] = frozenset()
    """Positions of the documents whose kind may not come from there; where there are any, no entity is taken."""

    @property
    def known(self) -> frozenset[int]:
        """Positions of the documents that stand as they were known."""
        return frozenset(document.index for document in self.documents if document.is_known)

    def remembered(self, known: Sequence[KnownDocument]) -> str:
        """Return what saves judging the documents again, in one line each; nothing where one of them says too little.

        `known` are those that the last read knew, where any of them stands as it was.
        """
        refs = {one.position: one.ref for one in known} | {one.index: one.ref for one in self.good}
        if any(not document.digest or document.index not in refs for document in self.documents):
            return ""
        return "\n".join(f"{one.index} {one.digest} {refs[one.index]}" for one in self.documents)


class _NeedsFilling(Exception):
    """A document holds placeholders, which only the process that may read files can fill."""


def judge_files(
    kinds: tuple[CustomKind, ...], with_entities: bool, contents: Sequence[Content]
) -> list[JudgedFile | None]:
    """Return what the files hold, in order; None for a file whose placeholders must be filled first."""
    known = known_kinds(kinds)
    with uncollected():
        return [_judge_without_filling(content, known, with_entities) for content in contents]


def judge_file(content: Content, kinds: KnownKinds, fill: Fill, with_entities: bool) -> JudgedFile:
    """Return what a file holds.

    Documents that are known are left out of it, unless anything is wrong with one of the others: then all are judged.
    """
    known = {document.position: document.digest for document in content.known}
    documents = tuple(judge_documents(content.data, fill, kinds, known))
    forbidden = frozenset(one.index for one in documents if not _is_allowed(one, content.allowed))
    if known and (forbidden or any(document.faults for document in documents)):
        return judge_file(replace(content, known=()), kinds, fill, with_entities)
    admitted = _refused(documents, forbidden, content.allowed or ()) if forbidden else documents
    good = tuple(
        compact(document.ref, document.index, document.entity, document.kind)
        for document in admitted
        if document.entity is not None and document.ref is not None
    )
    locations = tuple(
        (document.index, document.entity.get("spec") or {})
        for document in admitted
        if document.entity is not None and document.entity["kind"] == "Location"
    )
    kept = admitted if with_entities else tuple(map(_without_entity, admitted))
    return JudgedFile(kept, good, locations, forbidden)


def compact(ref: str, index: int, entity: dict[str, Any], kind: Kind | None = None) -> GoodDocument:
    """Return a good entity as it waits; without `kind` its relations are those of Backstage's kind of that name."""
    body = orjson.dumps(entity)
    edges = orjson.dumps([tuple(one) for one in sorted(declared(entity, kind))])
    return GoodDocument(ref, index, body, hashlib.sha256(body).hexdigest(), edges)


def _without_entity(document: JudgedDocument) -> JudgedDocument:
    return JudgedDocument(
        document.index,
        document.ref,
        None,
        document.faults,
        digest=document.digest,
        is_known=document.is_known,
        written_ref=document.written_ref,
    )


def _judge_without_filling(content: Content, kinds: KnownKinds, with_entities: bool) -> JudgedFile | None:
    try:
        return judge_file(content, kinds, _refuse_to_fill, with_entities)
    except _NeedsFilling:
        return None


def _refuse_to_fill(_document: Any) -> tuple[Any, list[Fault]]:
    raise _NeedsFilling


def _is_allowed(document: JudgedDocument, allowed: Sequence[AllowedKind] | None) -> bool:
    """Say whether the kind that a document names may come, whatever else is wrong with it, as Backstage does."""
    if allowed is None or document.is_known:
        return True
    said = _said(document)
    return not isinstance(said.get("kind"), str) or any(kind.admits(said) for kind in allowed)


def _said(document: JudgedDocument) -> Mapping[str, Any]:
    """Return what a document says, good or not; nothing where it is no mapping."""
    said = document.entity if document.source is None else document.source.value
    return said if isinstance(said, dict) else {}


def _refused(
    documents: Sequence[JudgedDocument], forbidden: Collection[int], allowed: Sequence[AllowedKind]
) -> tuple[JudgedDocument, ...]:
    """Take none of a file's entities, since some may not come from there, whatever else is wrong with these."""
    names = ", ".join(dict.fromkeys(one.kind for one in allowed)) or "no kind at all"
    may_hold = (
        f"may not come from this location, which may hold {names}; no entity of this file is taken. "
        "catalog.rules in portal.yaml says which kinds may come from where"
    )
    return tuple(
        replace(one, entity=None, faults=(Fault("kind", f"{shown(_said(one)['kind'])} {may_hold}"),))
        if one.index in forbidden
        else replace(one, entity=None)
        for one in documents
    )
