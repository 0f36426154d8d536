"""What became of each line of an imported document: a check that exists, a new one, or why it is none. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from plugins.contract import FactSpec
from plugins.repository_files.entries import Entry, EntrySchema

MAX_TITLE = 120
MAX_ID = 60


class Outcome(StrEnum):
    """How a line is said in this product."""

    EXISTING = "existing"
    """A check of the catalogue asks it already."""
    AUTOMATIC = "automatic"
    """A new check, which facts answer."""
    ATTESTED = "attested"
    """A new check, which people answer."""
    NOT_SAID = "not_said"


@dataclass(frozen=True)
class Item:
    """A line of a checklist, or a rule of a scorecard."""

    text: str
    """What it states, asks or names."""
    line: int | None = None
    """Where it stands; None where the document has no lines of its own."""
    section: tuple[str, ...] = ()
    """The headings and lines that it stands under."""
    name: str = ""
    """What the document calls it, where that is not the text itself."""
    detail: str = ""
    level: int | None = None
    """1 to 4, where the document says it."""
    optional: bool = False
    grade: str = ""
    """How much it matters, in the document's own words: `Must`, `P1`, `Critical`."""
    remedy: str = ""
    """What the document says to do where it does not hold."""
    is_finding: bool = False
    """It says what would be found, and is wanted not to be: a rule of a linter."""


@dataclass(frozen=True)
class Said:
    """What became of one item."""

    item: Item
    outcome: Outcome
    why: str
    """Why this and nothing else: a sentence."""
    check: str = ""
    """The check that asks it; empty where none does."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """Of a new check. An item that another new check asks already has none of its own."""


@dataclass
class Draft:
    """An imported document."""

    name: str
    """Of the file."""
    format: str
    """What it was read as, in words."""
    said: list[Said] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Facts that something has to supply, by key."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a source has to read out of repository files, by the fact's key: entries of its option `files`."""
    collected: set[str] = field(default_factory=set)
    """Facts that the document says how to collect, whether or not a check of it asks for them."""
    sections: dict[str, Any] = field(default_factory=dict)
    """Further sections of the file of checks, such as `tech_insights`."""
    notes: list[str] = field(default_factory=list)
    """What the reader should know of the whole."""
    ids: set[str] = field(default_factory=set)
    rules: dict[str, str] = field(default_factory=dict)
    """The checks of the draft by their rules: what is asked twice is one check."""

    def counts(self) -> dict[Outcome, int]:
        """Count the items by what became of them."""
        return {outcome: sum(one.outcome is outcome for one in self.said) for outcome in Outcome}

    def declare(self, key: str, kind: str, unit: str, description: str) -> None:
        """Note a fact that a new check asks for; the first declaration of a key stays."""
        if key not in self.facts:
            in_unit = {"unit": unit} if unit else {}
            self.facts[key] = {"key": key, "type": kind, **in_unit, "description": description}

    def read_file(self, entry: Mapping[str, Any]) -> str:
        """Note what a source has to read out of a file, and declare its fact; return the key, which is its own."""
        asked = {name: value for name, value in entry.items() if name != "fact"}
        for key, other in self.files.items():
            if {name: value for name, value in other.items() if name != "fact"} == asked:
                return key
        key = self.new_key(entry["fact"])
        self.files[key] = {"fact": key, **asked}
        spec = declared(entry)
        self.declare(key, spec.type.value, "", spec.description)
        return key

    def collect(self, entry: Mapping[str, Any]) -> None:
        """Note what the document itself says to read out of a file, whoever asks for it; its fact keeps its key."""
        key = str(entry["fact"])
        self.files[key] = dict(entry)
        self.collected.add(key)
        spec = declared(entry)
        self.declare(key, spec.type.value, "", spec.description)

    def new_id(self, prefix: str, words: str) -> str:
        """Return an id that no other check of the draft has: `mercari.graceful_shutdown`."""
        found = _apart(f"{prefix}.{slug(words) or 'line'}"[:MAX_ID].rstrip("_."), self.ids)
        self.ids.add(found)
        return found

    def new_key(self, key: str) -> str:
        """Return the key of a fact that no other check of the draft asks for, however alike the two are called."""
        return _apart(key, self.facts)


def declared(entry: Mapping[str, Any]) -> FactSpec:
    """Return the fact that an entry of the option `files` declares, as the source itself will."""
    made: Entry = EntrySchema().load(dict(entry))
    spec = made.spec()
    return replace(spec, description=short(plain(spec.description), 200))


def _apart(name: str, taken: Collection[str]) -> str:
    """Number a name that is taken already."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def slug(words: str) -> str:
    """Write words as part of an id: `Zero downtime deploy` becomes `zero_downtime_deploy`."""
    plain = words.encode("ascii", "ignore").decode().replace("'", "")
    return "_".join(re.findall(r"[a-z0-9]+", plain.lower())[:6])


def key_part(name: str) -> str:
    """Write a name as part of a fact's key: `new-alerts count` becomes `new_alerts_count`; capitals stay."""
    return "_".join(re.findall(r"[A-Za-z0-9]+", name)) or "value"


def snake(name: str) -> str:
    """Write `codeCoverage` as `code_coverage`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key_part(name)).lower()


def plain(text: str) -> str:
    """Write a text without the braces that stand for values in our sentences."""
    return " ".join(text.replace("{", "(").replace("}", ")").split())


def short(text: str, most: int = MAX_TITLE) -> str:
    """Cut a text at a word."""
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0].rstrip(",;: ") + "…"
