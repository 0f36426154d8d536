"""`portal catalog add` and `refresh`: files, folders, patterns and URLs become entities."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.markup import escape

from catalog import settings
from catalog.ingestion.reading import FILE, GLOB
from catalog.ingestion.refresh import IngestReport, register_location
from catalog.locations import list_locations
from catalog.places.targets import classify
from portal_backend import catalog_refresh, pipeline
from portal_backend.commands.catalog_showing import show_faults, watched
from portal_backend.commands.common import FOUND_FAULT, as_json, console, operator, print_json, with_app
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import Fault, InvalidInput, NotFound


@click.command("add")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@as_json
@with_app
def add(targets: tuple[str, ...], json_output: bool) -> None:
    """Register files, folders, patterns or http(s) URLs, and read them now.

    Ends with 1 when there is anything wrong with them; what is good is in the catalog all the same.
    """
    places = [_require_target(target) for target in targets]
    with watched(json_output) as on_file:
        read = [catalog_refresh.read_one(_register(type_, target), on_file=on_file) for type_, target in places]
    _finish([report for report in read if report], json_output)


@click.command("refresh")
@click.option("--allow-removals", is_flag=True, help="Remove what left the files, however much it is.")
@as_json
@with_app
def refresh(allow_removals: bool, json_output: bool) -> None:
    """Read every location again, those that portal.yaml names included."""
    pipeline.prepare()
    with reading() as session:
        ids = [location.id for location in list_locations(session)]
    if not ids and not json_output:
        console.print(
            "No location is registered: name one in portal.yaml under catalog.locations, or `portal catalog add`."
        )
    with watched(json_output) as on_file:
        read = [catalog_refresh.read_one(id_, allow_removals=allow_removals, on_file=on_file) for id_ in ids]
    _finish([report for report in read if report], json_output)


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
        show_faults(report.faults)
