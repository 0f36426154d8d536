"""Reading from PostgreSQL by libpq's own calls: a cursor of the driver costs four times as much as the round trip."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, Format
from sqlalchemy import PoolProxiedConnection

PREPARED = "portal_prepared"
MAX_PREPARED = 200
"""Statements that a connection keeps prepared."""
CANCELLED = b"57014"
"""The SQLSTATE of a statement that ran longer than its `statement_timeout`, or that somebody at the server ended."""

Key = tuple[str, tuple[int, ...]]
"""The text of a statement and the types of its parameters."""
Statements = OrderedDict[Key, bytes | None]
"""The names of those that are prepared; the others came once."""
_numbers = count(1)


def rows_of(connection: PoolProxiedConnection, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """Return the rows of a query with `%s` for each parameter; None where it failed.

    Results are binary: as text they would carry bytes as hexadecimal digits. A statement is prepared when it comes a
    second time; what the server refuses, the caller asks again by a cursor, which raises the right error, or succeeds
    where only the prepared form was out of date. Raises psycopg's QueryCanceled for one that was cancelled: to ask it
    again would keep the caller, and the server, as long once more.
    """
    driver: Any = connection.driver_connection
    prepared: Statements = connection.info.setdefault(PREPARED, OrderedDict())
    transformer = Transformer.from_context(driver)
    values = transformer.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
    types = transformer.types or ()
    key = sql, types
    if key in prepared:
        prepared.move_to_end(key)
        prepared_name = prepared[key] or _prepare(driver, prepared, key)
        result = driver.pgconn.exec_prepared(prepared_name, values, transformer.formats, Format.BINARY)
    else:
        _note(driver, prepared, key)
        result = driver.pgconn.exec_params(_numbered(sql), values, types, transformer.formats, Format.BINARY)
    if result.status != ExecStatus.TUPLES_OK:
        _deallocate(driver, prepared.pop(key))
        if result.error_field(DiagnosticField.SQLSTATE) == CANCELLED:
            raise error_from_result(result)
        return None
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def _prepare(driver: Any, prepared: Statements, key: Key) -> bytes:
    name = prepared[key] = b"portal_%d" % next(_numbers)
    driver.pgconn.prepare(name, _numbered(key[0]), key[1])
    return name


def _note(driver: Any, prepared: Statements, key: Key) -> None:
    """Note that a statement came once, and forget the one that was not used longest."""
    prepared[key] = None
    if len(prepared) > MAX_PREPARED:
        _, oldest = prepared.popitem(last=False)
        _deallocate(driver, oldest)


def _deallocate(driver: Any, name: bytes | None) -> None:
    if name:
        driver.pgconn.exec_(b"DEALLOCATE " + name)


@lru_cache(1_024)
def _numbered(sql: str) -> bytes:
    """Write the parameters as PostgreSQL has them: `$1`, `$2`."""
    first, *others = sql.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))).encode()
