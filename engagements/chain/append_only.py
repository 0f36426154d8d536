"""The database itself refuses to change or remove what the history holds.

Triggers of a table go with it: a migration that copies `history_event` (SQLite alters tables so) calls `protect` after.
Whoever owns the database can still lift them; the chain of hashes then shows what was changed.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

REFUSAL = "The history is append-only: record a correction as an event of its own (event.corrected)."

SQLITE = {
    "history_event_refuses_update": "BEFORE UPDATE ON history_event BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
    "history_event_refuses_delete": "BEFORE DELETE ON history_event BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
    # INSERT OR REPLACE removes the row in its way without asking the trigger on DELETE. An id that is known already is
    # passed over as everywhere: it never enters twice.
    "history_event_refuses_replace": (
        "BEFORE INSERT ON history_event BEGIN "
        "SELECT RAISE(ABORT, '{refusal}') WHERE EXISTS (SELECT 1 FROM history_event WHERE id = NEW.id) "
        "OR EXISTS (SELECT 1 FROM history_event WHERE entity_ref = NEW.entity_ref AND sequence = NEW.sequence); "
        "SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM history_event "
        "WHERE source = NEW.source AND source_event_id = NEW.source_event_id); END"
    ),
}
FUNCTION = "history_event_refuse_change"
POSTGRESQL = {"history_event_refuses_change": "UPDATE OR DELETE", "history_event_refuses_truncate": "TRUNCATE"}


def protect(connection: Connection) -> None:
    """Have the database refuse changes of the history from now on. Safe to repeat."""
    _run(connection, [*_removal(connection), *_protection(connection)])


def unprotect(connection: Connection) -> None:
    """Let the history's table be altered: for migrations, and for tests that empty their database."""
    _run(connection, _removal(connection))


def is_protected(connection: Connection) -> bool:
    """Say whether the database refuses changes of the history."""
    if connection.dialect.name == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'history_event'::regclass AND tgenabled IN ('O', 'A')"
        return set(connection.scalars(text(query))) >= POSTGRESQL.keys()
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'history_event'"
    return set(connection.scalars(text(query))) >= SQLITE.keys()


def _protection(connection: Connection) -> Sequence[str]:
    if connection.dialect.name != "postgresql":
        return [f"CREATE TRIGGER {name} {body.format(refusal=REFUSAL)}" for name, body in SQLITE.items()]
    function = (
        f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    triggers = [
        f"CREATE TRIGGER {name} BEFORE {events} ON history_event FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()"
        for name, events in POSTGRESQL.items()
    ]
    return [function, *triggers]


def _removal(connection: Connection) -> Sequence[str]:
    if connection.dialect.name != "postgresql":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in SQLITE]
    return [f"DROP TRIGGER IF EXISTS {name} ON history_event" for name in POSTGRESQL]


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(text(statement))
