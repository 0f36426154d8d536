"""Reads a document of any kind that is understood into a draft of checks. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from portal_backend.core.errors import Fault, InvalidInput
from scorecards.checks.files import read_text
from scorecards.importing.checking import load_or_attest
from scorecards.importing.drafts import Draft, Item, slug
from scorecards.importing.making import Options, said
from scorecards.importing.markdown import MAX_ITEMS, items_of
from scorecards.importing.products import cortex, opslevel, port, soundcheck, tech_insights
from scorecards.importing.statements import bare

MAX_BYTES = 1024 * 1024
DATA = (".yaml", ".yml", ".json")
Reader = Callable[[Any, Draft, Options], None]
PRODUCTS: tuple[tuple[str, Callable[[Any], bool], Reader], ...] = (
    ("Tech Insights checks", tech_insights.is_tech_insights, tech_insights.tech_insights),
    ("a Cortex scorecard", cortex.is_cortex, cortex.cortex),
    ("a Port scorecard", port.is_port, port.port),
    ("a Soundcheck file", soundcheck.is_soundcheck, soundcheck.soundcheck),
    ("OpsLevel checks", opslevel.is_opslevel, opslevel.opslevel),
)
TEXTS = (
    "question",
    "questiontext",
    "text",
    "statement",
    "requirement",
    "check",
    "item",
    "description",
    "title",
    "name",
)
ANSWERS = {"answer", "value", "score", "answertext"}
NAMES = ("title", "name", "label", "summary")
DETAILS = ("description", "details", "rationale", "help", "notes", "why")


def prefix_of(name: str) -> str:
    """Return what ids of a document's checks begin with: the first part of its file's name."""
    stem = re.split(r"__|\.", name, maxsplit=1)[0]
    found = slug(stem)[:20].strip("_")
    return found if found[:1].isalpha() else f"list_{found}".rstrip("_")


def read_draft(name: str, text: str, options: Options, defaults: Mapping[str, Any]) -> Draft:
    """Return what becomes of a document; raises InvalidInput where it cannot be read at all.

    `defaults` are what the new checks share: owner, version, effort and sources at least.
    """
    draft = _read(name, text, options)
    load_or_attest(draft, options, defaults)
    return draft


def _read(name: str, text: str, options: Options) -> Draft:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InvalidInput(f"{name} is larger than {MAX_BYTES} bytes; split it.", [Fault(name, "is too large")])
    if not name.lower().endswith(DATA):
        draft = Draft(name, "a Markdown checklist")
        _take(items_of(text), draft, options)
        return draft
    faults: list[Fault] = []
    file = read_text(name, text, faults)
    if file is None:
        raise InvalidInput(f"{name} cannot be read: {faults[0].message}", faults)
    for words, fits, read in PRODUCTS:
        if fits(file.content):
            draft = Draft(name, words)
            read(file.content, draft, options)
            return draft
    draft = Draft(name, "a list of lines in YAML or JSON")
    _take(_lines(file.content, ()), draft, options)
    return draft


def _take(items: Any, draft: Draft, options: Options) -> None:
    for number, item in enumerate(items):
        if number >= MAX_ITEMS:
            draft.notes.append(f"Only its first {MAX_ITEMS} lines were read.")
            return
        draft.said.append(said(item, draft, options))
    if not draft.said:
        draft.notes.append("It holds no checklist: no list of tasks, no table of checks, no plain list.")


def _lines(content: Any, section: tuple[str, ...]) -> Iterator[Item]:
    """Find what a document of lists and mappings asks for: entries with a text of their own, or plain texts."""
    if isinstance(content, list):
        for one in content:
            if isinstance(one, str) and len(one.split()) > 1:
                yield Item(bare(one), None, section)
            else:
                yield from _lines(one, section)
        return
    if not isinstance(content, Mapping):
        return
    fields = {str(key).lower(): value for key, value in content.items()}
    inner = [(str(key), value) for key, value in content.items() if isinstance(value, list | dict)]
    text = next((fields[name] for name in TEXTS if isinstance(fields.get(name), str)), "")
    holds_more = any(_holds_entries(value) for _, value in inner)
    name = next((fields[one] for one in NAMES if isinstance(fields.get(one), str)), "")
    if text and not holds_more:
        detail = next((fields[one] for one in DETAILS if isinstance(fields.get(one), str) and fields[one] != text), "")
        yield Item(bare(text), None, section, bare(name) if name != text else "", bare(detail))
        return
    under = (*section, bare(name)) if name else section
    for key, value in inner:
        yield from _lines(value, under if name else (*section, bare(key.replace("_", " "))))


def _holds_entries(value: Any) -> bool:
    """Say whether something holds entries of its own, and not just the answers to choose from."""
    entries = value if isinstance(value, list) else list(value.values())
    keys = [{str(key).lower() for key in one} for one in entries if isinstance(one, Mapping)]
    are_answers = bool(keys) and all(one & ANSWERS for one in keys)
    return any(one & set(TEXTS) for one in keys) and not are_answers
