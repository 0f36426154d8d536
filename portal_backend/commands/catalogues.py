"""`portal scorecards validate` and `simulate`: a catalogue of checks before it is put to use."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.commands.common import (
    FOUND_FAULT,
    as_json,
    complaints,
    console,
    give_up,
    named_config,
    print_json,
    print_table,
    with_app,
)
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.config import load_config
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput, PortalError
from portal_backend.settings import declared_facts, option_schemas
from scorecards import judging
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import CheckCatalogue
from scorecards.checks.files import read_paths
from scorecards.models import Scorecard
from scorecards.simulation.documents import Document, effect_form, past_form
from scorecards.simulation.history import MAX_WEEKS, Side, every_service, only_services, simulate_past
from scorecards.simulation.judgement import simulate as simulate_change
from scorecards.simulation.proposals import Proposal, all_enforced, changed_catalogue

MAX_ITEMS = 200


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@as_json
def validate(paths: Sequence[Path], json_output: bool) -> None:
    """Check files and folders of checks beside the default ones; needs no database. Exit code 1 when one has a fault.

    Known are the facts that sources of portal.yaml declare, and the checks, facts and groups of the organisation's
    files named there; one of the same name as a PATH gives way to it.
    """
    try:
        config = load_config(named_config(), option_schemas())
        specs = declared_facts(config)
    except PortalError as error:
        give_up(error)
    catalogue: CheckCatalogue | None = None
    faults: Sequence[Fault] = ()
    try:
        catalogue = load_catalogue(paths, specs, beside=config.check_paths)
    except InvalidInput as error:
        faults = error.faults
    if json_output:
        print_json(_validity(catalogue, faults))
    elif catalogue:
        console.print(f"[green]Valid:[/] {len(catalogue.checks)} checks, {len(catalogue.disabled)} disabled.")
    else:
        for fault in faults:
            console.print(f"[bold]{escape(fault.path)}[/]: {escape(fault.message)}", soft_wrap=True)
        console.print(f"[red]{len(faults)} faults[/]" if len(faults) > 1 else "[red]1 fault[/]")
    sys.exit(0 if catalogue else FOUND_FAULT)


def _validity(catalogue: CheckCatalogue | None, faults: Sequence[Fault]) -> dict[str, Any]:
    return {
        "valid": catalogue is not None,
        "version": catalogue.version if catalogue else None,
        "checks": len(catalogue.checks) if catalogue else None,
        "disabled": dict(catalogue.disabled) if catalogue else None,
        "faults": [_placed(fault) for fault in faults],
    }


def _placed(fault: Fault) -> dict[str, str | None]:
    """Take `org.yaml: org.replicas: rule.fact` apart."""
    parts = fault.path.split(": ", 2)
    file, check, path = (*parts, None, None)[:3]
    return {"file": file, "check": check, "path": path, "message": fault.message}


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--without", multiple=True, metavar="NAME", help="Leave out this file of today's catalogue.")
@click.option("--as-of-today", is_flag=True, help="Leave in shadow what is in shadow today.")
@click.option("--service", "services", multiple=True, metavar="REF", help="Judge this service only (repeatable).")
@click.option("--weeks", type=click.IntRange(1, MAX_WEEKS), help="Tell of each of the last WEEKS instead of today.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, MAX_ITEMS), help="Services to list.")
@as_json
@with_app
def simulate(
    files: Sequence[Path],
    without: Sequence[str],
    as_of_today: bool,
    services: Sequence[str],
    weeks: int | None,
    limit: int,
    json_output: bool,
) -> None:
    """Tell what changed check FILEs would do to today's services; nothing is written. Exit code 1 when one falls.

    A file takes the place of today's file of the same name, any other is added. Checks in shadow are judged as
    enforced. With --weeks, without any FILE too, the fleet is judged by what was known of it in each of those weeks.
    """
    if not (files or without or weeks):
        raise click.UsageError("Missing argument '[FILE]...'.")
    basis = judging.current()
    faults: list[Fault] = []
    proposal = Proposal(read_paths(files, faults), without)
    changed = changed_catalogue(basis.catalogue, proposal, basis.specs, faults)
    if not as_of_today:
        changed = all_enforced(changed)
    refs = [service_ref(ref) for ref in services] or None
    if weeks:
        _tell_past(basis, changed, refs, weeks, json_output)
        return
    with reading() as session:
        _warn_if_others_are_in_use(session, basis)
        wanted = only_services(session, basis, refs) if refs else None
        effect = simulate_change(session, basis, (basis.catalogue, changed), wanted, clock.now())
    form = effect_form(effect, None, limit or MAX_ITEMS)
    if json_output:
        print_json(form)
    else:
        _show(form if limit else {**form, "items": []})
    sys.exit(FOUND_FAULT if effect.lowered else 0)


def _warn_if_others_are_in_use(session: Session, basis: judging.Judging) -> None:
    """Say so where services were judged by other checks than those that the change is compared with."""
    query = select(Scorecard.entity_ref).where(Scorecard.catalogue_version != basis.catalogue.version).limit(1)
    if session.scalar(query):
        complaints.print(
            "[yellow]Services were last judged by other checks than portal.yaml names now:[/] this compares with the "
            "latter. If they are the change that you mean, simulate it before it is put there.",
            soft_wrap=True,
        )


def _tell_past(
    basis: judging.Judging, changed: CheckCatalogue, refs: Sequence[str] | None, weeks: int, json_output: bool
) -> None:
    with reading() as session:
        wanted = only_services(session, basis, refs) if refs else every_service(session, basis)
        effect = simulate_past(session, basis, (basis.catalogue, changed), wanted, weeks, clock.now())
    if json_output:
        print_json(past_form(effect))
    else:
        rows = [
            (f"{point.at:%Y-%m-%d}", *(_standing(side) for side in (point.before, point.after)), point.lower)
            for point in effect.points
        ]
        print_table(("week", "by today's checks", "by the changed ones", "lower"), rows)
        console.print(escape(effect.summary), soft_wrap=True)
        for text in effect.not_known:
            console.print(f"[dim]{escape(text)}[/]", soft_wrap=True)
    sys.exit(FOUND_FAULT if any(point.lower for point in effect.points) else 0)


def _standing(side: Side) -> str:
    levels = ", ".join(f"{number} at {level}" for level, number in sorted(side.levels.items()))
    return f"{levels}; {side.percent:g} %" if side.percent is not None else levels


def _show(form: Document) -> None:
    console.print(escape(form["summary"]), soft_wrap=True)
    levels = sorted({*form["levels"]["before"], *form["levels"]["after"]})
    if levels:
        rows = [
            (level, form["levels"]["before"].get(level, 0), form["levels"]["after"].get(level, 0)) for level in levels
        ]
        print_table(("level", "services today", "then"), rows)
    if form["checks"]:
        print_table(
            ("check", "change", "today", "then"),
            [(one["check"], one["change"], _tally(one["before"]), _tally(one["after"])) for one in form["checks"]],
        )
    for one in form["items"]:
        verdicts = ", ".join(f"{each['check']} {_verdict(each)}" for each in one["verdicts"])
        moved = f"{one['level_before'] or '–'} → {one['level_after'] or '–'}"
        verdicts = verdicts or f"{_share(one['percent_before'])} → {_share(one['percent_after'])}"
        console.print(f"[bold]{escape(one['ref'])}[/] {moved}  {escape(verdicts)}", soft_wrap=True)
    rest = form["changed"] - len(form["items"])
    if rest > 0:
        console.print(f"[dim]and {rest} more[/]")


def _verdict(change: Document) -> str:
    """Write a verdict before and after, and which of them stands in shadow: `fail in shadow → fail`."""
    before, after = (
        f"{change[side] or '–'}{' in shadow' if change[f'shadow_{side}'] and change[side] else ''}"
        for side in ("before", "after")
    )
    return f"{before} → {after}"


def _share(percent: float | None) -> str:
    return "–" if percent is None else f"{percent:g} %"


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in counts.items())
