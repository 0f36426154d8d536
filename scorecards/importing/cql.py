"""Translates the expressions of Cortex' query language (CQL) into rules of ours, as far as both can say the same. Pure.

What an expression reads (`git.codeCoverage()`, `custom("lineCount")`) becomes a fact of ours, compared by the operators
that we have. An expression that says more raises Untranslatable: its answer can still be supplied as a fact.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from scorecards.importing.cql_conditions import (
    Facts,
    Term,
    Untranslatable,
    compared,
    counted_as,
    declare,
    flagged,
    known,
    of_members,
    of_related,
    one_of,
    present,
)
from scorecards.importing.cql_files import Files
from scorecards.importing.cql_words import (
    AGES,
    AGGREGATES,
    COMPARED,
    COUNTING,
    MAX_DEPTH,
    MEMBERS,
    NAMES,
    NEGATED_TESTS,
    OURS,
    RELATIONS,
    SET_OF_ENTITY,
    TESTS,
    WORDS,
    leaf,
    literal,
    tested,
    unquoted,
    within,
)
from scorecards.importing.drafts import key_part, snake


@dataclass
class Translated:
    """A rule, and the facts that it needs."""

    tree: dict[str, Any]
    facts: Facts
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that a source has to read out of files, as entries of its option `files`."""


def translate(expression: str) -> Translated:
    """Return the rule that an expression stands for; raises Untranslatable."""
    parser = _Parser(expression)
    tree = parser.either()
    if parser.here:
        parser.fault(f"`{parser.here[1]}` is not expected here")
    return Translated(tree, parser.facts, parser.files.entries)


class _Parser:
    def __init__(self, expression: str) -> None:
        self.words: list[tuple[str, str]] = []
        self.facts: Facts = {}
        self.files = Files(self.facts)
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
        if term.file and not self._is_null_next():
            self.fault("the content of a file is asked whether it holds or fits something")
        self._shift(term)
        if self.accept("in"):
            return one_of(term, self._list(), self.facts)
        found = self.here
        if found and found[0] == "sign" and found[1] in COMPARED:
            self.at += 1
            operator = COMPARED[found[1]]
            if self.accept("null"):
                if term.file:
                    return self.files.there(term.file, is_wanted=operator == "notEqual")
                return present(term, operator == "notEqual", self.facts)
            return compared(term, operator, self._value(), self.facts)
        if term.counted or term.aged or term.asked or term.shift:
            self.fault("a count, an age or a number has to be compared with something")
        declare(self.facts, term.key, term.kind or "boolean")
        return leaf(term.key, "equal", not term.negated)

    def _is_null_next(self) -> bool:
        ahead = [word.lower() for _, word in self.words[self.at : self.at + 2]]
        return len(ahead) == 2 and ahead[0] in COMPARED and ahead[1] == "null"

    def _value(self) -> Any:
        found = self.here
        if found is None:
            self.fault("a value is missing")
        if found[0] in {"text", "number"}:
            self.at += 1
            return literal(*found)
        if self.accept("true", "false"):
            return found[1].lower() == "true"
        if self.accept("duration"):
            self.expect("(")
            period = self._value()
            self.expect(")")
            return ("period", period)
        return self._shifted()

    def _shifted(self) -> Term:
        """Something that is read, perhaps multiplied, perhaps with something added."""
        term = self._chain()
        if isinstance(term, dict) or term.counted or term.aged or term.asked:
            self.fault("only a value, or something that is read, may stand on the right")
        self._shift(term)
        return term

    def _shift(self, term: Term) -> None:
        for sign, word in (("*", "times"), ("+", "plus")):
            if self.accept(sign):
                number = self._value()
                if isinstance(number, bool) or not isinstance(number, int | float):
                    self.fault("something that is read is multiplied by a number, or a number is added")
                term.shift[word] = number

    def _list(self) -> list[Any]:
        """Read `["a", "b"]`."""
        self.expect("[")
        values = []
        while not self.accept("]"):
            values.append(self._value())
            self.accept(",")
        return values

    def _chain(self) -> Term | dict[str, Any]:
        """Read `a.b("x").length`: what is read, and how."""
        if self.accept("jq"):
            return self._jq()
        if self.accept("hasgroup"):
            return leaf("entity.metadata.tags", "hasValue", (self._arguments() or [""])[0])
        term, name = Term(""), self._name()
        term.key = self._key(name, self._arguments())
        while self.accept("."):
            asked = self._step(term, self._name())
            if asked is not None:
                return asked
        return known(term)

    def _step(self, term: Term, name: str) -> dict[str, Any] | None:
        """Go on by `.name(…)`; a test such as `.matches("…")` is a condition, and ends it."""
        word = name.lower()
        if term.key == "git" and word in {"fileexists", "filecontents"}:
            return self._of_file(term, word)
        if word in TESTS:
            return self._tested(term, word)
        if word in {*MEMBERS, "map"} and self._is_lambda():
            asked = self._of_members(term, word)
            if word != "filter":
                return asked
            term.asked, term.each = asked, counted_as(asked or {})
            return None
        term.counted = term.counted or word in COUNTING
        term.aged = term.aged or snake(name) in AGES
        if word in AGGREGATES:
            term.key, term.kind = f"{known(term).key}.{word}", "number"
        given = self._arguments()
        is_looked_at = word in COUNTING | AGGREGATES or snake(name) in AGES
        term.key = within(term.key, given) if is_looked_at else self._key(f"{term.key}.{name}", given)
        return None

    def _of_file(self, term: Term, word: str) -> dict[str, Any] | None:
        """Read `git.fileExists("…")`, which is a condition, or `git.fileContents("…")`, of which something is asked."""
        path = self._one_text("a file is asked for by its path")
        if word == "fileexists":
            return self._answered(self.files.there(path, is_wanted=True))
        term.file = path
        return None

    def _answered(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return a condition that may be compared with true or false."""
        found = self.here
        if found and found[1] in NEGATED_TESTS and self.words[self.at + 1 : self.at + 2]:
            value = self.words[self.at + 1][1].lower()
            if value in {"true", "false"}:
                self.at += 2
                return tree if (value == "true") is (found[1] != "!=") else {"not": tree}
        return tree

    def _is_lambda(self) -> bool:
        ahead = [word for _, word in self.words[self.at : self.at + 5]]
        return "=>" in ahead or (len(ahead) > 3 and ahead[2] == "," and ahead[1] == ahead[3])

    def _lambda(self) -> None:
        """Read `(group) => group`, or `group, group` as in `links.exists(link, link.type == "runbook")`."""
        self.expect("(")
        bracketed = self.accept("(")
        member = self._name()
        if bracketed:
            self.expect(")")
        if not self.accept("=>"):
            self.expect(",")
        if self._name() != member:
            self.fault("what is asked of the members has to be asked of one text of theirs")

    def _of_members(self, term: Term, word: str) -> dict[str, Any] | None:
        """Read `((group) => group.name.matchesIn("tier-"))`: a test of a text of every member; None for `map`."""
        self._lambda()
        key = f"cortex.{term.key}" if term.key in OURS else known(term).key  # ours are numbers
        while self.accept("."):
            name = self._name()
            if name.lower() in TESTS and word != "map":
                return self._member_test(key, word, name.lower())
            if name.lower() in MEMBERS:
                self.fault("members of members are asked about")
            given = self._arguments()
            if key.startswith(RELATIONS) and snake(name) not in NAMES:
                sign = self.here[1] if self.here else ""
                self.at += 1
                value = self._value()
                self.expect(")")
                return of_related(key, word, snake(name), sign, value)
            # Groups and relations are held as plain names already.
            key = key if key.startswith(SET_OF_ENTITY) else within(f"{key}.{snake(name)}", given)
        if word == "map":
            self.expect(")")
            term.key = key
            return None
        return self._member_compared(key, word)

    def _member_test(self, key: str, word: str, test: str) -> dict[str, Any]:
        text = self._one_text()
        self.expect(")")
        declare(self.facts, key, "set")
        return leaf(key, f"{MEMBERS[word]}:{TESTS[test]}", tested(test, text))

    def _member_compared(self, key: str, word: str) -> dict[str, Any]:
        sign = self.here[1] if self.here else ""
        if self.accept(")"):
            return flagged(MEMBERS[word], key, True, self.facts)
        if sign not in COMPARED:
            self.fault("members are compared with a text or a number")
        self.at += 1
        value = self._value()
        self.expect(")")
        if isinstance(value, bool):
            return flagged(MEMBERS[word], key, value is (COMPARED[sign] == "equal"), self.facts)
        if not isinstance(value, str):
            return of_members(MEMBERS[word], key, COMPARED[sign], value, self.facts)
        if sign not in NEGATED_TESTS:
            self.fault("members are compared by == or != with a text")
        declare(self.facts, key, "set")
        return leaf(key, f"{MEMBERS[word]}:{NEGATED_TESTS[sign]}", [value])

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
            if found[0] in {"text", "number"} or found[1].lower() in {"true", "false"}:
                given.append(unquoted(found[1]) if found[0] == "text" else found[1])
        return given

    def _one_text(self, asked: str = "a test takes one text, as it is written") -> str:
        """Read `("…")`, of which nothing is computed."""
        ahead = self.words[self.at : self.at + 3]
        if [word for _, word in ahead[::2]] != ["(", ")"] or ahead[1][0] not in {"text", "number"}:
            self.fault(asked)
        self.at += 3
        return unquoted(ahead[1][1]) if ahead[1][0] == "text" else ahead[1][1]

    def _key(self, name: str, arguments: list[str] | None) -> str:
        if name == "custom" and arguments:
            return ".".join(["custom", *map(key_part, arguments)])
        parts = [".".join(part if part == "custom" else snake(part) for part in name.split("."))]
        return ".".join([*parts, *map(key_part, arguments or ())])

    def _tested(self, term: Term, word: str) -> dict[str, Any]:
        text = self._one_text()
        if term.file:
            return self._answered(self.files.holding(term.file, word, text))
        known(term)
        declare(self.facts, term.key, "string")
        return leaf(term.key, TESTS[word], tested(word, text))

    def _jq(self) -> Term | dict[str, Any]:
        """`jq(custom("x"), "not")`: what plain programs do is said by us; others would have to be run."""
        self.expect("(")
        term = self._chain()
        self.expect(",")
        program = self._value()
        self.expect(")")
        if isinstance(term, dict) or not isinstance(program, str):
            self.fault("jq takes what is read, and a program")
        if term.file:
            return self._jq_of_file(term.file, program)
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

    def _jq_of_file(self, path: str, program: str) -> dict[str, Any]:
        """What a plain program asks of a file, with what its answer is compared with."""
        sign, value = "", None
        found = self.here
        if found and found[0] == "sign" and found[1] in COMPARED:
            self.at += 1
            sign = "==" if found[1] == "=" else found[1]
            value = None if self.accept("null") else self._value()
            if isinstance(value, Term | tuple):
                self.fault("what jq finds in a file is compared with a value")
        return self.files.by_jq(path, program, sign, value)
