"""Run the migrations on the application's database."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from portal_backend.core.db import Model, db, hold

MIGRATING = "migrations"


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write a type of ours as what it is in the database: a migration must not depend on code that goes on changing."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def is_of_models(_item: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave out the one index that the models make by themselves, where the database can have it."""
    return not (kind == "index" and name == "ix_catalog_entity_trigrams")


def run() -> None:
    """Migrate within one transaction; SQLite alters tables by copying them.

    Of several that begin at once, as replicas do, one migrates: the others wait for it, and find nothing to do.
    """
    with db.engine.connect() as connection:
        hold(connection, MIGRATING)
        context.configure(
            connection=connection,
            target_metadata=Model.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            compare_server_default=True,
            render_item=render_item,
            include_object=is_of_models,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
