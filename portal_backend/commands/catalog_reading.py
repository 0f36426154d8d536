"""`portal catalog list`, `show`, `locations` and `faults`: what the catalog holds."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
import orjson
from rich.markup import escape

from catalog.entities import EntitySummary, get_entity, list_entities, list_faults
from catalog.locations import list_locations
from catalog.models import Location
from portal_backend.commands.catalog_life import all_pages
from portal_backend.commands.catalog_showing import last_time, show_faults
from portal_backend.commands.common import FOUND_FAULT, as_json, console, print_json, print_table, with_catalog
from portal_backend.core.db import reading

PAGE = 500
SHOWN_CHARACTERS = 300


@click.command("list")
@click.option("--kind", help="Only entities of this kind.")
@as_json
@with_catalog
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


@click.command("locations")
@as_json
@with_catalog
def locations(json_output: bool) -> None:
    """List the registered locations and how their last read went."""
    with reading() as session:
        found = [_location(location) for location in list_locations(session)]
    if json_output:
        print_json(found)
        return
    rows = [
        (each["type"], each["target"], _registrant(each), last_time(each["last_read_at"]), each["last_error"])
        for each in found
    ]
    print_table(("Type", "Target", "Registered by", "Last read", "Error"), rows)


@click.command("show")
@click.argument("ref")
@as_json
@with_catalog
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
    rows += [(f"status: {item['level']}", item["message"]) for item in entity.get("status", {}).get("items", ())]
    title = f"{entity['kind'].lower()}:{metadata['namespace']}/{metadata['name']}".lower()
    print_table(("Field or relation", "Value"), rows, title)


@click.command("faults")
@click.option("--ref", help="Only those of this entity.")
@as_json
@with_catalog
def faults(ref: str | None, json_output: bool) -> None:
    """List what the last reads found wrong. Ends with 1 when there is anything."""
    with reading() as session:
        found = all_pages(lambda cursor: list_faults(session, PAGE, cursor, ref=ref))
    if json_output:
        print_json([asdict(fault) for fault in found])
    else:
        show_faults(found)
    sys.exit(FOUND_FAULT if found else 0)


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
