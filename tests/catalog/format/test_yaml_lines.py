"""What is read line by line has the value that whoever reads every YAML finds, or is left to them."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.format.yaml_composer import Composer, NodeFault
from catalog.format.yaml_lines import compose_plainest
from catalog.format.yaml_quick import Unusual


def carefully_read(text):
    return Composer(text, 0, None).compose(yaml.parse(text, Loader=yaml.CSafeLoader))


PLAIN = """---
# a comment
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: 'checkout'
  title: "Check out"

  description: >-
    Takes # no comment
    money: cards.
  labels: {tier: t0, 'none': 1}
  annotations:
    a.b/c-d: dir:.
    e: http://example.com/#top
  tags: [java, 'a, b', 1.0, resource:x]
  links:
  - url: https://example.com
    title: null
  - {url: x}
  - plain
spec:
  owner:
  lifecycle: yes
  count: 0o17
  definition: |
    one
      two: {

    three
"""


def test_a_plain_document_is_read_line_by_line():
    text = PLAIN.replace("'none': 1", "none: 1")
    found = compose_plainest(text)
    assert repr(found) == repr(carefully_read(text))
    assert found["spec"] == {"owner": None, "lifecycle": "yes", "count": 15, "definition": "one\n  two: {\n\nthree\n"}
    assert found["metadata"]["links"] == [{"url": "https://example.com", "title": None}, {"url": "x"}, "plain"]


@pytest.mark.parametrize(
    "text",
    [
        "a: b\n  c\n",  # a value of two lines
        "a: b # comment\n",
        "a: b: c\n",
        "a: [x:?y]\n",
        "a: [x, ]\n",
        "a: [x:]\n",
        "a: {b: 1, b: 2}\n",
        "a: {'b': 1}\n",
        "a: 1\na: 2\n",
        "null: 1\n",
        "a: 'it''s'\n",
        'a: "\\n"\n',
        "a: |\n\n  x\n",
        "a: |\n    x\n  y\n",
        "a: |\nb: 1\n",
        "a: |2\n  x\n",
        "a: >\n  x\n\n  y\n",
        "a: &b c\n",
        "a: !!str 1\n",
        "a:\n    b: 1\n  c: 2\n",
        "a:\n- b\n - c\n",
        "a: b\n- c\n",
        "- a\n",
        "  a: 1\nb: 2\n",
        "a\n",
        "a:\tb\n",
        "# nothing\n",
        "a:\n" + "".join(f"{' ' * depth}b:\n" for depth in range(1, 60)),
    ],
)
def test_whatever_is_not_plain_is_left_to_others(text):
    with pytest.raises(Unusual):
        compose_plainest(text)


PIECES = st.sampled_from(
    [
        "a",
        "b: ",
        "b:",
        "- ",
        "  ",
        " ",
        "\n",
        "\n  ",
        "\n    ",
        "\n- ",
        "\nc: ",
        ": ",
        ":",
        "#",
        " #",
        "'",
        '"',
        ", ",
        "[",
    ]
    + [
        "]",
        "{",
        "}",
        "|\n",
        ">-\n",
        "?",
        "*",
        "&x",
        "!",
        "%",
        "null",
        "1",
        ".5",
        "-",
        "é",
        "[a, b]",
        "{a: b}",
        "a: 'b'",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_what_is_read_has_the_value_that_it_has_for_others(written):
    text = f"a: {written}\n"
    try:
        found = compose_plainest(text)
    except Unusual:
        return
    try:
        assert repr(found) == repr(carefully_read(text))
    except (NodeFault, yaml.YAMLError) as error:
        pytest.fail(f"{text!r}: {error}")
