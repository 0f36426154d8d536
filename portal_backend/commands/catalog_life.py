"""`portal catalog history` and `unprocessed`: what happened to entities, and which of them never passed."""

import sys
from collections.abc import Callable
from typing import Any

import click
from rich.markup import escape

from catalog.entities import full_ref
from catalog.ingestion.changes import list_changes
from catalog.life.unprocessed import as_backstage, list_failed
from portal_backend.commands.common import FOUND_FAULT, as_json, console, print_json, with_catalog
from portal_backend.core.clock import format_time
from portal_backend.core.db import reading
from portal_backend.core.pagination import Page

PAGE = 500


@click.command("history")
@click.argument("ref")
@as_json
@with_catalog
def history(ref: str, json_output: bool) -> None:
    """Show what happened to an entity, newest first: when, by which location or person, and what differs."""
    with reading() as session:
        found = all_pages(lambda cursor: list_changes(session, full_ref(ref), PAGE, cursor))
    if json_output:
        print_json(found)
        return
    for change in found:
        line = f"{format_time(change['at'])}  [bold]{change['kind']}[/]  {escape(change['actor'])}"
        console.print(line, soft_wrap=True)
        for field in change["fields"]:
            text = f"  {field['path']}: {_told(field['before'])} → {_told(field['after'])}"
            console.print(escape(text), soft_wrap=True)


@click.command("unprocessed")
@as_json
@with_catalog
def unprocessed(json_output: bool) -> None:
    """List the entities that never passed, with the cause. Ends with 1 when there is any."""
    with reading() as session:
        found = all_pages(lambda cursor: list_failed(session, PAGE, cursor))
    if json_output:
        print_json([as_backstage(one) for one in found])
    for one in () if json_output else found:
        console.print(f"[bold]{escape(one.ref)}[/]  {escape(one.location)}", soft_wrap=True)
        for error in one.errors:
            console.print(f"  {escape(error['name'])}: {escape(error['message'])}", soft_wrap=True)
    sys.exit(FOUND_FAULT if found else 0)


def all_pages(load: Callable[[str | None], Page[Any]]) -> list[Any]:
    """Return all items of a list that is read page by page; `load` takes a cursor."""
    page = load(None)
    found = list(page.items)
    while page.next_cursor:
        page = load(page.next_cursor)
        found += page.items
    return found


def _told(value: str | None) -> str:
    return "(none)" if value is None else value
