"""Reads plain programs of jq: a path into a document, and one question at its end. Others need to be run. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any

STEP = re.compile(
    r"""\.?\["(?P<quoted>(?:[^"\\]|\\.)*)"\]\??|\.?\[(?P<index>\d*)\]\??|\.(?P<name>[A-Za-z_]\w*)\??|\."(?P<text>(?:[^"\\]|\\.)*)"\??"""
)
LITERAL = r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null'
COMPARISON = re.compile(rf"(?P<left>.*?)\s*(?P<sign>==|!=|<=|>=|<|>)\s*(?P<right>{LITERAL})", re.DOTALL)
TEST = re.compile(r"(?P<word>test|startswith|endswith|contains|has|index|any|all)\((?P<given>.*)\)", re.DOTALL)
OF_EACH = re.compile(rf"\.\s*==\s*(?P<value>{LITERAL})")
SIGNS = {
    "==": "equal",
    "!=": "notEqual",
    "<": "lessThan",
    "<=": "lessThanInclusive",
    ">": "greaterThan",
    ">=": "greaterThanInclusive",
}
TEXT_TESTS = {"test": "matchesRegex", "startswith": "startsWith", "endswith": "endsWith", "contains": "contains"}
MANY = "*"


class NotPlain(ValueError):
    """A program that says more; the message names it."""


@dataclass(frozen=True)
class Plain:
    """What a program asks: where, and what of it."""

    steps: tuple[str, ...]
    """From the document's root; `*` stands for every member of a list."""
    operator: str = ""
    """What the value is compared by; `exists`, `count` and `number` are no comparisons, empty is the value itself."""
    value: Any = None
    negated: bool = False
    counted: bool = False
    """The number of members is compared, not the value."""

    @property
    def pointer(self) -> str:
        """Return the steps as a JSON pointer."""
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in self.steps)

    @property
    def many(self) -> bool:
        """Whether it looks at the members of a list."""
        return MANY in self.steps


def read(program: str) -> Plain:
    """Return what a program asks; raises NotPlain."""
    text = program.strip()
    parts = COMPARISON.fullmatch(text)
    if parts and _balanced(parts["left"]):
        return compared(_asked(_bare(parts["left"])), parts["sign"], json.loads(parts["right"]), program)
    return _asked(_bare(text))


def _balanced(text: str) -> bool:
    return all(text.count(one) == text.count(other) for one, other in ("()", "[]")) and text.count('"') % 2 == 0


def _bare(text: str) -> str:
    """Take off the brackets around the whole."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _balanced(text[1:-1]):
        text = text[1:-1].strip()
    return text


def _asked(text: str) -> Plain:
    """Read a path, and what it is piped into."""
    head, *pipes = [part.strip() for part in re.split(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)', text)]
    asked = Plain(_steps(head))
    for pipe in pipes:
        parts = COMPARISON.fullmatch(pipe)
        if parts and _balanced(parts["left"]):
            answer = _piped(asked, _bare(parts["left"]))
            asked = compared(answer, parts["sign"], json.loads(parts["right"]), text)
        else:
            asked = _piped(asked, pipe)
    return asked


def _steps(path: str) -> tuple[str, ...]:
    if path.startswith("[") and path.endswith("]") and path[1:2] in {".", " "}:
        path = path[1:-1].strip()
    if path == ".":
        return ()
    if not path:
        raise NotPlain("it is empty")
    steps, at = [], 0
    while at < len(path):
        found = STEP.match(path, at)
        if found is None:
            raise NotPlain(f"`{path[at : at + 30]}` is more than a path")
        index = found["index"]
        quoted = found["quoted"] if found["quoted"] is not None else found["text"]
        steps.append((index or MANY) if index is not None else found["name"] or json.loads(f'"{quoted}"'))
        at = found.end()
    return tuple(steps)


def _piped(asked: Plain, word: str) -> Plain:
    if asked.operator or asked.counted:
        if word == "not" and asked.operator:
            return _negated(asked)
        raise NotPlain(f"`| {word}` computes with what was asked before")
    if word == "." or word == "tostring":
        return asked
    if word == "tonumber":
        return Plain(asked.steps, "number")
    if word == "length":
        return Plain(asked.steps, counted=True)
    if word == "not":
        return Plain(asked.steps, "equal", False)
    if STEP.match(word):
        return Plain((*asked.steps, *_steps(word)))
    return _tested(asked, word)


def _tested(asked: Plain, word: str) -> Plain:
    found = TEST.fullmatch(word)
    if found is None:
        raise NotPlain(f"`{word[:40]}` is no question that rules here ask")
    name, given = found["word"], found["given"].strip()
    if name in {"any", "all"}:
        each = OF_EACH.fullmatch(given)
        if each is None:
            raise NotPlain(f"`{word[:40]}` asks more of the members than whether they are something")
        operator = "someFact:in" if name == "any" else "everyFact:in"
        return Plain(_all(asked.steps), operator, [_text(json.loads(each["value"]))])
    try:
        value = json.loads(given)
    except ValueError:
        raise NotPlain(f"`{word[:40]}` computes what it asks for") from None
    if name == "has":
        return Plain((*asked.steps, _text(value)), "exists", True)
    if name == "index" or (name == "contains" and isinstance(value, list) and len(value) == 1):
        member = value[0] if isinstance(value, list) else value
        return Plain(_all(asked.steps), "someFact:in", [_text(member)])
    if not isinstance(value, str):
        raise NotPlain(f"`{word[:40]}` compares with something that is no text")
    return Plain(asked.steps, TEXT_TESTS[name], value)


def _all(steps: tuple[str, ...]) -> tuple[str, ...]:
    return steps if MANY in steps else (*steps, MANY)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _negated(asked: Plain) -> Plain:
    return Plain(asked.steps, asked.operator, asked.value, not asked.negated, asked.counted)


def compared(asked: Plain, sign: str, value: Any, program: str) -> Plain:
    """Return what is asked when the answer of a program is compared with a value; raises NotPlain."""
    operator = SIGNS[sign]
    if asked.operator == "someFact:in" and value is None:  # `index("x") != null`
        return asked if sign == "!=" else _negated(asked)
    if asked.operator not in {"", "number"}:
        if isinstance(value, bool) and sign in {"==", "!="}:
            return asked if value is (sign == "==") else _negated(asked)
        raise NotPlain(f"`{program[:40]}` compares the answer of a question")
    if value is None:
        if operator not in {"equal", "notEqual"}:
            raise NotPlain(f"`{program[:40]}` compares with null by size")
        return Plain(asked.steps, "exists", True, operator == "equal")
    if isinstance(value, list | dict) or (asked.many and not asked.counted):
        raise NotPlain(f"`{program[:40]}` compares many values")
    return Plain(asked.steps, operator, value, counted=asked.counted)
