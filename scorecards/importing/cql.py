"""Translates the expressions of Cortex' query language (CQL) into rules of ours, as far as both can say the same. Pure.

What an expression reads (`git.codeCoverage()`, `custom("lineCount")`) becomes a fact of ours, compared by the operators
that we have. An expression that says more raises Untranslatable: its answer can still be supplied as a fact.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from scorecards.importing.drafts import key_part, snake

WORDS = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)|"
    r"(?P<sign><=|>=|==|!=|&&|\|\||=~|[<>=!().,\[\]]))"
)
COMPARED = {
    "==": "equal",
    "=": "equal",
    "!=": "notEqual",
    "<": "lessThan",
    "<=": "lessThanInclusive",
    ">": "greaterThan",
    ">=": "greaterThanInclusive",
}
COUNTS: dict[str, Callable[[str, int], Any]] = {
    "greaterThanInclusive": lambda key, count: leaf(key, "hasAtLeast", count),
    "greaterThan": lambda key, count: leaf(key, "hasAtLeast", count + 1),
    "lessThanInclusive": lambda key, count: leaf(key, "hasAtMost", count),
    "lessThan": lambda key, count: {"not": leaf(key, "hasAtLeast", count)},
    "equal": lambda key, count: {"all": [leaf(key, "hasAtLeast", count), leaf(key, "hasAtMost", count)]},
    "notEqual": lambda key, count: {"not": {"all": [leaf(key, "hasAtLeast", count), leaf(key, "hasAtMost", count)]}},
}
TESTS = {"contains": "contains", "startswith": "startsWith", "endswith": "endsWith", "matches": "matchesRegex"}
ENTITY = {
    "entity.tag": "entity.metadata.name",
    "entity.name": "entity.metadata.title",
    "entity.description": "entity.metadata.description",
    "entity.type": "entity.spec.type",
}
OURS = {
    "slos": ("slo.count", "integer"),
    "oncall.num_of_escalations": ("oncall.escalation.levels", "integer"),
}
"""What is one of our own facts by another name."""
AGES = {"freshness", "from_now"}
PERIOD = re.compile(r"(-?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?)?$")
MAX_DEPTH = 16


class Untranslatable(ValueError):
    """An expression that says more than our rules can; the message names what."""


def leaf(key: str, operator: str, value: Any) -> dict[str, Any]:
    """Return one condition."""
    return {"fact": key, "operator": operator, "value": value}


@dataclass
class Term:
    """What stands in a comparison: a fact, and how it is looked at."""

    key: str
    kind: str = ""
    """The type of the fact, where it is known."""
    counted: bool = False
    aged: bool = False
    negated: bool = False


@dataclass
class Translated:
    """A rule, and the facts that it needs."""

    tree: dict[str, Any]
    facts: dict[str, str] = field(default_factory=dict)
    """Their types by key."""


def translate(expression: str) -> Translated:
    """Return the rule that an expression stands for; raises Untranslatable."""
    parser = _Parser(expression)
    tree = parser.either()
    if parser.here:
        parser.fault(f"`{parser.here[1]}` is not expected here")
    return Translated(tree, parser.facts)


class _Parser:
    def __init__(self, expression: str) -> None:
        self.words: list[tuple[str, str]] = []
        self.facts: dict[str, str] = {}
        self.at = self.depth = 0
        position, text = 0, expression.strip()
        while position < len(text):
            found = WORDS.match(text, position)
            if found is None:
                self.fault(f"`{text[position : position + 20]}` is not understood")
            self.words.append((found.lastgroup or "", found[0].strip()))
            position = found.end()

    def fault(self, message: str) -> NoReturn:
        raise Untranslatable(message)

    @property
    def here(self) -> tuple[str, str] | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def accept(self, *words: str) -> bool:
        found = self.here
        if found and found[0] != "text" and found[1].lower() in words:
            self.at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            self.fault(f"`{sign}` is missing")

    def either(self) -> dict[str, Any]:
        return self._joined("any", self._both, ("or", "||"))

    def _both(self) -> dict[str, Any]:
        return self._joined("all", self._not, ("and", "&&"))

    def _joined(self, group: str, inner: Callable[[], dict[str, Any]], joints: tuple[str, ...]) -> dict[str, Any]:
        members = [inner()]
        while self.accept(*joints):
            members.append(inner())
        return members[0] if len(members) == 1 else {group: members}

    def _not(self) -> dict[str, Any]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fault("it is nested too deep")
        if self.accept("!", "not"):
            tree: dict[str, Any] = {"not": self._not()}
        elif self.accept("("):
            tree = self.either()
            self.expect(")")
        else:
            tree = self._comparison()
        self.depth -= 1
        return tree

    def _comparison(self) -> dict[str, Any]:
        term = self._chain()
        if isinstance(term, dict):  # a test such as `.matches("…")` is whole by itself
            return term
        found = self.here
        if found and found[1] in COMPARED:
            self.at += 1
            return self._compared(term, COMPARED[found[1]])
        if term.counted or term.aged:
            self.fault("a count or an age has to be compared with something")
        self._declare(term.key, term.kind or "boolean")
        return leaf(term.key, "equal", not term.negated)

    def _compared(self, term: Term, operator: str) -> dict[str, Any]:
        if self.accept("null"):
            present = leaf(self._present(term), "equal", True) if not term.key.startswith("entity.") else None
            present = present or leaf(term.key, "exists", True)
            return present if operator == "notEqual" else {"not": present}
        value = self._value()
        if term.aged:
            return self._aged(term, operator, value)
        if term.counted:
            return self._counted(term, operator, value)
        if isinstance(value, Term):
            self._declare(term.key, "number")
            self._declare(value.key, "number")
            return leaf(term.key, operator, {"fact": value.key})
        self._declare(term.key, term.kind or _kind_of(value))
        return leaf(term.key, operator, value)

    def _present(self, term: Term) -> str:
        key = f"{term.key}.present"
        self._declare(key, "boolean")
        return key

    def _aged(self, term: Term, operator: str, value: Any) -> dict[str, Any]:
        """Younger or older than a period; `fromNow() > duration("P-1M")` means younger, since it counts backwards."""
        period = _period(value)
        if period is None or operator in {"equal", "notEqual"}:
            self.fault("an age is compared with a duration, by less or greater")
        days, backwards = period
        younger = operator.startswith("lessThan") is not backwards
        self._declare(term.key, "datetime")
        return leaf(term.key, "youngerThan" if younger else "olderThan", days)

    def _counted(self, term: Term, operator: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, int) or isinstance(value, bool):
            self.fault("a count is compared with a whole number")
        if term.kind == "integer":
            self._declare(term.key, "integer")
            return leaf(term.key, operator, value)
        if term.key.startswith("entity.metadata."):
            lengths = {"greaterThanInclusive": ("lengthAtLeast", value), "greaterThan": ("lengthAtLeast", value + 1)}
            lengths |= {"lessThanInclusive": ("lengthAtMost", value), "lessThan": ("lengthAtMost", value - 1)}
            if operator in lengths:
                return leaf(term.key, *lengths[operator])
        self._declare(term.key, "set")
        tree: dict[str, Any] = COUNTS[operator](term.key, value)
        return tree

    def _declare(self, key: str, kind: str) -> None:
        if not key.startswith("entity."):
            self.facts.setdefault(key, kind)

    def _value(self) -> Any:
        found = self.here
        if found is None:
            self.fault("a value is missing")
        if found[0] == "text":
            self.at += 1
            return _unquoted(found[1])
        if found[0] == "number":
            self.at += 1
            return float(found[1]) if "." in found[1] else int(found[1])
        if self.accept("true", "false"):
            return found[1].lower() == "true"
        if self.accept("duration"):
            self.expect("(")
            period = self._value()
            self.expect(")")
            return ("period", period)
        term = self._chain()
        if isinstance(term, dict) or term.counted or term.aged:
            self.fault("only a value, or something that is read, may stand on the right")
        return term

    def _chain(self) -> Term | dict[str, Any]:
        """Read `a.b("x").length`: what is read, and how."""
        if self.accept("jq"):
            return self._jq()
        term, name = Term(""), self._name()
        arguments = self._arguments()
        term.key = self._key(name, arguments)
        while self.accept("."):
            name = self._name()
            if name.lower() in {"length", "count", "size"}:
                self._arguments()
                term.counted = True
            elif name.lower() in TESTS:
                return self._tested(term, TESTS[name.lower()])
            elif snake(name) in AGES:
                self._arguments()
                term.aged = True
            else:
                term.key = self._key(f"{term.key}.{name}", self._arguments())
        return self._known(term)

    def _known(self, term: Term) -> Term:
        term.key = ENTITY.get(term.key, term.key)
        if term.key in OURS:
            term.key, term.kind = OURS[term.key]
        elif "." not in term.key:
            term.key = f"cortex.{term.key}"
        elif term.key.startswith("entity.") and term.key not in ENTITY.values():
            term.key = f"cortex.{term.key.removeprefix('entity.')}"
        return term

    def _name(self) -> str:
        found = self.here
        if found is None or found[0] != "name":
            self.fault(f"a name was expected{f', not `{found[1]}`' if found else ''}")
        self.at += 1
        return found[1]

    def _arguments(self) -> list[str] | None:
        """Read the texts in brackets; None where there are no brackets."""
        if not self.accept("("):
            return None
        given: list[str] = []
        open_brackets = 1
        while open_brackets:
            found = self.here
            is_call = self.words[self.at - 1][0] == "name"
            if found is None or (found[1] == "(" and not is_call):
                self.fault("what is called here takes more than texts and numbers")
            self.at += 1
            open_brackets += {"(": 1, ")": -1}.get(found[1], 0) if found[0] == "sign" else 0
            if found[0] in {"text", "number"}:
                given.append(_unquoted(found[1]) if found[0] == "text" else found[1])
        return given

    def _key(self, name: str, arguments: list[str] | None) -> str:
        if name == "custom" and arguments:
            return ".".join(["custom", *map(key_part, arguments)])
        parts = [".".join(part if part == "custom" else snake(part) for part in name.split("."))]
        return ".".join([*parts, *map(key_part, arguments or ())])

    def _tested(self, term: Term, operator: str) -> dict[str, Any]:
        given = self._arguments()
        if not given or len(given) != 1:
            self.fault("a test takes one text")
        self._known(term)
        # Cortex' `matches` is of the whole text.
        value = f"^(?:{given[0]})$" if operator == "matchesRegex" else given[0]
        self._declare(term.key, "string")
        return leaf(term.key, operator, value)

    def _jq(self) -> Term:
        """`jq(custom("x"), "not")`: what plain programs do is said by us; others would have to be run."""
        self.expect("(")
        term = self._chain()
        self.expect(",")
        program = self._value()
        self.expect(")")
        if isinstance(term, dict) or not isinstance(program, str):
            self.fault("jq takes what is read, and a program")
        plain = re.sub(r"\s+", "", program)
        if plain in {".|tonumber", "tonumber", "."}:
            term.kind = "number" if "tonumber" in plain else ""
        elif plain in {"not", ".|not", ".==false"}:
            term.negated, term.kind = True, "boolean"
        elif plain in {".==true", '.|tostring=="true"'}:
            term.kind = "boolean"
        elif plain in {"length", ".|length"}:
            term.counted = True
        elif re.fullmatch(r"(\.[A-Za-z_]\w*)+", plain):
            term.key += plain
        else:
            self.fault(f"the jq program `{program}` would have to be run")
        return term


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"


def _period(value: Any) -> tuple[str, bool] | None:
    """Return `P-1M` as 30 days backwards; None for what is no period."""
    if not (isinstance(value, tuple) and isinstance(value[1], str)):
        return None
    found = PERIOD.match(value[1])
    if found is None:
        return None
    years, months, weeks, days, hours, _ = (abs(int(part)) if part else 0 for part in found.groups()[1:])
    whole = 365 * years + 30 * months + 7 * weeks + days
    text = f"{whole}d" if whole else f"{hours}h"
    return (text, "-" in value[1]) if whole or hours else None
