"""Lists that are short nearly always are paged all the same."""

import pytest

from portal_backend.core.errors import InvalidInput
from portal_backend.core.pagination import encode_cursor
from portal_backend.core.whole_lists import page_of


def test_the_pages_of_a_list_are_all_of_it_in_its_order():
    found, cursor = [], None
    while True:
        page = page_of(range(7), "sevens", {"cursor": cursor, "limit": 3})
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == list(range(7))
    assert page_of(range(3), "threes", {"cursor": None, "limit": 3})["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", *map(encode_cursor, (["other", 3], ["sevens", True], ["sevens", -1], 3))])
def test_the_cursor_of_another_list_is_refused(cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        page_of(range(7), "sevens", {"cursor": cursor, "limit": 3})
