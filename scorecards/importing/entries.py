"""Finds what a document of lists and mappings (YAML, JSON) asks for. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scorecards.importing.drafts import Item
from scorecards.importing.statements import bare

TEXTS = (
    *("question", "questiontext", "text", "statement", "requirement", "check", "item", "criterion", "control", "task"),
    *("description", "title", "name"),
)
ANSWERS = {"answer", "value", "score", "answertext"}
NAMES = ("title", "name", "label", "summary", "category", "section", "sectionname", "group", "area", "axis", "topic")
DETAILS = ("description", "details", "rationale", "help", "notes", "why", "guidance", "explanation")
GRADES = ("priority", "severity", "criticality", "importance", "level", "required")
ASIDES = frozenset(
    {
        *("tags", "labels", "links", "options", "answers", "references", "evidence", "owners", "links", "keywords"),
        *("examples", "authors", "resources", "roles", "tools", "values", "choices", "see", "sources", "maintainers"),
    }
)
"""Lists of words beside what is asked."""
COMMENTS = ("//", "_comment", "$comment", "comment")
INFORMING = frozenset({"banner", "info", "information", "note", "heading"})
"""Types of entries that ask nothing."""


def load_json(text: str) -> Any:
    """Read JSON; keys that stand twice are refused unless they are comments. Raises ValueError."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = [(key, value) for key, value in pairs if key not in COMMENTS]
    found = dict(kept)
    if len(found) < len(kept):
        raise ValueError("a key stands twice")
    return found


def entries_of(content: Any, section: tuple[str, ...] = ()) -> Iterator[Item]:
    """Find what is asked: entries with a text of their own, plain texts in lists, names with an answer beside."""
    if isinstance(content, list):
        for one in content:
            if isinstance(one, str):
                yield Item(bare(one), None, section)
            else:
                yield from entries_of(one, section)
    elif isinstance(content, Mapping):
        yield from _of_mapping(content, section)


def _of_mapping(content: Mapping[Any, Any], section: tuple[str, ...]) -> Iterator[Item]:
    fields = {str(key).lower(): value for key, value in content.items()}
    inner = [(str(key), value) for key, value in content.items() if isinstance(value, list | dict)]
    text = _first(fields, TEXTS)
    name = _first(fields, NAMES)
    if text and not any(_holds_entries(key, value) for key, value in inner):
        if str(fields.get("type", "")).lower() in INFORMING:
            return
        detail = next((found for one in DETAILS if (found := _first(fields, (one,))) and found != text), "")
        grade = " ".join(str(fields[one]) for one in GRADES if isinstance(fields.get(one), str | bool | int))
        yield Item(bare(text), None, section, bare(name) if name != text else "", bare(detail), grade=bare(grade))
        return
    if not text and not name:
        yield from _answered(content, section)
    under = (*section, bare(name or text)) if name or text else section
    for key, value in inner:
        if key.lower() not in ASIDES:
            yield from entries_of(value, under if name or text else (*section, bare(key.replace("_", " "))))


def _answered(content: Mapping[Any, Any], section: tuple[str, ...]) -> Iterator[Item]:
    """`{"Has a runbook": true}`, `{SRE-1: The service has an owner}`: the longer of the two says what is asked."""
    for key, value in content.items():
        key_words, words = str(key).replace("_", " "), value if isinstance(value, str) else ""
        if len(words.split()) > 2:
            yield Item(bare(words), None, section, bare(key_words))
        elif not isinstance(value, list | dict) and len(key_words.split()) > 1:
            yield Item(bare(key_words), None, section)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((fields[one] for one in names if isinstance(fields.get(one), str) and fields[one].strip()), "")


def _holds_entries(key: str, value: Any) -> bool:
    """Say whether something holds entries of its own, and not just the answers to choose from or words beside."""
    if key.lower() in ASIDES:
        return False
    entries = value if isinstance(value, list) else list(value.values())
    keys = [{str(inner).lower() for inner in one} for one in entries if isinstance(one, Mapping)]
    are_answers = bool(keys) and all(one & ANSWERS for one in keys)
    texts = isinstance(value, list) and any(isinstance(one, str) and len(one.split()) > 2 for one in value)
    return not are_answers and (texts or any(one & {*TEXTS, *NAMES} for one in keys))


def informing(content: Any) -> int:
    """Count the entries of a questionnaire that inform and ask nothing."""
    if isinstance(content, list):
        return sum(informing(one) for one in content)
    if not isinstance(content, Mapping):
        return 0
    kind = next((value for key, value in content.items() if str(key).lower() == "type"), "")
    return str(kind).lower() in INFORMING or sum(informing(value) for value in content.values())
