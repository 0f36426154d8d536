"""Many texts in one condition of a statement."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, any_, cast, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session


def among(session: Session, column: Any, values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column of texts has one of these values.

    On PostgreSQL they are sent as one array, written out: a list of 500 takes longer to write into a statement, or for
    the driver to go through, than to look up.
    """
    if session.get_bind().dialect.name != "postgresql":
        condition: ColumnElement[bool] = column.in_(values)
        return condition
    # As a query of its own it is read once; else it would be read again for each row of a table that is gone through.
    array = select(cast(literal(text_array(values), Text), ARRAY(Text))).scalar_subquery()
    wanted: ColumnElement[bool] = column == any_(cast(array, ARRAY(Text)))
    return wanted


def text_array(values: Iterable[str]) -> str:
    """Return texts as PostgreSQL writes an array of them, without those with NUL: no text of a database holds it."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values if "\0" not in value]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"
