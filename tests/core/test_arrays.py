"""Many texts in one condition."""

from portal_backend.core.arrays import text_array


def test_texts_are_written_as_postgresql_reads_them_and_what_no_database_holds_is_left_out():
    assert text_array(['a"b', "c\\d", "e\0f", "g,{h}"]) == r'{"a\"b","c\\d","g,{h}"}'
    assert text_array([]) == "{}"
