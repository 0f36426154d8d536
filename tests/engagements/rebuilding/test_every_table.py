"""No table that holds a state is left out of what can be made again from the history."""

from sqlalchemy import JSON, Boolean, Date, DateTime, Float, Integer, LargeBinary, func, insert, select

import portal_backend.app  # noqa: F401 - registers every table
from engagements import rebuilding
from portal_backend.core.db import Model
from tests.engagements.conftest import NOW

TOLD = {name for part in rebuilding.PARTS for name in part.tables}


def test_every_table_is_told_of_by_the_history_or_said_to_be_made_of_something_else():
    kept = {
        mapper.local_table.name
        for mapper in Model.registry.mappers
        if mapper.class_.__module__.startswith(("engagements.", "scorecards.exceptions."))
    }
    assert kept | {"campaign_exemption"} == TOLD | rebuilding.NOT_FROM_HISTORY.keys()
    assert not TOLD & rebuilding.NOT_FROM_HISTORY.keys()


def test_a_row_that_no_history_tells_of_is_found_and_removed_in_every_table(session):
    tables = [table for table in Model.metadata.sorted_tables if table.name in TOLD]
    for table in Model.metadata.sorted_tables:
        if table.name in TOLD | {"campaign", "framework_module", "framework_module_release"}:
            session.execute(insert(table).values(ghost(table)))
    session.commit()
    assert {part.part for part in rebuilding.rebuild_all(session) if part.found} == {
        part.name for part in rebuilding.PARTS
    }
    left = {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}
    assert left == dict.fromkeys(TOLD, 0)


def ghost(table):
    """Return a row that nobody wrote: the same plain value in each column of a type."""
    return {column.name: plain_value(column.type) for column in table.columns}


def plain_value(kind):
    kind = getattr(kind, "impl_instance", kind)
    values = (
        (Boolean, False),
        (Integer, 1),
        (Float, 1.0),
        (JSON, {}),
        (LargeBinary, b"x"),
        (DateTime, NOW),
        (Date, NOW.date()),
    )
    return next((value for type_, value in values if isinstance(kind, type_)), "x")
