"""Alertmanager's routing tree and matchers: which receivers an alert reaches. Pure.

After Alertmanager's documentation ("Configuration", sections route and matcher): an alert enters at the top route, goes
down into the first child whose matchers all hold, and further to the next siblings where that child says `continue`.
A label that an alert lacks is compared as an empty text; regular expressions are anchored at both ends. They are RE2's,
as in Alertmanager itself: whoever may write a silence could stop a worker with one that Python's engine never ends.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from plugins.label_patterns import label_pattern

MAX_DEPTH = 50
_MATCHER = re.compile(
    r"""\s*(?:"(?P<quoted_name>(?:[^"\\]|\\.)*)"|(?P<name>[a-zA-Z_:][\w:.-]*))\s*
        (?P<operator>=~|!~|!=|=)\s*
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^",}]*?))\s*(?:,|$)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Matcher:
    """A condition on one label."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether an alert with these labels meets it."""
        found = labels.get(self.name, "")
        same = label_pattern(self.value).fits(found) if self.is_regex else found == self.value
        return same is self.is_equal


@dataclass(frozen=True)
class Route:
    """A node of the tree."""

    receiver: str
    matchers: tuple[Matcher, ...]
    goes_on: bool
    """`continue`: the next siblings are tried even though this one matched."""
    children: tuple["Route", ...]

    def reached(self, labels: Mapping[str, str]) -> list[str]:
        """Return the receivers of an alert that has come to this node, each once."""
        found: list[str] = []
        for child in self.children:
            if not all(matcher.holds(labels) for matcher in child.matchers):
                continue
            found += child.reached(labels)
            if not child.goes_on:
                break
        return list(dict.fromkeys(found)) or [self.receiver]


@dataclass(frozen=True)
class Routing:
    """The tree, and which receivers notify somebody."""

    top: Route
    telling: frozenset[str]
    """Receivers with an integration: what goes to any other, or to one that is not there, nobody sees."""

    def reached(self, labels: Mapping[str, str]) -> list[str]:
        """Return the receivers that notify somebody of an alert with these labels."""
        return [name for name in self.top.reached(labels) if name in self.telling]


def read_routing(text: str) -> Routing:
    """Read `config.original` of Alertmanager's status; raises ValueError that says what is wrong with it."""
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"is no YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("route"), dict):
        raise ValueError("has no route")
    if not isinstance(document.get("receivers"), list):  # left out on purpose, by some who offer it as a service
        raise ValueError("does not list its receivers")
    receivers = [receiver for receiver in document["receivers"] if isinstance(receiver, dict)]
    telling = {str(receiver.get("name")) for receiver in receivers if _notifies(receiver)}
    return Routing(_route(document["route"], "", 0), frozenset(telling))


def _notifies(receiver: Mapping[str, Any]) -> bool:
    return any(key.endswith("_configs") and value for key, value in receiver.items())


def _route(written: Mapping[str, Any], inherited: str, depth: int) -> Route:
    if depth > MAX_DEPTH:
        raise ValueError(f"has routes nested deeper than {MAX_DEPTH}")
    receiver = str(written.get("receiver") or inherited)
    children = tuple(
        _route(child, receiver, depth + 1) for child in written.get("routes") or [] if isinstance(child, dict)
    )
    return Route(receiver, tuple(_matchers(written)), bool(written.get("continue")), children)


def _matchers(written: Mapping[str, Any]) -> Iterator[Matcher]:
    """Read `matchers`, and `match` and `match_re` of before version 0.22."""
    for text in written.get("matchers") or []:
        yield from parse_matchers(str(text))
    for key, is_regex in (("match", False), ("match_re", True)):
        for name, value in (written.get(key) or {}).items():
            yield checked(Matcher(str(name), str(value), is_regex))


def parse_matchers(text: str) -> list[Matcher]:
    """Read `severity="page"`, `{a="b", c=~"d|e"}` and the like; raises ValueError on anything else."""
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1]
    found = []
    while rest.strip():
        match = _MATCHER.match(rest)
        if match is None:
            raise ValueError(f"has a matcher that cannot be read: {text[:200]}")
        found.append(_matcher(match))
        rest = rest[match.end() :]
    return found


def _matcher(match: re.Match[str]) -> Matcher:
    operator, quoted = match["operator"], match["quoted"]
    value = match["bare"] if quoted is None else _unescaped(quoted)
    name = match["name"] or _unescaped(match["quoted_name"] or "")
    return checked(Matcher(name, value or "", operator in {"=~", "!~"}, operator in {"=", "=~"}))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def checked(matcher: Matcher) -> Matcher:
    """Return the matcher; raises ValueError when its expression is none, or too long to try."""
    if matcher.is_regex:
        try:
            label_pattern(matcher.value)
        except ValueError as error:
            raise ValueError(f"has an expression on {matcher.name} that {error}") from error
    return matcher


def concerns(matchers: Sequence[Matcher], labels: Mapping[str, str], own: Sequence[str]) -> bool:
    """Say whether a silence with these matchers is about what carries the labels.

    It is when one of them picks the value of an `own` label (the service's) and none of those on the labels given is
    broken: one on a label that the service does not fix, such as alertname, narrows it but does not change whose it is.
    """
    given = [matcher for matcher in matchers if matcher.name in labels]
    picks = any(matcher.name in own and matcher.is_equal for matcher in given)
    return picks and all(matcher.holds(labels) for matcher in given)
