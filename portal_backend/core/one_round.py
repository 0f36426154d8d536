"""Several reads that need nothing of each other, sent together: PostgreSQL answers them in one round trip.

Each statement is made into text once. What a session would cost for each is more than the statements themselves do.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Engine, Select

from portal_backend.core.quick_reading import Reader

Row = tuple[Any, ...]
FLOAT8 = 701
"""PostgreSQL's number of the type of a float, which SQLAlchemy asks for; other types do not look at it."""


@dataclass(frozen=True)
class Prepared:
    """A statement as text, with what makes Python's values of what the driver returns."""

    sql: str
    fixed: Mapping[str, Any]
    """The values that are the same in every call."""
    positions: Sequence[str] | None
    """The names of the values in their order, where the driver wants no names."""
    converters: Sequence[tuple[int, Any]]
    """By column, those that need one."""

    def values(self, given: Mapping[str, Any]) -> Any:
        """Return the values of a call as the driver wants them."""
        named = {**self.fixed, **{name: value for name, value in given.items() if name in self.fixed}}
        return named if self.positions is None else [named[name] for name in self.positions]

    def typed(self, rows: list[Row]) -> list[Row]:
        """Return the driver's rows with the values that Python code expects."""
        if not self.converters:
            return rows
        return [self._typed(list(row)) for row in rows]

    def _typed(self, row: list[Any]) -> Row:
        for place, convert in self.converters:
            row[place] = convert(row[place])
        return tuple(row)


def prepare(on: Engine, statement: Select[Any]) -> Prepared:
    """Make a statement ready to be sent; its values that differ between calls are bind parameters with a name."""
    compiled = statement.compile(on, compile_kwargs={"render_postcompile": True})
    processors = (column.type.dialect_impl(on.dialect) for column in statement.selected_columns)
    found = [kind.result_processor(on.dialect, FLOAT8) for kind in processors]
    return Prepared(
        sql=str(compiled),
        fixed={
            name: _bound(on, compiled.binds.get(name), value) for name, value in compiled.construct_params().items()
        },
        positions=getattr(compiled, "positiontup", None),
        converters=[(place, convert) for place, convert in enumerate(found) if convert],
    )


def _bound(on: Engine, parameter: BindParameter[Any] | None, value: Any) -> Any:
    """Return a value as the driver wants it; one of a list, which has no parameter of its own, stays as it is."""
    process = parameter.type.dialect_impl(on.dialect).bind_processor(on.dialect) if parameter is not None else None
    return process(value) if process else value


def ask(reader: Reader, statements: Sequence[Prepared], given: Mapping[str, Any]) -> list[list[Row]]:
    """Return the rows of each statement, with the values `given` by name."""
    return reader.attempt(_answers, reader.is_postgresql, statements, given)


def _answers(
    connection: Any, is_postgresql: bool, statements: Sequence[Prepared], given: Mapping[str, Any]
) -> list[list[Row]]:
    cursors = []
    with connection.driver_connection.pipeline() if is_postgresql else nullcontext():
        for each in statements:
            # Text results would carry bytes as hexadecimal digits.
            cursor = connection.cursor(binary=True) if is_postgresql else connection.cursor()
            cursor.execute(each.sql, each.values(given))
            cursors.append(cursor)
    return [each.typed(cursor.fetchall()) for each, cursor in zip(statements, cursors, strict=True)]
