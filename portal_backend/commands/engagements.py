"""`portal engagements`: triage, a service's history, and its support tier."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from catalog.services import services
from engagements import circumstances, history, imports, rebuilding, support
from engagements.capacity import planning
from engagements.capacity.planner.optimum import SolverMissing
from engagements.capacity.planner.plan import Method
from engagements.capacity.planning import PlanWish
from engagements.chain import verification
from engagements.chain.schemas import VerifySchema
from engagements.event_kinds import EVENT_KINDS
from engagements.in_force import capacity_settings
from engagements.lifecycle import adoption
from engagements.schemas import HistoryPageSchema, SupportSchema
from engagements.tiers import Tier
from engagements.triage.directions import Direction
from engagements.triage_lists.reading import StoredPage
from engagements.triage_lists.reading import read as read_triage
from portal_backend.commands.common import (
    FOUND_FAULT,
    as_json,
    console,
    operator,
    print_json,
    print_table,
    tell_of_more,
    whole_seconds,
    with_app,
)
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotFound
from portal_backend.core.pagination import MAX_LIMIT
from scorecards import judging

DIRECTIONS = [direction.value for direction in Direction]


@click.group()
def engagements() -> None:
    """Show what SRE might take on or hand back, and record who supports what."""


@engagements.command()
@click.option("--direction", type=click.Choice(DIRECTIONS), help="One of the two lists; by default both.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True, help="Rows of a list.")
@click.option("--terms", "with_terms", is_flag=True, help="Show the reasons for each row, term by term.")
@as_json
@with_app
def triage(direction: str | None, limit: int, with_terms: bool, json_output: bool) -> None:
    """List services that merit more support, and services that SRE might hand back."""
    one = Direction(direction) if direction else None
    with reading() as session:
        pages = read_triage(session, clock.now(), direction=one, limit=limit)
    if json_output:
        print_json({key.value: vars(page) for key, page in pages.items()})
        return
    if Direction.ONBOARD in pages:
        _show_onboard(pages[Direction.ONBOARD], with_terms)
    if Direction.HAND_BACK in pages:
        _show_hand_back(pages[Direction.HAND_BACK], with_terms)


@engagements.command()
@click.option("--optimal", is_flag=True, help="Look for the optimum (needs the extra [planner]).")
@click.option("--assume-consent", is_flag=True, help="Plan as if every service's developers had agreed.")
@click.option("--all", "every_row", is_flag=True, help="Also the rows where nothing changes.")
@as_json
@with_app
def plan(optimal: bool, assume_consent: bool, every_row: bool, json_output: bool) -> None:
    """Propose who supports which service within what the SRE teams can carry. It recommends; people decide."""
    wish = PlanWish(Method.OPTIMUM if optimal else Method.GREEDY, assume_consent)
    try:
        with reading() as session:
            made = planning.plan(session, capacity_settings(), wish, clock.now())
    except SolverMissing as error:
        raise InvalidInput(str(error)) from error
    if json_output:
        print_json(made)
        return
    _show_plan(made, every_row)


@engagements.command("history")
@click.argument("ref")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(EVENT_KINDS)), help="Repeatable.")
@click.option("--source", "sources", multiple=True, help="Repeatable.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Where the page before ended.")
@as_json
@with_app
def show_history(
    ref: str, kinds: Sequence[str], sources: Sequence[str], limit: int, cursor: str | None, json_output: bool
) -> None:
    """Show what happened to a service, newest first: `checkout`, or `component:default/checkout`."""
    with reading() as session:
        whole = service_ref(ref)
        if not services(session, judging.current().service_types, [whole]):
            raise NotFound(f"The catalog has no service {whole}; `portal catalog list` shows what it has.")
        page = history.read(session, whole, history.HistoryFilter(kinds, sources), cursor, limit)
        answer = HistoryPageSchema().dump(page)
    if json_output:
        print_json(answer)
        return
    columns = ("occurred", "kind", "what", "actor", "source")
    print_table(
        columns,
        [
            [
                whole_seconds(event["occurred_at"]),
                *(event[name] for name in ("kind", "summary", "actor")),
                _source(event),
            ]
            for event in answer["items"]
        ],
    )
    tell_of_more(page.next_cursor)


@engagements.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@with_app
def import_file(file: Path, json_output: bool) -> None:
    """Record the support that held before this portal knew of it. Safe to repeat; exit code 1 when some is refused."""
    now = clock.now()
    records = imports.read_records(file, now)
    with transaction() as session:
        report = support.adopt(session, records, operator(), now)
        adoption.adopt(session, operator(), now, [record.entity_ref for record in records])
    refused = [{"entity": fault.path, "message": fault.message} for fault in report.refused]
    if json_output:
        print_json({"recorded": report.recorded, "unchanged": report.unchanged, "refused": refused})
    else:
        console.print(f"{len(report.recorded)} recorded, {len(report.unchanged)} unchanged, {len(refused)} refused.")
        for fault in report.refused:
            console.print(f"[red]{escape(fault.path)}[/] {escape(fault.message)}.", soft_wrap=True)
    if refused:
        raise SystemExit(FOUND_FAULT)


@engagements.command()
@click.argument("ref")
@click.argument("tier", type=click.Choice([tier.value for tier in Tier]))
@click.option("--reason", required=True, help="Why; the history keeps it.")
@click.option("--consented-by", default="", help="Who leads the development and agreed.")
@as_json
@with_app
def move(ref: str, tier: str, reason: str, consented_by: str, json_output: bool) -> None:
    """Move a service to another support tier, as an administrator. Exit code 2, with every guard, when it may not."""
    if not reason.strip() or len(reason) > support.MAX_REASON_LENGTH:
        raise InvalidInput(f"--reason must have 1 to {support.MAX_REASON_LENGTH} characters.")
    now = clock.now()
    with transaction() as session:
        whole = service_ref(ref)
        found = circumstances.gather(session, judging.current(), whole, consented_by, now)
        state = support.move(session, whole, Tier(tier), reason, operator(), found, now)
    if json_output:
        print_json(SupportSchema().dump(state))
        return
    console.print(f"{whole} has the tier {state.tier} since {_time(state.since)}.")


@engagements.command("verify-history")
@click.option("--service", "ref", help="Check this one only: `checkout`, or `component:default/checkout`.")
@click.option(
    "--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that --save wrote earlier."
)
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Write where every history ends, to keep elsewhere."
)
@as_json
@with_app
def verify_history(ref: str | None, against: Path | None, save: Path | None, json_output: bool) -> None:
    """Find what was changed, removed or put in behind the portal's back. Exit code 1 when something was."""
    kept = verification.read_anchors(against) if against else {}
    with reading() as session:
        report = verification.verify(session, service_ref(ref) if ref else None)
        report.add(verification.verify_against(session, kept))
        if save:
            verification.write_anchors(session, save)
    if json_output:
        print_json(VerifySchema().dump({**vars(report), "ok": report.ok, "checked_at": clock.now()}))
    else:
        _show_check(report)
    if not report.ok:
        raise SystemExit(FOUND_FAULT)


@engagements.command()
@click.option("--verify", "only_verify", is_flag=True, help="Only compare; exit code 1 when something differs.")
@click.option("--yes", is_flag=True, help="Mend what differs.")
@as_json
@with_app
def rebuild(only_verify: bool, yes: bool, json_output: bool) -> None:
    """Make every state again what the history tells. Without --yes nothing is changed, as with --verify."""
    if only_verify and yes:
        raise InvalidInput("--verify only compares and --yes mends: give one of them.")
    mends = yes and not only_verify
    with (transaction if mends else reading)() as session:
        if mends:
            _refuse_broken(verification.verify(session))
        found = rebuilding.rebuild_all(session)
    count = sum(len(part.found) for part in found)
    if json_output:
        parts = {part.part: list(part.found) for part in found}
        print_json({"differences": count, "mended": mends, "parts": parts})
    else:
        _show_differences(found, count, mends)
    if count and not mends:
        raise SystemExit(FOUND_FAULT)


def _refuse_broken(report: verification.Report) -> None:
    """Raise Conflict when the history itself is not as it was written: what follows from it cannot be trusted."""
    broken = [fault for fault in report.faults if fault.kind is not verification.FaultKind.UNPROTECTED]
    if broken:
        raise Conflict(
            "The history does not hold together, so nothing is made from it; restore it from a backup first.",
            [Fault(f"{fault.entity_ref} {fault.sequence}", fault.message) for fault in broken[:20]],
        )


def _show_check(report: verification.Report) -> None:
    console.print(f"{report.events} events of {report.services} services checked, {len(report.faults)} faults.")
    for fault in report.faults:
        console.print(f"  [red]{fault.kind}[/] {escape(fault.message)}", soft_wrap=True)
    if report.more_faults:
        console.print("  There are more than are shown.")


def _show_differences(found: Sequence[rebuilding.Differences], count: int, mended: bool) -> None:
    for part in found:
        console.print(f"{part.part}: {len(part.found)} not as the history tells")
        for one in part.found:
            console.print(f"  {escape(one)}", soft_wrap=True)
    if count:
        console.print("Mended." if mended else "Nothing was changed; --yes mends it.")


def _show_onboard(page: StoredPage, with_terms: bool) -> None:
    rows = page.items
    print_table(
        ("service", "value", "confidence", "criticality", "tier", "verdict", "next"),
        [
            (
                row["ref"],
                f"{row['value']:.1f}",
                f"{row['confidence']:.0%}",
                row["criticality"],
                row["tier"],
                row["verdict"],
                row["next_act"],
            )
            for row in rows
        ],
        title=f"Merit more support ({len(rows)} of {page.total}){_as_of(page)}",
    )
    for row in rows if with_terms else ():
        console.print(f"\n[bold]{escape(row['ref'])}[/] {row['value']:.1f}", soft_wrap=True)
        for term in row["terms"]:
            _say(f"{term['points']:5.2f} of {term['weight']:g}", _marked(term["sentence"], term["simulated"]))
        for reason in row["reasons"]:
            _say(reason["rule"], f"{reason['state']}: {reason['sentence']}")
        for barrier in row["barriers"]:
            _say("bars", barrier["sentence"])
        _say("cost", row["cost"]["sentence"])


def _show_hand_back(page: StoredPage, with_terms: bool) -> None:
    rows = page.items
    print_table(
        ("service", "D1", "D2", "D3", "D4", "D5", "next"),
        [(row["ref"], *(rule["state"] for rule in row["rules"]), row["next_act"]) for row in rows],
        title=f"Run by SRE ({len(rows)} of {page.total}); D1 graduated, D2 little used, D3 less important, "
        f"D4 neglected, D5 mostly operations{_as_of(page)}",
    )
    for row in rows if with_terms else ():
        console.print(f"\n[bold]{escape(row['ref'])}[/]", soft_wrap=True)
        for rule in row["rules"]:
            _say(rule["id"], f"{rule['state']}: {rule['sentence']}")
            for term in rule["terms"]:
                _say(f"  {term['state']}", _marked(f"{term['sentence']} {term['cause']}".strip(), term["simulated"]))


def _time(moment: datetime | None) -> str:
    return whole_seconds(clock.format_time(moment)) if moment else "an unknown time"


def _as_of(page: StoredPage) -> str:
    """Say how old a list is."""
    if page.computed_at is None:
        return ", never computed yet: the worker does it after the catalog's first reading"
    return f", as of {_time(page.computed_at)}"


def _show_plan(made: dict[str, Any], every_row: bool) -> None:
    rows = [row for row in made["rows"] if every_row or row["act"] != "keep"]
    print_table(
        ("service", "do", "option", "team", "points", "why"),
        [(row["ref"], row["act"], row["option"], row["team"], f"{row['points']:.1f}", row["sentence"]) for row in rows],
        title=f"Plan {made['id']} ({made['method']}): {made['value']:g} points, {made['moves']} of {made['moves_cap']} "
        f"moves in {made['horizon_quarters']} quarters",
    )
    console.print(made["sentence"], soft_wrap=True)
    for limit in made["limits"]:
        binds = " [red]binds[/]" if limit["binds"] else ""
        said = f"{limit['whose']}: {limit['words']} {limit['used']:g} of {limit['cap']:g} ({limit['basis']})"
        console.print(f"  {escape(said)}{binds}", soft_wrap=True)
    for sentence in (*made["overruns"], *(each["sentence"] for each in made["one_more"])):
        console.print(f"  {escape(sentence)}", soft_wrap=True)
    for each in made["differs_from_queue"]:
        console.print(f"  {escape(each['sentence'])}", soft_wrap=True)


def _marked(sentence: str, simulated: bool) -> str:
    return f"{sentence} (simulated)" if simulated else sentence


def _say(label: str, sentence: str) -> None:
    console.print(f"  [dim]{escape(label)}[/] {escape(sentence)}", soft_wrap=True)


def _source(event: dict[str, Any]) -> str:
    return f"{event['source']} (simulated)" if event["simulated"] else str(event["source"])
