"""Tells what a line of a checklist asks, where its words leave little doubt: the table is `topics.yaml`. Pure.

A wrong check is worse than one that people attest. So a line is mapped only when nothing of weight stands beside the
words that tell its topic; the topic that it merely mentions is named as near.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

import yaml

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}
DATABASES = re.compile(r"\b(databases?|sql|spanner|data ?stores?|postgres\w*|mysql|mongo\w*|redis|data storage)\b")
REMARK = re.compile(r"\((?![^)]*\d ?(?:%|(?:s|m|min|h|d|hours?|minutes?|days?)\b))[^)]*\)?")
"""What stands in brackets explains, unless it names a share or a time."""
EXAMPLES = re.compile(
    r"[,;:]?\s*\b(e\.g\.|i\.e\.|for example|for instance|such as),?(\s.*|$)|\s(like|see|via) [A-Z].*$"
)
ASIDE = re.compile(
    r"^(see|this|that|note|check out|for more|more on|more information|refer|please|if yes|read)\b", re.I
)
CONDITIONAL = re.compile(r"if\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?;])\s+")
WORD = re.compile(r"[^\W\d_]+")
MEASURE = re.compile(
    r"[<>≤≥]=?\s?\d|\b\d+(?:\.\d+)?\s?(?:%|ms|s|min|m|h|d|x|seconds?|minutes?|hours?|days?|weeks?|months?)(?!\w)"
)
"""A bound that the line names."""
SIGNS = " <>≤≥=~"
STRICT = (
    ("<=", "<", r"(?:(?<!no )(?<!not )(?:less|fewer|lower) than|(?<!not )\b(?:below|under)|<)\s*{n}\b"),
    (">=", ">", r"(?:(?<!no )(?<!not )(?:more|greater|higher) than|(?<!not )\b(?:above|over)|>)\s*{n}\b"),
)
"""Bounds that are no longer met where they are reached."""
STEM = re.compile(r"(?<![\\a-z])[a-z]{3,}|(?<=\\b)[a-z]{3,}")
NEGATIONS = frozenset({"no", "not", "non", "nor", "never", "without", "avoid", "don", "except", "unless", "instead"})


@dataclass(frozen=True)
class Topic:
    """Something that checklists ask."""

    words: tuple[str, ...]
    """Regular expressions over the line in lower case."""
    about: frozenset[str]
    """Words that may stand beside."""
    check: str = ""
    """The default check that asks it."""
    rule: str = ""
    """Else the rule that answers it; `{n}` is the number that the line names."""
    of_databases: bool | None = None
    """Only under headings that speak of databases, or never there."""
    usual: int | None = None
    """What `{n}` is where the line names no number."""
    is_open: bool = False
    """Asked by an open question, such as who owns it."""

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The words, ready to be looked for."""
        return tuple(re.compile(words) for words in self.words)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The beginnings of words that the patterns themselves spell out."""
        certain = (re.sub(r"[a-z]\?", "", words) for words in self.words)
        return tuple({stem for words in certain for stem in STEM.findall(words)})

    def search(self, text: str) -> re.Match[str] | None:
        """Return where the topic is first told; None where it is not."""
        return next((found for pattern in self.patterns if (found := pattern.search(text))), None)

    def left_over(self, text: str, context: frozenset[str]) -> list[str]:
        """Return the words of a line that are not about the topic; `context` are words that are known already."""
        kept = [one for one in SENTENCE.split(text) if not ASIDE.match(one)]
        words = [word for one in kept for word in WORD.findall(one.lower())]
        spelled = " ".join(self.words)
        return [
            word
            for word in words
            if (word in NEGATIONS and not re.search(rf"\b{word}\b", spelled))
            or (len(word) > 2 and word not in NEGATIONS and not self._covers(word, context))
        ]

    def _covers(self, word: str, context: frozenset[str]) -> bool:
        forms = {word, word.removesuffix("s"), f"{word}s"}
        return not forms.isdisjoint(empty_words() | self.about | context) or word.startswith(self.stems)


@dataclass(frozen=True)
class Found:
    """The topic of a line."""

    topic: Topic
    rule: str
    words: str
    """Those of the line that told it."""
    beside: tuple[str, ...] = ()
    """The words that speak of something else; none where the topic is all that the line asks."""


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    text = files(__package__).joinpath("topics.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return table


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """Return the topics in the order in which they are looked for."""
    return tuple(
        Topic(
            tuple(one["words"]),
            frozenset(str(one.get("about", "")).replace("-", " ").split()),
            one.get("check", ""),
            one.get("rule", ""),
            one.get("of_databases"),
            one.get("usual"),
            one.get("open", False),
        )
        for one in _table()["topics"]
    )


@lru_cache(maxsize=1)
def empty_words() -> frozenset[str]:
    """Return the words that change nothing of what is asked."""
    return frozenset(str(_table()["empty"]).split())


@lru_cache
def words_abroad(axis: str) -> re.Pattern[str]:
    """Return the beginnings of words that tell an axis in other languages than English."""
    return re.compile("|".join(str(_table()["abroad"][axis]).split()))


def fact_declarations() -> Mapping[str, Mapping[str, Any]]:
    """Return the facts of the rules that no connector supplies by itself, by key: type, unit and description.

    With `read`, what a source is told so that it reads the fact out of files.
    """
    found: Mapping[str, Mapping[str, Any]] = _table()["facts"]
    return found


def topic_of(text: str, name: str, section: tuple[str, ...], is_open: bool = False) -> Found | None:
    """Return the topic that a line asks, or one that it mentions beside more (`beside`); None where it names none.

    `is_open`: it is an open question, which few topics are asked by.
    """
    if CONDITIONAL.match(text):
        return None
    in_databases = bool(DATABASES.search(" ".join(section).lower()))
    asked, named = _bare(text), _bare(name)
    near: Found | None = None
    for topic in topics():
        if topic.is_open is not is_open or topic.of_databases not in {None, in_databases}:
            continue
        found = _look(topic, asked, named)
        if found and not found.beside:
            return found
        near = near or found
    return near


def _bare(text: str) -> str:
    return EXAMPLES.sub("", REMARK.sub(" ", text)).strip(" :")


def _look(topic: Topic, asked: str, named: str) -> Found | None:
    """Look in the words of a line first, its name being known; then in its name, which the words may explain."""
    known = {word for word in WORD.findall(named.lower()) if word not in NEGATIONS}
    if topic.search(named.lower()):  # what the name says of the topic itself is asked, and no mere surrounding
        known -= set(topic.left_over(named, frozenset()))
    context = frozenset(known)
    for text in filter(None, (asked, named)):
        match = topic.search(text.lower())
        if match:
            beside = topic.left_over(asked, context) + MEASURE.findall(_without_bound(asked, match, text is asked))
            if text is named:
                beside = [*topic.left_over(named, frozenset()), *beside]
            return Found(topic, _rule(topic, match, text.lower()), match[0].strip(), tuple(beside))
    return None


def _without_bound(asked: str, match: re.Match[str], is_within: bool) -> str:
    """Take out of a line what told the topic, with its bound: another bound in the line is asked beside."""
    if not match.groupdict() or not is_within:
        return asked
    return f"{asked[: match.start()].rstrip(SIGNS)} {asked[match.end() :]}"


def _rule(topic: Topic, match: re.Match[str], text: str) -> str:
    number = next((value for value in match.groupdict().values() if value), None)
    told = NUMBERS.get(number, number) if number else topic.usual
    rule = topic.rule
    if number:
        for bound, sharper, strict in STRICT:
            if re.search(strict.format(n=re.escape(number)), text):
                rule = rule.replace(f"{bound} {{n}}", f"{sharper} {{n}}")
    return rule.replace("{n}", str(told))
