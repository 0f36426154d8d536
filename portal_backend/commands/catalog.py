"""`portal catalog`: what exists, and what is wrong with the files that say so."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
import orjson
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from catalog import settings
from catalog.entities import EntitySummary, get_entity, list_entities, list_faults
from catalog.format.documents import judge_documents
from catalog.ingestion.following import FoundFault
from catalog.ingestion.placeholders import Filling
from catalog.ingestion.reading import FILE, GLOB, Place, Reader, Unreadable
from catalog.ingestion.refresh import IngestReport, register_location
from catalog.locations import classify, list_locations
from catalog.models import Location
from portal_backend import catalog_refresh
from portal_backend.commands.catalog_discovery import discover, providers
from portal_backend.commands.catalog_life import all_pages, history, unprocessed
from portal_backend.commands.common import (
    COULD_NOT_RUN,
    FOUND_FAULT,
    as_json,
    complaints,
    console,
    operator,
    print_json,
    print_table,
    with_app,
)
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import Fault, InvalidInput, NotFound

PAGE = 500
SHOWN_REFS = 20
SHOWN_CHARACTERS = 300

FileSeen = Callable[[str], None]


@click.group("catalog")
def catalog() -> None:
    """Register, check and read the files that say what exists."""


@catalog.command("add")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@as_json
@with_app
def add(targets: tuple[str, ...], json_output: bool) -> None:
    """Register files, folders, patterns or http(s) URLs, and read them now.

    Ends with 1 when there is anything wrong with them; what is good is in the catalog all the same.
    """
    places = [_require_target(target) for target in targets]
    with _progress(json_output) as on_file:
        read = [catalog_refresh.read_one(_register(type_, target), on_file=on_file) for type_, target in places]
    _finish([report for report in read if report], json_output)


@catalog.command("refresh")
@click.option("--allow-removals", is_flag=True, help="Remove what left the files, however much it is.")
@as_json
@with_app
def refresh(allow_removals: bool, json_output: bool) -> None:
    """Read every registered location again."""
    with reading() as session:
        ids = [location.id for location in list_locations(session)]
    with _progress(json_output) as on_file:
        read = [catalog_refresh.read_one(id_, allow_removals=allow_removals, on_file=on_file) for id_ in ids]
    _finish([report for report in read if report], json_output)


@catalog.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@as_json
def validate(paths: tuple[str, ...], json_output: bool) -> None:
    """Check files, folders or patterns without storing anything; needs neither database nor configuration.

    Every document is judged by itself; empty documents are left out. Ends with 1 when one is not valid.
    """
    with _progress(json_output) as on_file:
        found = [verdict for path in paths for verdict in _validate(path, on_file)]
    if json_output:
        print_json(found)
    else:
        _show_verdicts(found)
    sys.exit(0 if all(verdict["valid"] for verdict in found) else FOUND_FAULT)


@catalog.command("list")
@click.option("--kind", help="Only entities of this kind.")
@as_json
@with_app
def list_(kind: str | None, json_output: bool) -> None:
    """List the entities of the catalog."""
    with reading() as session:
        found: list[EntitySummary] = []
        while page := list_entities(session, kind, PAGE, found[-1].ref if found else ""):
            found += page
    if json_output:
        print_json([asdict(entity) for entity in found])
        return
    for entity in found:
        about = ", ".join(text for text in (entity.title, entity.type, entity.owner) if text)
        console.print(f"[bold]{escape(entity.ref)}[/]  {escape(about)}", soft_wrap=True)
    console.print(f"{len(found)} entities")


@catalog.command("locations")
@as_json
@with_app
def locations(json_output: bool) -> None:
    """List the registered locations and how their last read went."""
    with reading() as session:
        found = [_location(location) for location in list_locations(session)]
    if json_output:
        print_json(found)
        return
    rows = [
        (each["type"], each["target"], _registrant(each), each["last_read_at"], each["last_error"]) for each in found
    ]
    print_table(("Type", "Target", "Registered by", "Last read", "Error"), rows)


@catalog.command("show")
@click.argument("ref")
@as_json
@with_app
def show(ref: str, json_output: bool) -> None:
    """Show one entity, `component:default/checkout`, with its relations."""
    with reading() as session:
        entity = get_entity(session, ref)
    if json_output:
        print_json(entity)
        return
    metadata = entity["metadata"]
    rows = [(f"metadata.{key}", _shown(value)) for key, value in metadata.items()]
    rows += [(f"spec.{key}", _shown(value)) for key, value in entity.get("spec", {}).items()]
    rows += [(relation["type"], relation["targetRef"]) for relation in entity["relations"]]
    title = f"{entity['kind'].lower()}:{metadata['namespace']}/{metadata['name']}".lower()
    print_table(("Field or relation", "Value"), rows, title)


@catalog.command("faults")
@click.option("--ref", help="Only those of this entity.")
@as_json
@with_app
def faults(ref: str | None, json_output: bool) -> None:
    """List what the last reads found wrong. Ends with 1 when there is anything."""
    with reading() as session:
        found = all_pages(lambda cursor: list_faults(session, PAGE, cursor, ref=ref))
    if json_output:
        print_json([asdict(fault) for fault in found])
    else:
        _show_faults(found)
    sys.exit(FOUND_FAULT if found else 0)


catalog.add_command(discover)
catalog.add_command(providers)
catalog.add_command(history)
catalog.add_command(unprocessed)


def _register(type_: str, target: str) -> str:
    with transaction() as session:
        return register_location(session, type_, target, clock.now(), registered_by=operator().name).id


def _require_target(target: str) -> tuple[str, str]:
    """Return type and target; raises NotFound for a path that does not exist, InvalidInput for what may not be read."""
    type_, full = classify(target)
    if type_ == FILE and not os.path.exists(full) and not GLOB.search(full):
        message = f"{target} does not exist; give a file, a folder, a pattern or an http(s) URL"
        raise NotFound(message, [Fault("TARGET", message)])
    refused = settings.target_refusal(type_, full, settings.current())
    if refused:
        raise InvalidInput(refused, [Fault("TARGET", refused)])
    return type_, full


@contextmanager
def _progress(json_output: bool) -> Iterator[FileSeen]:
    """Show which file is being read, while a person watches."""
    if json_output or not console.is_terminal:
        yield lambda _: None
        return
    columns = (BarColumn(), TextColumn("{task.completed} files"), TextColumn("{task.fields[file]}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("read", total=None, file="")
        yield lambda file: progress.update(task, advance=1, file=file)


def _finish(reports: Sequence[IngestReport], json_output: bool) -> None:
    """Let facts and scorecards follow, print what reading did, and end with 1 when something is wrong."""
    if any(report.changed_refs or report.removed_refs for report in reports):
        catalog_refresh.follow(reports)
    if json_output:
        print_json([_report(report) for report in reports])
    else:
        for report in reports:
            _show_report(report)
    sys.exit(FOUND_FAULT if any(report.faults or report.withheld_refs for report in reports) else 0)


def _report(report: IngestReport) -> dict[str, Any]:
    return {
        "location": report.location,
        "added": report.added,
        "changed": report.changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "orphaned": sorted(report.orphaned_refs),
        "error": report.error,
        "withheld": sorted(report.withheld_refs),
        "faults": [fault._asdict() for fault in report.faults],
    }


def _show_report(report: IngestReport) -> None:
    counts = f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged"
    if report.orphaned_refs:
        counts += f", {len(report.orphaned_refs)} orphaned"
    console.print(f"[bold]{escape(report.location)}[/]: {counts}", soft_wrap=True)
    if report.withheld_refs:
        left = len(report.withheld_refs)
        console.print(
            f"[yellow]{left} no longer in the files, kept for now:[/] {', '.join(sorted(report.withheld_refs)[:20])}"
        )
    if report.faults:
        _show_faults(report.faults)


def _show_faults(found: Sequence[Any]) -> None:
    """Print faults below the file and the document that they are in."""
    place: tuple[str, int | None] | None = None
    for fault in found:
        if place != (fault.file, fault.document):
            place = (fault.file, fault.document)
            document = "" if fault.document is None else f", document {fault.document}"
            of = f" ({fault.ref})" if fault.ref else ""
            console.print(f"[bold]{escape(fault.file)}[/]{document}{escape(of)}", soft_wrap=True)
        field = f"[cyan]{escape(fault.path)}[/]: " if fault.path else ""
        console.print(f"  {field}{escape(fault.message)}", soft_wrap=True)


def _validate(path: str, on_file: FileSeen) -> Iterator[dict[str, Any]]:
    """Yield the verdict on every document below a path; ends the command when there is no such path."""
    type_, full = classify(path)
    if type_ == FILE and os.path.exists(path):
        full = path
    elif type_ == FILE and not GLOB.search(path):
        complaints.print(f"[red]Could not run:[/] {escape(path)} does not exist.", soft_wrap=True)
        sys.exit(COULD_NOT_RUN)
    reader = Reader()
    try:
        for place in reader.places(type_, full):
            on_file(place.target)
            yield from _verdicts(reader, place)
    except Unreadable as error:
        yield _verdict(full, 0, None, [Fault("", str(error))])


def _verdicts(reader: Reader, place: Place) -> Iterator[dict[str, Any]]:
    try:
        content = reader.read(place)
    except Unreadable as error:
        yield _verdict(place.target, 0, None, [Fault("", str(error))])
        return
    for document in judge_documents(content.data or b"", Filling(reader, place).fill):
        yield _verdict(place.target, document.index, document.ref, document.faults)


def _verdict(file: str, document: int, ref: str | None, faults: Iterable[Fault]) -> dict[str, Any]:
    errors = [{"path": fault.path, "message": fault.message} for fault in faults]
    return {"file": file, "document": document, "ref": ref, "valid": not errors, "errors": errors}


def _show_verdicts(found: Sequence[dict[str, Any]]) -> None:
    _show_faults(
        [
            FoundFault(verdict["file"], verdict["document"], verdict["ref"] or "", error["path"], error["message"])
            for verdict in found
            for error in verdict["errors"]
        ]
    )
    bad = sum(not verdict["valid"] for verdict in found)
    console.print(f"{len(found)} documents, {bad} of them not valid")


def _location(location: Location) -> dict[str, Any]:
    return {
        "id": location.id,
        "type": location.type,
        "target": location.target,
        "last_read_at": location.last_read_at,
        "last_attempt_at": location.last_attempt_at,
        "last_error": location.last_error,
        "due_at": location.due_at,
        "registered_by": location.registered_by,
        "configured": bool(location.configured),
    }


def _registrant(location: Mapping[str, Any]) -> str:
    return "portal.yaml" if location["configured"] else location["registered_by"] or ""


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
