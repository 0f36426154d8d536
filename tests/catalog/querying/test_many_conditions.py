"""Many conditions at once: found as few are, and joined no more than PostgreSQL can weigh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.querying import statements, translation
from catalog.querying.conditions import Condition, Equals, Exists, HasPrefix, every, negate, some
from catalog.querying.list_sql import whole_list_sql
from catalog.querying.selection import Selection
from catalog.querying.translation import MOST_JOINED
from portal_backend.core.quick_reading import quick_reading
from tests.catalog.querying.flattened import holds
from tests.catalog.querying.test_translation import PAIRS, conditions, found_ids, quickly

MANY = 5 * MOST_JOINED


def test_what_is_not_joined_finds_the_same(app, company, monkeypatch):
    monkeypatch.setattr(translation, "MOST_JOINED", 1)

    @quickly
    @given(st.lists(conditions, min_size=2, max_size=5))
    def agrees(said: list[Condition]) -> None:
        for condition in (every(said), negate(some(said))):
            assert found_ids(app, condition) == [n for n, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)]

    agrees()


@pytest.mark.parametrize(
    "condition",
    [
        every(Equals("metadata.tags", ("java", str(other))) for other in range(MANY)),
        every(negate(Equals("metadata.tags", (str(other),))) for other in range(MANY)),
        every(HasPrefix("metadata.tags", f"{other}") for other in range(MANY)),
        every(Exists(f"metadata.tags.{other}") for other in range(MANY)),
        negate(some(Exists(f"metadata.tags.{other}") for other in range(MANY))),
        negate(some(HasPrefix("metadata.tags", f"{other}") for other in range(MANY))),
    ],
)
def test_postgresql_joins_only_some_of_many(app, company, condition):
    """It weighs the ways to join them: of 200 for 15 s, of 900 for longer than anybody waited."""
    assert found_ids(app, condition) == [n for n, pairs in enumerate(PAIRS, 1) if holds(condition, pairs)]
    with app.app_context(), quick_reading() as reader:
        sql = statements.Statements(reader, None, Selection(condition)).write("whole", whole_list_sql)
        plan = reader.rows(f"EXPLAIN {sql.text}", sql.parameters) if reader.is_postgresql else []
    assert sum("Semi Join" in str(step) or "Anti Join" in str(step) for step in plan) <= MOST_JOINED
