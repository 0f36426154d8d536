"""`portal catalog discover` and `portal catalog providers`: catalog files of whole organisations."""

import sys

import click
from rich.markup import escape

from catalog import settings
from catalog.discovery.keeping import DiscoveryReport, provider_states
from portal_backend.catalog_discovery import discover as ask_providers
from portal_backend.commands.catalog_showing import last_time
from portal_backend.commands.common import FOUND_FAULT, as_json, console, print_json, print_table, with_catalog
from portal_backend.core.db import reading


@click.command("discover")
@click.option("--allow-removals", is_flag=True, help="Let go what is found no more, however much it is.")
@as_json
@with_catalog
def discover(allow_removals: bool, json_output: bool) -> None:
    """Ask the providers of portal.yaml for catalog files now, and register what they find.

    The files themselves are read by the next refresh. Ends with 1 when a provider could not be asked or removals wait.
    """
    reports = ask_providers(allow_removals=allow_removals)
    if json_output:
        print_json([vars(report) for report in reports])
    else:
        for report in reports:
            _show(report)
    sys.exit(FOUND_FAULT if any(report.error or report.withheld for report in reports) else 0)


@click.command("providers")
@as_json
@with_catalog
def providers(json_output: bool) -> None:
    """List the providers of portal.yaml and how their last runs went."""
    with reading() as session:
        found = provider_states(session, settings.current().providers)
    if json_output:
        print_json(found)
        return
    rows = [
        (p["name"], p["host"], p["owner"], p["found"], p["withheld"], last_time(p["last_success_at"]), p["last_error"])
        for p in found
    ]
    print_table(("Name", "Host", "Owner", "Files", "Waiting to go", "Last success", "Error"), rows)


def _show(report: DiscoveryReport) -> None:
    if report.error:
        console.print(f"[bold]{report.provider}[/]: [red]{escape(report.error)}[/]", soft_wrap=True)
        return
    for skipped in report.skipped:
        console.print(f"[bold]{report.provider}[/]: skipped {escape(skipped)}", soft_wrap=True)
    counts = f"{report.found} catalog files, {len(report.added)} new, {len(report.removed)} removed"
    if report.moved:
        counts += f", {len(report.moved)} followed to another address"
    console.print(f"[bold]{report.provider}[/]: {counts}", soft_wrap=True)
    if report.withheld:
        cause = "are found no more" if report.configured else "belong to a provider that portal.yaml names no more"
        console.print(
            f"[yellow]{len(report.withheld)} {cause}, kept for now:[/] {', '.join(report.withheld[:20])}. "
            "If that is meant, run `portal catalog discover --allow-removals`",
            soft_wrap=True,
        )
