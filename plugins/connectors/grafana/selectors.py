"""The expressions of `grafana/dashboard-selector`, as Backstage's Grafana plugin understands them.

`tags @> 'checkout' && (title == 'Overview' || folderTitle != 'Old')`, with `!` and parentheses; a bare word is a tag.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_CHARACTERS = 1000
MAX_NESTING = 50
TEXT_FIELDS = ("title", "url", "folderTitle", "folderUrl")

_BARE_WORD = re.compile(r"[\w-]+")
_TOKEN = re.compile(r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||==|!=|@>|[!()]))")


@dataclass(frozen=True)
class Dashboard:
    """What the search says of a dashboard."""

    uid: str
    title: str = ""
    url: str = ""
    folder_title: str = ""
    folder_url: str = ""
    tags: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """Return a field by its name in selectors."""
        fields = {
            "title": self.title,
            "url": self.url,
            "folderTitle": self.folder_title,
            "folderUrl": self.folder_url,
        }
        return fields[name]


@dataclass(frozen=True)
class Selector:
    """A parsed expression."""

    matches: Callable[[Dashboard], bool]
    any_tag: frozenset[str] | None = None
    """Only dashboards with one of these tags can match; None where tags do not narrow the choice."""


def dashboard_of(hit: Mapping[str, Any]) -> Dashboard:
    """Read one hit of the search."""
    tags = hit.get("tags")
    return Dashboard(
        uid=str(hit["uid"]),
        title=str(hit.get("title") or ""),
        url=str(hit.get("url") or ""),
        folder_title=str(hit.get("folderTitle") or ""),
        folder_url=str(hit.get("folderUrl") or ""),
        tags=frozenset(str(tag) for tag in tags) if isinstance(tags, list) else frozenset(),
    )


def parse(expression: str) -> Selector:
    """Read an expression; raises ValueError that says where it is wrong and what would be right."""
    expression = expression.strip()
    if len(expression) > MAX_CHARACTERS:
        raise ValueError(f"is longer than {MAX_CHARACTERS} characters")
    if _BARE_WORD.fullmatch(expression):
        return _has_tag(expression)
    parser = _Parser(_tokens(expression))
    selector = parser.either()
    parser.end()
    return selector


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    at: int


def _tokens(expression: str) -> list[_Token]:
    tokens, at = [], 0
    while expression[at:].strip():
        match = _TOKEN.match(expression, at)
        if match is None:
            shown = expression[at:].strip()[:20]
            raise ValueError(
                f"cannot be read from {shown!r} on; a tag with such signs is written tags @> 'the-tag'; operators are "
                "@> == != && || !"
            )
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


@dataclass
class _Parser:
    """Reads tokens from left to right: `||` binds least, then `&&`, then `!`."""

    tokens: list[_Token]
    position: int = 0
    depth: int = 0

    def either(self) -> Selector:
        left = self.both()
        while self._take("||"):
            left = _or(left, self.both())
        return left

    def both(self) -> Selector:
        left = self.single()
        while self._take("&&"):
            left = _and(left, self.single())
        return left

    def single(self) -> Selector:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ValueError(f"is nested more than {MAX_NESTING} levels deep")
        selector = self._single()
        self.depth -= 1
        return selector

    def _single(self) -> Selector:
        if self._take("!"):
            return _not(self.single())
        if self._take("("):
            inner = self.either()
            if not self._take(")"):
                raise self._wrong("a closing parenthesis")
            return inner
        return self._comparison()

    def end(self) -> None:
        if self.position < len(self.tokens):
            raise self._wrong("&& or || between two conditions")

    def _comparison(self) -> Selector:
        left, operator, right = self._next("a condition"), self._next("@>, == or !="), self._next("a quoted text")
        if left.kind == "text" and right.kind == "name" and operator.value in {"==", "!="}:
            left, right = right, left
        if left.kind != "name" or right.kind != "text":
            self.position -= 3 if left.kind != "name" else 1
            raise self._wrong("a field" if left.kind != "name" else "a quoted text")
        return _compare(left.value, operator.value, right.value[1:-1])

    def _take(self, sign: str) -> bool:
        token = self.tokens[self.position] if self.position < len(self.tokens) else None
        if token is None or token.kind != "sign" or token.value != sign:
            return False
        self.position += 1
        return True

    def _next(self, wanted: str) -> _Token:
        if self.position >= len(self.tokens):
            raise self._wrong(wanted)
        self.position += 1
        return self.tokens[self.position - 1]

    def _wrong(self, wanted: str) -> ValueError:
        if self.position >= len(self.tokens):
            return ValueError(f"ends where {wanted} should stand")
        token = self.tokens[self.position]
        return ValueError(f"has {token.value!r} at character {token.at + 1} where {wanted} should stand")


def _compare(name: str, operator: str, text: str) -> Selector:
    if name == "tags":
        if operator != "@>":
            raise ValueError(f"compares tags by {operator}; tags are searched by tags @> '{text}'")
        return _has_tag(text)
    if name not in TEXT_FIELDS:
        raise ValueError(f"names {name!r}; the fields are tags, {', '.join(TEXT_FIELDS)}")
    if operator not in {"==", "!="}:
        raise ValueError(f"compares {name} by {operator}; only tags have @>, texts have == and !=")
    if name in {"url", "folderUrl"}:
        text = urlsplit(text).path or text
    if operator == "!=":
        return Selector(lambda dashboard: dashboard.text(name) != text)
    return Selector(lambda dashboard: dashboard.text(name) == text)


def _has_tag(tag: str) -> Selector:
    return Selector(lambda dashboard: tag in dashboard.tags, frozenset({tag}))


def _and(left: Selector, right: Selector) -> Selector:
    narrowing = left.any_tag if left.any_tag is not None else right.any_tag
    return Selector(lambda dashboard: left.matches(dashboard) and right.matches(dashboard), narrowing)


def _or(left: Selector, right: Selector) -> Selector:
    narrowing = None if left.any_tag is None or right.any_tag is None else left.any_tag | right.any_tag
    return Selector(lambda dashboard: left.matches(dashboard) or right.matches(dashboard), narrowing)


def _not(inner: Selector) -> Selector:
    return Selector(lambda dashboard: not inner.matches(dashboard))
