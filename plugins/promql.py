"""Which metrics a PromQL expression reads.

Connectors may import this module beside the contract and the HTTP client: the names it finds are compared between
sources (is every metric of an SLO on a dashboard?), so that all of them must read an expression in the same way.
Expressions come with the template variables of Grafana (`$x`, `${x:fmt}`, `[[x]]`) and of Sloth and OpenSLO
(`{{.window}}`). They are parsed once the variables are out of the way. What the parser does not know (MetricsQL, a
function newer than it) is read word by word instead.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

import promql_parser

MAX_CHARACTERS = 10_000
MAX_NESTING = 400
"""The parser recurses on the machine's stack, one level per operator: a generated giant would end the process."""
MAX_EXPANSIONS = 100
"""Names made out of one name and the values of its variables."""

_NO_VARIABLES: Mapping[str, Sequence[str]] = {}

_VARIABLE = re.compile(
    r"\$\{(?P<braced>\w++)[^{}]*+\}|\$(?P<plain>\w++)|\[\[(?P<legacy>\w++)[^\[\]]*+\]\]"
    r"|\{\{-?\s*+(?P<go>[\w.]*+)[^{}]*+\}\}"
)
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)' + r"|'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|`[^`]*+(?:`|\Z)"
"""An unclosed one goes to the end."""
_COMMENT = re.compile(rf"({_STRING})|#[^\n]*", re.DOTALL)
_RANGE = re.compile(rf"({_STRING})|\[((?:[^\[\]\"]|\[\[\w++[^\[\]]*+\]\])*+)\]", re.DOTALL)
_OFFSET = re.compile(r"\b(offset\s+-?)" + f"(?:{_VARIABLE.pattern})", re.IGNORECASE)
_MARKER = re.compile(r"__v(\d+)__")
_STRUCTURE = re.compile(r"[-+*/%^(<>=]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_LITERAL_ALTERNATION = re.compile(r"[a-zA-Z_:][\w:]*(?:\|[a-zA-Z_:][\w:]*)*")
_GROUPS = re.compile(r"\((?:\?:)?([\w:]+(?:\|[\w:]+)*)\)")
"""`(reads|writes)` within a name."""

_LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE)
_SELECTOR = re.compile(r"\{[^{}]*\}")
_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"(?<![\w.:])([a-zA-Z_:][\w:]*)(?!\w|:|\s*\()")
_KEYWORDS = frozenset(
    {
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "bool",
        "inf",
        "nan",
        "start",
        "end",
        "atan2",
        "limit",
        "with",
        "default",
        "if",
        "ifnot",
        "keep_metric_names",
    }
)


@dataclass(frozen=True)
class Selector:
    """One series selector of an expression."""

    metric: str
    equals: Mapping[str, str] = field(default_factory=dict)
    """Labels that are matched by equality."""


@dataclass(frozen=True)
class Query:
    """What an expression reads."""

    selectors: tuple[Selector, ...]
    parsed: bool
    """False when the expression is no PromQL that we know and was read word by word, without labels."""

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the metrics."""
        return frozenset(selector.metric for selector in self.selectors)


def read(expression: str, variables: Mapping[str, Sequence[str]] = _NO_VARIABLES) -> Query:
    """Find the series that an expression reads; `variables` holds the values a template variable can take.

    A metric name that contains a variable stands for one name per value; without a value it stands for none.
    Never raises: an expression that cannot be parsed is read word by word.
    """
    names: list[str] = []

    def marked(variable: str) -> str:
        names.append(variable)
        return f"__v{len(names) - 1}__"

    def valued(variable: str) -> str:
        return next(iter(variables.get(variable, ())), "1")

    text = _COMMENT.sub(lambda match: match[1] or "", expression[:MAX_CHARACTERS])
    marked_text = _substitute(text, marked)
    for candidate in (marked_text, _substitute(text, valued)):
        found = _parse(candidate)
        if found is not None:
            return Query(tuple(_expand(found, names, variables)), parsed=True)
    words = (Selector(word) for word in _words(marked_text))
    return Query(tuple(_expand(words, names, variables)), parsed=False)


def _substitute(text: str, replacement: Callable[[str], str]) -> str:
    """Take the variables out: a duration where one is due, 1 for Grafana's own numbers, else the replacement."""

    def in_range(match: re.Match[str]) -> str:
        return match[1] or f"[{_VARIABLE.sub('5m', match[2])}]"

    def anywhere(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"] or match["legacy"] or match["go"].lstrip(".")
        return "1" if name.startswith("__") else replacement(name)

    text = _RANGE.sub(in_range, text)
    text = _OFFSET.sub(r"\g<1>5m", text)
    return _VARIABLE.sub(anywhere, text)


def _parse(text: str) -> list[Selector] | None:
    """Return the selectors of an expression, or None when it is no PromQL, or too nested to be tried."""
    if len(text) >= MAX_CHARACTERS or len(_STRUCTURE.findall(text)) > MAX_NESTING:
        return None
    try:
        tree = promql_parser.parse(text)
    except ValueError:
        return None
    return [selector for node in _vector_selectors(tree) for selector in _selectors(node)]


def _vector_selectors(tree: Any) -> Iterable[promql_parser.VectorSelector]:
    """Yield the vector selectors of a tree from left to right. The parser's own walk copies each subtree it visits."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield node
            continue
        children = [getattr(node, name, None) for name in ("lhs", "rhs", "param", "expr", "vector_selector")]
        children += getattr(node, "args", None) or ()
        waiting += reversed([child for child in children if child is not None])


def _selectors(node: promql_parser.VectorSelector) -> Iterable[Selector]:
    """Return a vector selector under each name it may have: `{__name__=~"a|b"}` is two."""
    matchers = list(node.matchers.matchers)
    equals = {m.name: m.value for m in matchers if m.op == promql_parser.MatchOp.Equal and m.name != "__name__"}
    names = [node.name] if node.name else []
    for matcher in matchers:
        if matcher.name != "__name__":
            continue
        if matcher.op == promql_parser.MatchOp.Equal:
            names.append(matcher.value)
        elif matcher.op == promql_parser.MatchOp.Re:
            names.extend(_named_by(matcher.value))
    return [Selector(name, equals) for name in names]


def _named_by(pattern: str) -> list[str]:
    """Return the names that a regular expression lists: `a|b`, `disk_(reads|writes)_total`; none where it does not."""
    if _LITERAL_ALTERNATION.fullmatch(pattern):
        return pattern.split("|")
    parts = _GROUPS.split(pattern)  # literals, and between them what stands in brackets
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    names = ("".join(chosen) for chosen in islice(product(*choices), MAX_EXPANSIONS))
    return [name for name in names if _NAME.fullmatch(name)] if len(parts) > 1 else []


def _expand(
    selectors: Iterable[Selector], names: Sequence[str], variables: Mapping[str, Sequence[str]]
) -> Iterable[Selector]:
    """Replace the markers in metric names by every value of their variables; drop what has no value."""
    for selector in selectors:
        marks = list(dict.fromkeys(int(mark) for mark in _MARKER.findall(selector.metric)))
        choices = product(*(variables.get(names[mark], ()) for mark in marks))
        for values in islice(choices, MAX_EXPANSIONS):
            value_of = dict(zip(marks, values, strict=True))
            name = _MARKER.sub(lambda match, known=value_of: known[int(match[1])], selector.metric)  # type: ignore[misc]
            yield from _named(name, selector) if marks else [selector]


def _named(name: str, selector: Selector) -> Iterable[Selector]:
    """Return what a selector is whose name came out of a variable: that may hold a whole expression."""
    inner = None if _NAME.fullmatch(name) else _parse(name)
    return [Selector(name, selector.equals)] if inner is None else inner


def _words(text: str) -> list[str]:
    """Return the words of an expression that can only be metric names."""
    text = re.sub(_STRING, "", text)
    for noise in (_SELECTOR, _BRACKETS, _LABEL_LISTS):
        text = noise.sub(" ", text)
    return [word for word in _WORD.findall(text) if word.lower() not in _KEYWORDS]
