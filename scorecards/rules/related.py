"""Questions about the entities that a service is related to: of every one of them, of any, of none, of a share. Pure.

A rule holds such a question as `{related: dependsOn, which: every, where: {...}, have: {...}}`, or as the text
`every related.dependsOn where (...) has (...)`. It becomes a condition on a fact that is made for it: on the set of
those that fall short, on the set of those that do not, or on their share: judged, told and kept like any other fact.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import orjson

from scorecards.rules.quantities import read_quantity

RELATED = "related."
"""Before the name of a relation, and before the key of the fact that answers a question."""
MAX_HOPS = 3
HOP = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
PARTS = frozenset({"related", "which", "where", "have"})
IN_CATALOG = "in_catalog"
THERE: Mapping[str, Any] = {"fact": IN_CATALOG, "operator": "equal", "value": True}
"""What is asked of entities that only have to be there."""
QUANTIFIERS: Mapping[str, tuple[str, ...]] = {
    "every": ("every", "each"),
    "any": ("any", "some"),
    "no": ("no", "none of"),
}
"""The words of rules as text for each way to ask."""


class Asked(StrEnum):
    """What the fact that answers a question holds."""

    LACKING = "lacking"
    """The related entities that fall short."""
    MEETING = "meeting"
    """Those that do not."""
    SHARE = "share"
    """The share of those, 0 to 1."""


@dataclass(frozen=True)
class Question:
    """What a rule asks of the entities that a relation leads to."""

    relation: str
    """`dependsOn`, or several one after the other: `partOf.hasPart`."""
    which: str | int | float
    """`every`, `any` or `no`, how many at least, or which share of them at least."""
    where: Mapping[str, Any] | None
    """Which of them it is about; None: all."""
    have: Mapping[str, Any]

    @property
    def asked(self) -> Asked:
        """What the fact that answers it holds."""
        if isinstance(self.which, float):
            return Asked.SHARE
        return Asked.LACKING if self.which == "every" else Asked.MEETING

    @property
    def least(self) -> float:
        """From how many members of the answer on, or from which share on, the rest decides nothing."""
        return 1 if isinstance(self.which, str) else self.which

    @cached_property
    def key(self) -> str:
        """The key of the fact that answers it: another question has another."""
        parts = [self.relation, self.which, self.where, self.have]
        digest = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
        return f"{RELATED}{self.relation}.{self.asked}.{digest[:8]}"

    @property
    def name(self) -> str:
        """What sentences call the answer, unless the check asks more than one question along the relation."""
        return f"{RELATED}{self.relation}"

    @cached_property
    def looks_at(self) -> frozenset[str]:
        """The fields and facts of the related entities that decide."""
        return frozenset(_keys_of(self.have)) | frozenset(_keys_of(self.where or {}))

    @cached_property
    def falling_short(self) -> "Question":
        """The question of who falls short, which is told beside a share."""
        return Question(self.relation, "every", self.where, self.have)

    def condition(self, word: str) -> dict[str, Any]:
        """Return the condition on the answer. Where nobody falls short a share is met, even the share of nobody."""
        if self.asked is Asked.SHARE:
            return {"any": [self._leaf(word), self.falling_short._leaf(word)]}
        return self._leaf(word)

    def _leaf(self, word: str) -> dict[str, Any]:
        operator, value = {
            "every": ("isEmpty", True),
            "any": ("isEmpty", False),
            "no": ("isEmpty", True),
        }.get(str(self.which), ("hasAtLeast", self.which))
        if self.asked is Asked.SHARE:
            operator = "greaterThanInclusive"
        return {word: self.key, "operator": operator, "value": value}


def names_of(questions: Mapping[str, Question]) -> dict[str, str]:
    """Return the keys of the facts that answer questions, by what sentences call them."""
    names: dict[str, str] = {}
    beside = {
        one.falling_short.key: f"{one.name}.{Asked.LACKING}" for one in questions.values() if one.asked is Asked.SHARE
    }
    for key, question in questions.items():
        name = beside.get(key, question.name)
        number = 2
        while name in names:
            name, number = f"{question.name}.{number}", number + 1
        names[name] = key
    return names


def type_of_answer(key: str) -> str | None:
    """Return the type of the fact that answers a question; None for what is no such fact's key."""
    parts = key.split(".")
    if not key.startswith(RELATED) or len(parts) < 4 or parts[-2] not in list(Asked):
        return None
    return "number" if parts[-2] == Asked.SHARE else "set"


def called(key: str) -> str:
    """Return a fact's key as a person reads it: of one that answers a question, the relation alone."""
    return key if type_of_answer(key) is None else key.rsplit(".", 2)[0]


def read_which(given: Any) -> str | int | float:
    """Return which of the related entities have to have something; raises ValueError."""
    if isinstance(given, str) and given in QUANTIFIERS:
        return given
    if isinstance(given, str) and given.endswith("%"):
        given = read_quantity("ratio", given)
    if isinstance(given, float) and 0 < given <= 1:
        return given
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given
    raise ValueError(f"{given!r} says not which of them; write every, any, no, a number from 1 on, or a share: 80%")


def read_relation(given: Any) -> str:
    """Return a relation, or up to three one after the other; raises ValueError."""
    hops = given.split(".") if isinstance(given, str) else []
    if not 1 <= len(hops) <= MAX_HOPS or not all(HOP.fullmatch(hop) for hop in hops):
        raise ValueError(f"{given!r} is no relation; write one such as dependsOn, or up to {MAX_HOPS}: partOf.hasPart")
    return str(given)


def _keys_of(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        if "fact" in tree:
            yield str(tree["fact"])
        for inner in tree.values():
            yield from _keys_of(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _keys_of(inner)
