"""Reading YAML as Backstage's `yaml` library does; the expectations were taken from it (2.9)."""

import math

import pytest

from catalog.format.yaml_documents import MAX_DOCUMENTS, read_documents
from catalog.format.yaml_mending import mended


def values(text: str) -> list:
    return [(document.index, document.value) for document in read_documents(text.encode())]


def value(text: str):
    (document,) = read_documents(text.encode())
    assert document.fault is None, document.fault
    return document.value


def fault(text: str | bytes):
    content = text if isinstance(text, bytes) else text.encode()
    (found,) = [document.fault for document in read_documents(content) if document.fault is not None]
    return found


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0o17", 15),
        ("0o8", "0o8"),
        ("017", 17),
        ("0x1F", 31),
        ("0x", "0x"),
        (".5", 0.5),
        ("1.", 1),
        ("1e3", 1000),
        ("1.5e-1", 0.15),
        ("1.0", 1),
        ("-0", 0),
        ("+12", 12),
        ("12345678901234567", 12345678901234568),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
        ("!!int x", "x"),
        ("!!float 3", "3"),
        ("!Ref 12", "12"),
        ("! 12", "12"),
        ("=", "="),
        ("<<", "<<"),
        ("a\u2028b", "a\u2028b"),
        ("a\u0085b", "a\u0085b"),
        ("a\x07b", "a\x07b"),
        ("🙂", "🙂"),
        ("{1: a, true: b, ~: c}", {"1": "a", "true": "b", "": "c"}),
        ("{1: a, '1': b}", {"1": "b"}),
        ("{{ values.name }}", {"{ values.name }": None}),
        ("{[a, b]: c}", {"[ a, b ]": "c"}),
        ("{<<: {a: b}}", {"<<": {"a": "b"}}),
    ],
)
def test_scalars_and_keys_are_those_of_yaml_1_2_core(written, read):
    found = value(f"x: {written}\n")["x"]
    assert found == read
    assert type(found) is type(read)


def test_not_a_number_is_a_number():
    assert math.isnan(value("x: .nan")["x"])


def test_documents_are_numbered_by_position_and_empty_ones_left_out():
    text = "# head\n---\na: 1\n---\n# only a comment\n---\nb: 2\n...\n# between\n---\nc: 3\n---\n"
    assert values(text) == [(0, {"a": 1}), (2, {"b": 2}), (3, {"c": 3})]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n---\n", "~\n", "\ufeff", "%YAML 1.2\n"])
def test_a_file_without_content_has_no_documents(text):
    assert values(text) == []


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_any_line_ending_and_a_byte_order_mark_are_read(ending):
    assert values("\ufeffa: |\n  x\n  y\n---\nb: 1\n".replace("\n", ending)) == [(0, {"a": "x\ny\n"}), (1, {"b": 1})]


def test_separators_inside_scalars_do_not_split():
    text = "a: |\n  ---\n  b\nc: >-\n    ---\n---\nd: 1\n"
    assert values(text) == [(0, {"a": "---\nb\n", "c": "---"}), (1, {"d": 1})]


@pytest.mark.parametrize(
    "broken",
    [
        "a: [",
        "{%- if x %}",
        "a: b: c",
        "a: 1\na: 2",
        "\tx: y",
        "a: *nope",
        "- a\nb: c",
        "@x",
        "a: `x",
    ],
)
def test_a_broken_document_does_not_sink_its_neighbours(broken):
    first, second, third = read_documents(f"a: 1\n---\n{broken}\n---\nb: 2\n".encode())
    assert (first.value, third.value, third.index) == ({"a": 1}, {"b": 2}, 2)
    assert second.index == 1
    assert second.fault is not None


def test_a_fault_names_line_and_column_of_the_file():
    assert "line 5, column 4" in fault("a: 1\n---\nb: 1\nc:\n  [}\n").message


def test_a_repeated_key_is_named_with_its_path():
    found = fault("spec:\n  list:\n    - a: 1\n      a: 2\n")
    assert found.path == "spec.list[0].a"
    assert "line 4" in found.message


def test_blank_lines_may_hold_tabs():
    assert value("a:\n\t\n  b: 1\n") == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('a:\n  b: "x\n    y"\n', True),
        ('a:\n  b: "x\n  y"\n', False),
        ("a:\n  b: [x,\n    y]\n", True),
        ("a:\n  b: [x,\n  y]\n", False),
        ("a:\n  b: [\n    x\n  ]\n", True),
        ("a:\n  b: [\n    x\n ]\n", False),
        ("a:\n  b: [x,\n# note\n    y]\n", True),
        ('{"a":\n{"b": 1}\n}', True),
    ],
)
def test_continuation_lines_must_stay_in_their_block(text, good):
    (document,) = read_documents(text.encode())
    assert (document.fault is None) is good


def test_aliases_stand_for_their_anchors():
    assert value("a: &x {n: 1}\nb: *x\nc: &x 2\nd: *x\n") == {"a": {"n": 1}, "b": {"n": 1}, "c": 2, "d": 2}


@pytest.mark.parametrize(("uses", "good"), [(99, True), (100, False)])
def test_an_anchor_may_be_used_as_often_as_backstage_lets_it(uses, good):
    (document,) = read_documents(("a: &x [1]\nb:\n" + "  - *x\n" * uses).encode())
    assert (document.fault is None) is good


def test_a_bomb_of_aliases_is_refused():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "too often" in fault("\n".join(lines)).message


def test_more_values_than_the_index_should_hold_are_refused():
    assert value(f"a: [{'x, ' * 90_000}]")["a"][-1] == "x"
    assert "too large" in fault(f"a: [{'x, ' * 110_000}]").message


def test_many_copies_of_a_large_text_are_refused():
    text = f"a: &x {'y' * 1_000_000}\nb: [{', '.join(['*x'] * 90)}]\n"
    assert "MiB" in fault(text).message


def test_an_anchor_that_cannot_be_mended_is_not_mended_again_and_again():
    text = "a: *xyz[b]\n"
    stop = next(iter(read_documents(text.encode()))).stop
    assert mended(stop, text) is None


def test_an_anchor_inside_itself_is_refused():
    assert "inside" in fault("a: &x [*x]").message


def test_deep_nesting_is_refused():
    assert "levels deep" in fault("[" * 100_000).message
    assert "levels deep" in fault("a: " + "{a: " * 500 + "1" + "}" * 500).message


@pytest.mark.parametrize("content", [b"\x00\x01", "a: b".encode("utf-16")])
def test_binary_files_are_one_fault(content):
    assert fault(content).path == ""


def test_a_nul_costs_its_own_document_only_and_in_a_comment_nothing():
    faulty, good = read_documents(b"a: b\x00c\n---\nb: c # \x00\n")
    assert (faulty.fault.path, good.value) == ("a", {"b": "c"})


def test_an_escaped_nul_is_a_fault_since_no_database_keeps_it():
    assert fault('a: "x\\0y"').path == "a"


def test_too_many_documents_are_a_fault_of_their_own():
    documents = list(read_documents(b"---\na\n" * (MAX_DOCUMENTS + 5)))
    assert documents[-1].index == MAX_DOCUMENTS
    assert documents[-1].fault is not None
    assert len(documents) == MAX_DOCUMENTS + 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: 1\n... # end\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("a: 1\n...\t\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("a: 1\n... x\n---\nb: 2\n", [None, {"b": 2}]),
        ("a: |\n  x\n... x\nb: 1\n", [None]),
    ],
)
def test_nothing_but_a_comment_stands_behind_the_mark_that_ends_a_document(text, values):
    found = list(read_documents(text.encode()))
    assert [document.value for document in found] == values
    assert [document.fault is None for document in found] == [value is not None for value in values]
