"""Reads a document of any kind that is understood into a draft of checks. Pure."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from portal_backend.core.errors import Fault, InvalidInput
from scorecards.checks.files import read_documents
from scorecards.importing.checking import load_or_attest
from scorecards.importing.drafts import Draft, short, slug
from scorecards.importing.entries import entries_of, informing, load_json, without_order
from scorecards.importing.forms import is_form, items_of_form
from scorecards.importing.making import Options, said
from scorecards.importing.markdown import MAX_ITEMS, items_of
from scorecards.importing.markups import as_markdown, items_of_csv
from scorecards.importing.products import (
    compass,
    cortex,
    datadog,
    dx,
    harness,
    opslevel,
    port,
    soundcheck,
    soundcheck_collectors,
    tech_insights,
)
from scorecards.importing.terraform import read_terraform

MAX_BYTES = 1024 * 1024
DATA = (".yaml", ".yml", ".json")
TABLES = (".csv", ".tsv")
TERRAFORM = (".tf", ".hcl")
NOTHING = "It holds no checklist: no list of tasks, no table of checks, no plain list, no scorecard of another product."
Reader = Callable[[Any, Draft, Options], None]
PRODUCTS: tuple[tuple[str, Callable[[Any], bool], Reader], ...] = (
    ("Tech Insights checks", tech_insights.is_tech_insights, tech_insights.tech_insights),
    ("a Cortex scorecard", cortex.is_cortex, cortex.cortex),
    ("a DX scorecard", dx.is_dx, dx.dx),
    ("Datadog rules", datadog.is_datadog, datadog.datadog),
    ("a Compass scorecard", compass.is_compass, compass.compass),
    ("Harness checks", harness.is_harness, harness.harness),
    ("a Port scorecard", port.is_port, port.port),
    ("a Soundcheck file", soundcheck.is_soundcheck, soundcheck.soundcheck),
    ("OpsLevel checks", opslevel.is_opslevel, opslevel.opslevel),
)


def prefix_of(name: str) -> str:
    """Return what ids of a document's checks begin with: the first part of its file's name."""
    stem = re.split(r"__|\.", name, maxsplit=1)[0]
    found = slug(stem)[:20].strip("_")
    return found if found[:1].isalpha() else f"list_{found}".rstrip("_")


def read_draft(name: str, text: str, options: Options, defaults: Mapping[str, Any]) -> Draft:
    """Return what becomes of a document; raises InvalidInput where it cannot be read at all.

    `defaults` are what the new checks share: owner, version, effort and sources at least.
    """
    try:
        draft = _read(name, text, options)
    except RecursionError:
        raise InvalidInput(f"{name} is nested too deeply; flatten it.", [Fault(name, "is nested too deeply")]) from None
    load_or_attest(draft, options, defaults)
    return draft


def _read(name: str, text: str, options: Options) -> Draft:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InvalidInput(f"{name} is larger than {MAX_BYTES} bytes; split it.", [Fault(name, "is too large")])
    if name.lower().endswith(TABLES):
        draft = Draft(name, "a table of lines in CSV")
        _take(items_of_csv(text), draft, options)
        if not draft.said:
            draft.notes.append(NOTHING)
        return draft
    if name.lower().endswith(TERRAFORM):
        draft = _read_data(name, _terraform(name, text), options)
        draft.format = f"Terraform with {draft.format}" if draft.format else "Terraform"
        return draft
    if not name.lower().endswith(DATA):
        return _document(name, text, options)
    return _read_data(name, _data(name, text), options)


def _read_data(name: str, documents: list[Any], options: Options) -> Draft:
    """Read documents of data into one draft; each is taken for what it is."""
    draft = Draft(name, "")
    formats = dict.fromkeys(_read_content(content, draft, options) for content in documents)
    number = f"{len(documents)} documents: " if len(documents) > 1 else ""
    draft.format = number + " and ".join(formats)
    if not draft.said and not draft.notes:
        draft.notes.append(NOTHING)
    return draft


def _read_content(content: Any, draft: Draft, options: Options) -> str:
    """Read one document; returns what it was read as."""
    for words, fits, read in PRODUCTS:
        if fits(content):
            read(content, draft, options)
            return words
    if is_form(content):
        _take(items_of_form(content), draft, options)
        return "a form of questions"
    _take(entries_of(content), draft, options)
    told = informing(content)
    if told:
        draft.notes.append(f"{told} of its entries inform and ask nothing.")
    return "a list of lines in YAML or JSON"


def _document(name: str, text: str, options: Options) -> Draft:
    markdown, words = as_markdown(name, text)
    draft = Draft(name, words)
    found, passed = items_of(markdown)
    _take(found, draft, options)
    if not draft.said:
        draft.notes.append(NOTHING)
    if passed:
        shown = "; ".join(f"“{short(one, 60)}”" for one in passed[:3])
        one = len(passed) == 1
        number = "1 plain entry" if one else f"{len(passed)} plain entries"
        taken = "was not taken for a line" if one else "were not taken for lines"
        draft.notes.append(f"{number} beside its tasks {taken} of the checklist: {shown}.")
    return draft


def _terraform(name: str, text: str) -> list[Any]:
    try:
        return read_terraform(text)
    except ValueError as error:
        raise InvalidInput(f"{name} cannot be read: {error}.", [Fault(name, str(error))]) from None


def _data(name: str, text: str) -> list[Any]:
    """Return the documents of a file, in order."""
    if name.lower().endswith(".json"):
        with suppress(ValueError, RecursionError):
            return _joined([load_json(text)])
    faults: list[Fault] = []
    documents = read_documents(name, text, faults)
    if documents is None:
        raise InvalidInput(f"{name} cannot be read: {faults[0].message}", faults)
    return _joined([without_order(one) for one in documents])


def _joined(documents: list[Any]) -> list[Any]:
    """Put Soundcheck's documents together: its tracks place its checks, wherever they stand in the file."""
    together: list[Any] = []
    rest = [
        document for document in documents if soundcheck_collectors.is_collector(document)
    ]  # they say what checks ask for
    for document in documents:
        if soundcheck_collectors.is_collector(document):
            continue
        found = [] if tech_insights.is_tech_insights(document) else soundcheck.listed(document)
        if found:
            together += found
        else:
            rest.append(document)
    collectors = sum(map(soundcheck_collectors.is_collector, rest))
    return [*rest[:collectors], *([together] if together else []), *rest[collectors:]] or [None]


def _take(items: Any, draft: Draft, options: Options) -> None:
    for number, item in enumerate(items):
        if number >= MAX_ITEMS:
            draft.notes.append(f"Only its first {MAX_ITEMS} lines were read.")
            return
        draft.said.append(said(item, draft, options))
