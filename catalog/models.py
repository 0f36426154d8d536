"""The catalog's tables: narrow entities to search, their bodies ready to send, one index for everything else."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, ForeignKey, Index, LargeBinary, String, Table, UniqueConstraint, event, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.ingestion.bulk import table_of
from catalog.ingestion.flatten import INDEXING
from portal_backend.core.db import Model


class Location(Model):
    """A registered place that entities are read from."""

    __tablename__ = "catalog_location"
    __table_args__ = (UniqueConstraint("type", "target"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """A UUID."""
    type: Mapped[str]
    """`file` or `url`."""
    target: Mapped[str]
    """The absolute path of a file, a folder or a pattern, or an http(s) URL."""
    entity_ref: Mapped[str]
    """The Location entity that stands for this location: `location:default/generated-<sha1 of "type:target">`."""
    created_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    last_read_at: Mapped[datetime | None]
    """When the target itself could last be read; faults in single documents do not count against it."""
    last_error: Mapped[str | None]
    """Why the last read of the target failed; None after a good one."""
    due_at: Mapped[datetime | None]
    """When it is to be read next; None: as soon as possible."""
    registered_by: Mapped[str | None]
    """Who asked for it; None where only the configuration did."""
    configured: Mapped[bool | None]
    """Whether portal.yaml names it: such a location would come back at the next start."""
    moved_at: Mapped[datetime | None]
    """When it was given another target; None once that one was read whole, and what only the old one held has left."""


class LocationFile(Model):
    """A file that a location led to, with what saves reading it again."""

    __tablename__ = "catalog_location_file"

    location_id: Mapped[str] = mapped_column(ForeignKey("catalog_location.id", ondelete="CASCADE"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True)
    content_hash: Mapped[str]
    """SHA-256 of the content. Only files without a fault are kept here: the others are judged anew at every read."""
    http_etag: Mapped[str | None]
    nested: Mapped[list[Any]] = mapped_column(JSON)
    """Where the file's own Location entities lead: lists of type, target and whether it may be absent."""


class Entity(Model):
    """What exists. Values are lower case, as filters compare them; `…_original` is the spelling where it differs."""

    __tablename__ = "catalog_entity"
    __table_args__ = (
        Index(None, "kind", "name", "id", "title"),  # a text is looked for in names and titles
        Index(None, "kind", "ref", "id"),
        Index(None, "kind", "type", "type_original", "id"),
        Index(None, "kind", "lifecycle", "lifecycle_original", "id"),
        Index(None, "kind", "owner", "owner_original", "id"),
        Index(None, "kind", "system", "system_original", "id"),
        Index(None, "kind", "title", "id"),
        # Equal keys stand once in an index without the id: a tenth of the pages to count.
        Index(None, "kind", "type", "type_original"),
        Index(None, "kind", "lifecycle", "lifecycle_original"),
        Index(None, "location_id", "file"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    """Given at creation and kept across updates."""
    ref: Mapped[str] = mapped_column(unique=True)
    """`component:default/checkout`."""
    kind: Mapped[str]
    kind_original: Mapped[str | None]
    namespace: Mapped[str]
    name: Mapped[str]
    name_original: Mapped[str | None]
    title: Mapped[str | None]
    title_original: Mapped[str | None]
    type: Mapped[str | None]
    type_original: Mapped[str | None]
    lifecycle: Mapped[str | None]
    lifecycle_original: Mapped[str | None]
    owner: Mapped[str | None]
    """`spec.owner` as written, not resolved; the resolved one is a relation."""
    owner_original: Mapped[str | None]
    system: Mapped[str | None]
    system_original: Mapped[str | None]
    etag: Mapped[str] = mapped_column(String(40))
    """Changes whenever the final entity does."""
    location_id: Mapped[str] = mapped_column(ForeignKey("catalog_location.id", ondelete="CASCADE"))
    """The registered location that supplies it; the first one that did."""
    file: Mapped[str]
    """The file or URL that holds it."""
    document: Mapped[int]
    """Its position in the file, from 0."""
    document_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the document as read: an unchanged one is not written again."""
    parent_ref: Mapped[str | None]
    """The Location entity that led to the file; None for the one of a registered location."""
    orphaned_at: Mapped[datetime | None]
    """When a read no longer found it; None while its file holds it."""
    updated_at: Mapped[datetime]


class EntityBody(Model):
    """The final entity as JSON, with relations and server annotations: ready to send."""

    __tablename__ = "catalog_entity_body"

    id: Mapped[int] = mapped_column(ForeignKey("catalog_entity.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class SearchKey(Model):
    """A path into the entities of one kind that the rest-index knows, lower case: what is asked is asked of a kind."""

    __tablename__ = "catalog_search_key"
    __table_args__ = (UniqueConstraint("kind", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    name: Mapped[str]


class SearchRow(Model):
    """The rest-index: every value of an entity that is no column of it.

    It has no foreign keys: checking them doubles what PostgreSQL spends on writing a catalog. Its rows are deleted with
    their entity, in one place.
    """

    __tablename__ = "catalog_search"
    __table_args__ = (Index(None, "key_id", "value", "entity_id", "original", "is_item"),)

    entity_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int]
    value: Mapped[str | None]
    """Lower case; None where the key exists without a value that can be searched (null, or too long)."""
    original: Mapped[str | None]
    """The spelling, where it differs from the value."""
    is_item: Mapped[bool]
    """A string in a list: `path.item` finds it too."""


class ValueCount(Model):
    """How many entities of a kind have a value; kept, with every write of entities, for what is asked for most.

    An empty table means that nothing was counted yet: the next write counts all.
    """

    __tablename__ = "catalog_value_count"

    kind: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    """`spec.type`; for `kind`, the value is the kind itself."""
    value: Mapped[str] = mapped_column(primary_key=True)
    original: Mapped[str] = mapped_column(primary_key=True)
    """The spelling, where it differs from the value; otherwise empty."""
    entities: Mapped[int]


class RelationRow(Model):
    """One end of a relation, as the entity at `source_ref` shows it; the other end has its own row.

    So nobody needs to look for a target: it is the source of the reverse relation. It has no foreign key, like the
    rest-index.
    """

    __tablename__ = "catalog_relation"
    __table_args__ = (Index(None, "declared_by"),)

    source_ref: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    target_ref: Mapped[str] = mapped_column(primary_key=True)
    """May name an entity that does not exist."""
    declared_by: Mapped[int] = mapped_column(primary_key=True)
    """The entity whose file says so; the relation goes when it goes."""


class CatalogFault(Model):
    """Something wrong in what a location holds, as found by the last read of it."""

    __tablename__ = "catalog_fault"
    __table_args__ = (Index(None, "location_id", "id"), Index(None, "ref", "id"), Index(None, "shown_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    location_id: Mapped[str] = mapped_column(ForeignKey("catalog_location.id", ondelete="CASCADE"))
    file: Mapped[str]
    document: Mapped[int | None]
    """Position in the file from 0; None where the fault is the file's."""
    ref: Mapped[str]
    """The entity, or empty where it cannot be told."""
    path: Mapped[str]
    """The field, `spec.dependsOn[2]`; empty where the whole document is at fault."""
    message: Mapped[str]
    seen_at: Mapped[datetime]
    """When a read first found it."""
    shown_at: Mapped[str | None]
    """The entity whose status shows it: the one at fault, the one that is supplied twice, or the Location entity of the
    file."""
    supplied_by: Mapped[str | None]
    """Who supplies the entity instead, where this document came too late; None for any other fault."""


class EntityChange(Model):
    """What happened to an entity, once for each change of its final form by a file or a person."""

    __tablename__ = "catalog_entity_change"
    __table_args__ = (Index(None, "ref", "id"), Index(None, "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str]
    at: Mapped[datetime]
    kind: Mapped[str]
    """`added`, `changed`, `orphaned`, `restored` or `removed`."""
    actor: Mapped[str]
    """Who or what did it: the registered location as `url:https://…`, or a person's name."""
    from_etag: Mapped[str | None]
    to_etag: Mapped[str | None]
    fields: Mapped[list[Any]] = mapped_column(JSON)
    """What differs: lists of path, value before and value after; bounded."""


class CatalogVersion(Model):
    """One row that counts the writes: answers computed at one version hold until the next."""

    __tablename__ = "catalog_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Always 1."""
    number: Mapped[int]
    lineage: Mapped[str | None] = mapped_column(default=lambda: uuid.uuid4().hex)
    """Made with the row: the first version of an emptied catalog is not the first one of the catalog before."""
    indexed_as: Mapped[int | None] = mapped_column(default=INDEXING)
    """The way in which values were found in all stored entities (`flatten.INDEXING`); None: in that of a release before
    it was kept."""


STORE_BODIES_UNCOMPRESSED = "ALTER TABLE catalog_entity_body ALTER COLUMN body SET STORAGE EXTERNAL"
"""PostgreSQL would compress the bodies and unpack them at every read; they are read far more often than written."""


@event.listens_for(table_of(EntityBody), "after_create")
def _tune_bodies(_table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(STORE_BODIES_UNCOMPRESSED))


INDEX_TEXTS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS ix_catalog_entity_trigrams ON catalog_entity
            USING gin (name gin_trgm_ops, title gin_trgm_ops) WITH (gin_pending_list_limit = 256);
    END IF;
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_object OR undefined_file THEN
    RAISE NOTICE 'pg_trgm cannot be used here: texts are looked for entity by entity';
END $$
"""
"""PostgreSQL: finds a text within names and titles, where the extension is installed and its owner lets us use it."""


@event.listens_for(table_of(Entity), "after_create")
def _index_texts(_table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(INDEX_TEXTS))
