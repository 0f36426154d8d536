"""`portal engagements`: triage, a service's history, and its support tier."""

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from catalog.format.refs import BadReference, parse_ref
from catalog.services import services
from engagements import circumstances, history, imports, support
from engagements.event_kinds import EVENT_KINDS
from engagements.schemas import HistoryPageSchema, SupportSchema
from engagements.tiers import Tier
from engagements.triage.candidates import OnboardRow
from engagements.triage.hand_back import HandBackRow
from engagements.triage.settings import TriageSettings
from engagements.triage_list import Direction, TriagePage, list_triage
from engagements.triage_schemas import TriageSchema
from portal_backend.commands.common import FOUND_FAULT, as_json, console, print_json, print_table, with_app
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import InvalidInput, NotFound
from portal_backend.core.pagination import MAX_LIMIT
from portal_backend.core.principal import ALL_SCOPES, Principal, Role
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
        pages = list_triage(session, judging.current(), TriageSettings(), clock.now(), one, limit=limit)
    if json_output:
        print_json(TriageSchema().dump({key.value: page for key, page in pages.items()}))
        return
    if Direction.ONBOARD in pages:
        _show_onboard(pages[Direction.ONBOARD], with_terms)
    if Direction.HAND_BACK in pages:
        _show_hand_back(pages[Direction.HAND_BACK], with_terms)


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
        whole = _service_ref(ref)
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
            [*(event[name] for name in ("occurred_at", "kind", "summary", "actor")), _source(event)]
            for event in answer["items"]
        ],
    )
    if page.next_cursor:
        console.print(f"There is more: --cursor {page.next_cursor}", soft_wrap=True)


@engagements.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@with_app
def import_file(file: Path, json_output: bool) -> None:
    """Record the support that held before this portal knew of it. Safe to repeat; exit code 1 when some is refused."""
    now = clock.now()
    records = imports.read_records(file, now)
    with transaction() as session:
        report = support.adopt(session, records, _operator(), now)
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
        whole = _service_ref(ref)
        found = circumstances.gather(session, judging.current(), whole, consented_by, now)
        state = support.move(session, whole, Tier(tier), reason, _operator(), found, now)
    if json_output:
        print_json(SupportSchema().dump(state))
        return
    console.print(f"{whole} has the tier {state.tier} since {state.since and clock.format_time(state.since)}.")


def _service_ref(text: str) -> str:
    try:
        return str(parse_ref(text, default_kind="component"))
    except BadReference as error:
        raise InvalidInput(str(error)) from error


def _operator() -> Principal:
    """Return who works at this command line: an administrator, told in the history by the account's name."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "unknown account"
    return Principal(f"{account} (command line)", frozenset({Role.ADMINISTRATOR}), frozenset({ALL_SCOPES}))


def _show_onboard(page: TriagePage, with_terms: bool) -> None:
    rows: Sequence[OnboardRow] = page.items
    print_table(
        ("service", "value", "confidence", "criticality", "tier", "verdict", "next"),
        [
            (
                row.evidence.ref,
                f"{row.value:.1f}",
                f"{row.confidence:.0%}",
                row.evidence.criticality,
                row.evidence.tier.value,
                row.verdict,
                row.next_act,
            )
            for row in rows
        ],
        title=f"Merit more support ({len(rows)} of {page.total})",
    )
    for row in rows if with_terms else ():
        console.print(f"\n[bold]{escape(row.evidence.ref)}[/] {row.value:.1f}", soft_wrap=True)
        for term in row.terms:
            _say(f"{term.points:5.2f} of {term.weight:g}", _marked(term.sentence, term.simulated))
        for reason in row.reasons:
            _say(reason.rule, f"{reason.state}: {reason.sentence}")
        for barrier in row.barriers:
            _say("bars", barrier.sentence)
        _say("cost", row.cost.sentence)


def _show_hand_back(page: TriagePage, with_terms: bool) -> None:
    rows: Sequence[HandBackRow] = page.items
    print_table(
        ("service", "D1", "D2", "D3", "D4", "D5", "next"),
        [(row.evidence.ref, *(rule.state.value for rule in row.rules), row.next_act) for row in rows],
        title=f"Run by SRE ({len(rows)} of {page.total}); D1 graduated, D2 little used, D3 less important, "
        "D4 neglected, D5 mostly operations",
    )
    for row in rows if with_terms else ():
        console.print(f"\n[bold]{escape(row.evidence.ref)}[/]", soft_wrap=True)
        for rule in row.rules:
            _say(rule.id, f"{rule.state}: {rule.sentence}")
            for term in rule.terms:
                _say(f"  {term.state}", _marked(f"{term.sentence} {term.cause}".strip(), term.simulated))


def _marked(sentence: str, simulated: bool) -> str:
    return f"{sentence} (simulated)" if simulated else sentence


def _say(label: str, sentence: str) -> None:
    console.print(f"  [dim]{escape(label)}[/] {escape(sentence)}", soft_wrap=True)


def _source(event: dict[str, Any]) -> str:
    return f"{event['source']} (simulated)" if event["simulated"] else str(event["source"])
