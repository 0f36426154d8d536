"""`portal catalog validate`: what is wrong with catalog files, and where, before anybody registers them."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml
from rich.markup import escape

from catalog.format.custom_kinds import CustomKind, known_kinds
from catalog.format.documents import JudgedDocument, judge_documents
from catalog.format.positions import nearest
from catalog.ingestion.placeholders import Filling
from catalog.ingestion.reading import FILE, GLOB, Place, Reader, Unreadable
from catalog.places.targets import classify
from portal_backend.commands.catalog_showing import FileSeen, watched
from portal_backend.commands.common import (
    COULD_NOT_RUN,
    FOUND_FAULT,
    as_json,
    complaints,
    console,
    give_up,
    named_config,
    print_json,
)
from portal_backend.core.config import default_path, load_config
from portal_backend.core.errors import InvalidInput
from portal_backend.core.faults import Fault


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@as_json
def validate(paths: tuple[str, ...], json_output: bool) -> None:
    """Check files, folders or patterns without storing anything; needs no database.

    Kinds of your own are those of portal.yaml, where there is one. Every document is judged by itself; empty documents
    are left out. Ends with 1 when one is not valid.
    """
    reader = _reader(named_config() or default_path(os.environ))
    with watched(json_output) as on_file:
        found = [verdict for path in paths for verdict in _validate(reader, path, on_file)]
    if json_output:
        print_json(found)
    else:
        _show(found)
    sys.exit(0 if all(verdict["valid"] for verdict in found) else FOUND_FAULT)


def _reader(path: Path | None) -> Reader:
    """Return what reads and judges by a configuration; without one, or where it is faulty, by as much as can be had.

    A file that nobody may read as a location may still be checked: the roots of the configuration do not bind.
    """
    if path is None:
        return Reader()
    from catalog.settings_loading import load_settings

    try:
        config = load_config(path)
        settings = load_settings(config.catalog, config.locations, config.catalog_every, config.base_dir)
    except InvalidInput as error:
        complaints.print(f"[yellow]Not all of the configuration counts:[/] {escape(error.message)}", soft_wrap=True)
        for fault in error.faults:
            complaints.print(f"  [bold]{escape(fault.path)}[/]: {escape(fault.message)}", soft_wrap=True)
        return Reader(kinds=_kinds_of(path))
    return Reader(settings.urls, integrations=settings.integrations, kinds=settings.kinds)


def _kinds_of(path: Path) -> tuple[CustomKind, ...]:
    """Return the kinds of a configuration that has faults elsewhere, such as a secret that is not set here."""
    from catalog.settings_loading import load_kinds

    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        written = None
    catalog = written.get("catalog") if isinstance(written, dict) else None
    try:
        kinds = load_kinds(catalog.get("kinds", [])) if isinstance(catalog, dict) else ()
    except InvalidInput as error:
        give_up(error)
    known = "the kinds of that file count" if kinds else "there are Backstage's kinds only"
    complaints.print(f"Of it, {known}.", soft_wrap=True)
    return kinds


def _validate(reader: Reader, path: str, on_file: FileSeen) -> Iterator[dict[str, Any]]:
    """Yield the verdict on every document below a path; ends the command when there is no such path."""
    type_, full = classify(path)
    if type_ == FILE and os.path.exists(path):
        full = path
    elif type_ == FILE and not GLOB.search(path):
        complaints.print(f"[red]Could not run:[/] {escape(path)} does not exist.", soft_wrap=True)
        sys.exit(COULD_NOT_RUN)
    try:
        for place in reader.places(type_, full):
            on_file(place.target)
            yield from _verdicts(reader, place)
    except Unreadable as error:
        yield _verdict(full, 0, None, [_error(Fault("", str(error)))])


def _verdicts(reader: Reader, place: Place) -> Iterator[dict[str, Any]]:
    try:
        content = reader.read(place)
    except Unreadable as error:
        yield _verdict(place.target, 0, None, [_error(Fault("", str(error)))])
        return
    fill = Filling(reader, place).fill
    for document in judge_documents(content.data or b"", fill, known_kinds(reader.kinds)):
        yield _verdict(place.target, document.index, document.ref, _errors(document))


def _errors(document: JudgedDocument) -> list[dict[str, Any]]:
    positions = document.source.positions() if document.source else {}
    errors = []
    for fault in document.faults:
        at = nearest(positions, fault.path)
        errors.append(_error(fault, at.line, at.column) if at else _error(fault))
    return errors


def _error(fault: Fault, line: int | None = None, column: int | None = None) -> dict[str, Any]:
    return {"path": fault.path, "message": fault.message, "line": line, "column": column}


def _verdict(file: str, document: int, ref: str | None, errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"file": file, "document": document, "ref": ref, "valid": not errors, "errors": errors}


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    """Print for people: below each document, one line for each fault that begins with its line and column."""
    count = bad = 0
    for verdict in found:
        count += 1
        bad += not verdict["valid"]
        if verdict["errors"]:
            of = f" ({verdict['ref']})" if verdict["ref"] else ""
            title = f"[bold]{escape(verdict['file'])}[/], document {verdict['document']}{escape(of)}"
            console.print(title, soft_wrap=True)
        for error in verdict["errors"]:
            at = f"{error['line']}:{error['column']}  " if error["line"] else ""
            field = f"[cyan]{escape(error['path'])}[/]: " if error["path"] else ""
            console.print(f"  {at}{field}{escape(error['message'])}", soft_wrap=True)
    console.print(f"{count} documents, {bad} of them not valid")
