"""Cuts a rule written as text into words. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 4_000

UNITS = r"%|ms|min|minutes?|hours?|days?|weeks?|[KMGT]iB|[kMGT]B|B|[smhdw]"
PATTERN = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<string>"[^"]*"|'[^']*')
  | (?P<threshold>\$[a-z][a-z0-9_]*)
  | (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:T[0-9:.]+(?:Z|[+-][0-9]{{2}}:[0-9]{{2}}))?)
  | (?P<quantity>-?[0-9]+(?:\.[0-9]+)?\s?(?:%|(?:{UNITS})\b))
  | (?P<version>[0-9]+(?:\.[0-9]+){{2,5}}(?![\w.]))
  | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))
  | (?P<symbol><=|>=|==|!=|<>|=~|!~|&&|\|\||-(?=\s)|[<>=!()\[\],≤≥≠*+])
  | (?P<name>[A-Za-z_][\w./:@-]*)
    """,
    re.VERBOSE | re.ASCII,
)


class Kind(StrEnum):
    """What a word is."""

    STRING = "string"
    THRESHOLD = "threshold"
    DATE = "date"
    QUANTITY = "quantity"
    NUMBER = "number"
    VERSION = "version"
    SYMBOL = "symbol"
    NAME = "name"
    END = "end"


@dataclass(frozen=True)
class Word:
    """One word of the text, and where it begins (from 1)."""

    kind: Kind
    text: str
    position: int

    @property
    def lower(self) -> str:
        """The word as keywords are compared; a quoted text is no keyword."""
        return self.text.lower() if self.kind in {Kind.NAME, Kind.SYMBOL} else ""


class BadRuleText(ValueError):
    """A rule that cannot be read, with the place and the remedy."""

    def __init__(self, text: str, position: int, message: str) -> None:
        shown = text[max(0, position - 25) : position - 1] + "⟨here⟩" + text[position - 1 : position + 20]
        super().__init__(f"at character {position}: {message} (… {' '.join(shown.split())} …)")
        self.position = position


def words_of(text: str) -> list[Word]:
    """Return the words of a rule, the last of kind END; raises BadRuleText at the first that is none."""
    if len(text) > MAX_TEXT:
        raise BadRuleText(text, MAX_TEXT, f"the rule is longer than {MAX_TEXT} characters; split the check")
    words = []
    position = 0
    while position < len(text):
        match = PATTERN.match(text, position)
        if match is None:
            raise BadRuleText(text, position + 1, f'{text[position]!r} means nothing in a rule; quote a text: "…"')
        if match.lastgroup != "space":
            words.append(Word(Kind(match.lastgroup or ""), match[0], position + 1))
        position = match.end()
    words.append(Word(Kind.END, "", len(text) + 1))
    return words
