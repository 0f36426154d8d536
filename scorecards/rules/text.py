"""Reads a rule written as text, `deploys.change_failure_rate_30d <= 15% and not stale`, into the same tree. Pure.

From loosest to tightest: `or`, `and`, `not`, comparisons. A fact alone means that it is true. Nothing is ever executed:
what comes out is the tree that could have been written instead.
"""

from collections.abc import Callable, Container
from typing import Any

from scorecards.rules.lexer import BadRuleText, Kind, Word, words_of
from scorecards.rules.operators import OF_MEMBERS
from scorecards.rules.phrases import (
    AGES,
    COUNTED,
    FLAGS,
    JOINTS,
    LONG_UNITS,
    MEMBERS,
    MIRRORED,
    OF_TEXTS,
    PHRASES,
    SYMBOLS,
)
from scorecards.rules.quantities import read_quantity
from scorecards.rules.related import QUANTIFIERS, RELATED

MAX_NESTING = 32
MAX_MEMBERS = 100

Tree = dict[str, Any]


def parse_rule(text: str, is_known: Callable[[str], bool], word: str = "fact") -> Tree:
    """Return the tree that a text stands for; raises BadRuleText with the place of the fault and the remedy.

    `is_known` tells a fact on the right of a comparison from a bare text such as T1; `word` is what leaves are named.
    """
    return _Parser(text, is_known, word).parse()


class _Parser:
    def __init__(self, text: str, is_known: Callable[[str], bool], word: str) -> None:
        self.text = text
        self.words = words_of(text)
        self.is_known = is_known
        self.word = word
        self.at = 0
        self.nesting = 0

    def parse(self) -> Tree:
        tree = self._any()
        if self._here.kind is not Kind.END:
            raise self._fault(f"expected `and`, `or` or the end, not `{self._here.text}`")
        return tree

    @property
    def _here(self) -> Word:
        return self.words[self.at]

    def _fault(self, message: str) -> BadRuleText:
        return BadRuleText(self.text, self._here.position, message)

    def _take(self) -> Word:
        word = self._here
        self.at += word.kind is not Kind.END
        return word

    def _accept(self, *phrases: str) -> bool:
        """Step over one of the phrases when the text goes on with it."""
        for phrase in phrases:
            parts = phrase.split()
            ahead = [word.lower for word in self.words[self.at : self.at + len(parts)]]
            if ahead == parts:
                self.at += len(parts)
                return True
        return False

    def _any(self) -> Tree:
        return self._joined("any", self._all, ("or", "||"))

    def _all(self) -> Tree:
        return self._joined("all", self._not, ("and", "&&"))

    def _joined(self, group: str, inner: Callable[[], Tree], joints: tuple[str, ...]) -> Tree:
        members = [inner()]
        while self._accept(*joints):
            members.append(inner())
        return members[0] if len(members) == 1 else {group: members}

    def _not(self) -> Tree:
        if self._accept("not", "!"):
            return self._nested(lambda: {"not": self._not()})
        if self._accept("("):
            tree = self._nested(self._any)
            if not self._accept(")"):
                raise self._fault("a bracket is not closed; add `)`")
            return tree
        return self._comparison()

    def _nested(self, inner: Callable[[], Tree]) -> Tree:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self._fault(f"nested deeper than {MAX_NESTING} levels; split the check")
        tree = inner()
        self.nesting -= 1
        return tree

    def _comparison(self) -> Tree:
        if self._here.kind not in {Kind.NAME, Kind.STRING}:
            return self._mirrored()
        if self.words[self.at + 1].text == "(" and self._here.lower in _FUNCTIONS:
            return _FUNCTIONS[self._here.lower](self)
        for phrase, word, holds in MEMBERS:
            if self._accept(phrase):
                tree = self._of_members(word)
                return tree if holds else {"not": tree}
        return self._of_related() or self._on_fact()

    def _of_related(self) -> Tree | None:
        """`every related.dependsOn where (kind is component) has (level >= L2)`; None where it is none of the kind."""
        start = self.at
        which = self._which()
        if which is None or self._here.kind is not Kind.NAME or not self._here.text.startswith(RELATED):
            self.at = start
            return None
        tree: Tree = {"related": self._take().text.removeprefix(RELATED), "which": which}
        if self._accept("where"):
            tree["where"] = self._nested(self._not)
        if self._accept("has", "have"):
            return tree | {"have": self._nested(self._not)}
        if which == "every":
            raise self._fault("expected `has` and what is asked of each: `has (level >= L2)`")
        return tree

    def _which(self) -> Any:
        """`every`, `any`, `no`, `at least 2 of`, `at least 80% of`."""
        for which, phrases in QUANTIFIERS.items():
            if self._accept(*phrases):
                return which
        if not self._accept("at least"):
            return None
        word = self._take()
        self._accept("of")
        if word.kind is Kind.THRESHOLD:
            return {"threshold": word.text[1:]}
        return int(word.text) if word.kind is Kind.NUMBER and word.text.isdigit() else word.text.replace(" ", "")

    def _on_fact(self) -> Tree:
        key = self._key()
        for phrase, operator, flag in FLAGS:
            if self._accept(phrase):
                return self._leaf(key, operator, flag)
        if self._accept("between"):
            return self._between(key)
        if self._accept("contains any of", "contains all of"):
            group = "any" if self.words[self.at - 2].lower == "any" else "all"
            return {group: [self._leaf(key, "contains", member) for member in self._list()]}
        named = self._operator()
        return self._right(key, named) if named else self._leaf(key, "equal", True)

    def _right(self, key: str, operator: str) -> Tree:
        if operator in {"equal", "notEqual"} and self._accept("null"):
            return self._leaf(key, "exists", operator == "notEqual")
        if operator in {"in", "notIn"}:
            return self._leaf(key, operator, self._list())
        if operator in {"versionAtLeast", "versionBelow"}:
            return self._leaf(key, operator, self._version())
        if operator in OF_TEXTS:
            return self._leaf(key, operator, self._member())
        value = self._value()
        if operator in AGES and self._accept("ahead", "from now"):
            ahead = self._leaf(key, "isAhead", value)
            return ahead if operator.startswith("greaterThan") else {"not": ahead}
        return self._leaf(key, operator, value)

    def _operator(self) -> str | None:
        here = self._here
        if here.kind is Kind.SYMBOL and here.text in SYMBOLS:
            return SYMBOLS[self._take().text]
        for phrase, operator in PHRASES:
            if self._accept(phrase):
                return operator
        if self._accept("is not"):
            return "notEqual"
        return "equal" if self._accept("is") else None

    def _operator_of(self, fitting: Container[str], expected: str) -> str:
        start = self.at
        operator = self._operator()
        if operator is None or operator not in fitting:
            self.at = start
            raise self._fault(expected)
        return operator

    def _mirrored(self) -> Tree:
        """`0.99 <= slo.target`: the value first."""
        value = self._value()
        operator = SYMBOLS.get(self._here.text, "")
        if not operator:
            raise self._fault(f"a comparison such as `<=` has to follow the value; name a {self.word} first")
        self._take()
        return self._leaf(self._key(), MIRRORED[operator], value)

    def _argument(self) -> str:
        """Read `age(docs.design.updated_at)`: the fact between the brackets."""
        self.at += 2
        key = self._key()
        if not self._accept(")"):
            raise self._fault("a bracket is not closed; add `)`")
        return key

    def _age(self) -> Tree:
        """`age(docs.design.updated_at) <= 365d`."""
        key = self._argument()
        operator = self._operator_of(AGES, "an age is compared with <, <=, > or >= and a duration such as 180d")
        return self._leaf(key, AGES[operator], self._value())

    def _until(self) -> Tree:
        """`until(cert.expires_at) >= 30d`: how far ahead a time lies."""
        key = self._argument()
        operator = self._operator_of(AGES, "what is left is compared with <, <=, > or >= and a duration such as 30d")
        ahead = self._leaf(key, "isAhead", self._value())
        return ahead if operator.startswith("greaterThan") else {"not": ahead}

    def _counted(self) -> Tree:
        """`count(repo.reviewers) >= 2`, `length(repo.description) <= 200`."""
        least, most = COUNTED[self._here.lower]
        key = self._argument()
        operator = self._operator_of(MIRRORED, "a count is compared with a whole number: `>= 2`")
        number = self._value()
        at_least, at_most = self._leaf(key, least, number), self._leaf(key, most, number)
        return {
            "greaterThanInclusive": at_least,
            "lessThanInclusive": at_most,
            "greaterThan": {"not": at_most},
            "lessThan": {"not": at_least},
            "equal": {"all": [at_least, at_most]},
            "notEqual": {"not": {"all": [at_least, at_most]}},
        }[operator]

    def _of_members(self, word: str) -> Tree:
        """`every member of runtime.images starts with 'registry.example/'`."""
        key = self._key()
        asked_of = "of members one asks `is`, `in`, `contains`, `starts with`, `matches` and the like"
        named = self._operator_of(OF_MEMBERS | {"equal", "notEqual"}, asked_of)
        if named in {"equal", "notEqual"}:
            return self._leaf(key, f"{word}:{'in' if named == 'equal' else 'notIn'}", [self._member()])
        asked = self._right(key, named)
        return {**asked, "operator": f"{word}:{named}"}

    def _between(self, key: str) -> Tree:
        low = self._value()
        if not self._accept("and"):
            raise self._fault("`between` takes two values: `between 1 and 5`")
        high = self._value()
        return {"all": [self._leaf(key, "greaterThanInclusive", low), self._leaf(key, "lessThanInclusive", high)]}

    def _key(self) -> str:
        word = self._take()
        if word.kind is not Kind.NAME or word.lower in JOINTS:
            self.at -= word.kind is not Kind.END
            found = f"`{word.text}`" if word.text else "the end"
            raise self._fault(f"expected the name of a {self.word}, not {found}")
        return word.text

    def _list(self) -> Any:
        if self._here.kind is Kind.THRESHOLD or (self._here.kind is Kind.NAME and self.is_known(self._here.text)):
            return self._value()
        closing = ")" if self._here.text == "(" else "]"
        if not self._accept("[", "("):
            raise self._fault("expected a list: [T0, T1]")
        members = [self._member()]
        while self._accept(","):
            members.append(self._member())
        if len(members) > MAX_MEMBERS:
            raise self._fault(f"the list has more than {MAX_MEMBERS} members")
        if not self._accept(closing):
            raise self._fault(f"the list is not closed; add `{closing}`")
        return members

    def _member(self) -> Any:
        """In a list a bare word is a text, whatever facts there are, unless `value of` goes before it."""
        if self._accept("value of", "the value of"):
            return {self.word: self._key()}
        if self._here.kind is Kind.NAME and self._here.lower not in {"true", "false"}:
            return self._take().text
        return self._value()

    def _value(self) -> Any:
        if self._here.text in {"[", "("}:
            return self._list()
        word = self._take()
        reader = _READERS.get(word.kind)
        if reader:
            if word.text.endswith("%") and word.kind is Kind.QUANTITY and self._accept("of"):
                return self._more({self.word: self._key(), "times": read_quantity("ratio", word.text)})
            return self._more(self._multiple(reader(word.text)))
        if word.kind is Kind.NAME and word.lower not in JOINTS:
            return self._multiplied(self._named(word))
        self.at -= word.kind is not Kind.END
        raise self._fault(f"expected a value, not {f'`{word.text}`' if word.text else 'the end'}")

    def _version(self) -> Any:
        if self._here.kind is Kind.NAME and self.is_known(self._here.text):
            return {self.word: self._take().text}
        if self._here.kind in {Kind.NUMBER, Kind.STRING, Kind.NAME, Kind.VERSION}:
            word = self._take()
            return word.text[1:-1] if word.kind is Kind.STRING else word.text
        raise self._fault("expected a version: 2.3.0")

    def _multiple(self, factor: Any) -> Any:
        """`1.5 * traffic.peak_rps_30d`: a multiple of another fact."""
        if not self._accept("*"):
            return factor
        return {self.word: self._key(), "times": factor}

    def _multiplied(self, value: Any) -> Any:
        """`traffic.peak_rps_30d * 1.5`."""
        if isinstance(value, dict) and self._accept("*"):
            value = {**value, "times": self._plain("a fact is multiplied by a number, or by a threshold")}
        return self._more(value)

    def _more(self, value: Any) -> Any:
        """`incident.opened_at + 14d`: another fact and something more, or less."""
        sign = self._here.text
        if not (isinstance(value, dict) and self.word in value and self._accept("+", "-")):
            return value
        more = self._plain("to a fact a number or a duration is added")
        if sign == "-" and isinstance(more, dict):
            raise self._fault("a threshold is added, never taken away; write it with its sign")
        return {**value, "plus": more if sign == "+" else f"-{more}" if isinstance(more, str) else -more}

    def _plain(self, expected: str) -> Any:
        reader = _READERS.get(self._here.kind)
        if reader is None:
            raise self._fault(expected)
        return reader(self._take().text)

    def _named(self, word: Word) -> Any:
        if word.lower in {"true", "false"}:
            return word.lower == "true"
        if self.is_known(word.text):
            return {self.word: word.text}
        if "." in word.text:
            message = f"`{word.text}` is not a {self.word} that anything declares; quote it if it is a text"
            raise BadRuleText(self.text, word.position, message)
        return word.text

    def _leaf(self, key: str, operator: str, value: Any) -> Tree:
        return {self.word: key, "operator": operator, "value": value}


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _quantity(text: str) -> str:
    """Write a duration in the short form: `180 days` is `180d`."""
    head = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%").strip()
    unit = text[len(text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%")) :]
    return f"{head}{LONG_UNITS.get(unit, unit)}"


def _date(text: str) -> str:
    return text if "T" in text else f"{text}T00:00:00Z"


_READERS: dict[Kind, Callable[[str], Any]] = {
    Kind.STRING: lambda text: text[1:-1],
    Kind.THRESHOLD: lambda text: {"threshold": text[1:]},
    Kind.DATE: _date,
    Kind.QUANTITY: _quantity,
    Kind.NUMBER: _number,
}
_FUNCTIONS: dict[str, Callable[[_Parser], Tree]] = {
    "age": _Parser._age,
    "until": _Parser._until,
    "count": _Parser._counted,
    "length": _Parser._counted,
}
