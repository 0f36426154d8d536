"""`portal scorecards`: where a service stands, why, and what to do first."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

import click
from rich.markup import escape
from rich.table import Table

from portal_backend import judgement, settings
from portal_backend.commands.common import (
    FOUND_FAULT,
    as_json,
    console,
    print_json,
    print_table,
    whole_seconds,
    with_app,
)
from portal_backend.commands.lazy import Lazy, LazyGroup
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import NotFound
from scorecards import judging, scorecard
from scorecards.changes import LevelChange, named
from scorecards.checks.definitions import LEVEL_MEANINGS, level_name
from scorecards.documents import Document, check_form, told_override
from scorecards.loading import load

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unknown": "[yellow]? unknown[/]",
    "waived": "[cyan]~ waived[/]",
    "inherited": "[green]✓ inherited[/]",
}
BAR_WIDTH = 20


CATALOGUES = "portal_backend.commands.catalogues"
LAZY = {
    "attestations": Lazy(
        "portal_backend.commands.attestations",
        "attestations",
        "List what people vouch for where no source can show it, add to it, and import what was attested elsewhere.",
    ),
    "waivers": Lazy(
        "portal_backend.commands.waivers",
        "waivers",
        "List waivers, ask for one, decide on somebody else's, and import what was waived elsewhere.",
    ),
    "simulate": Lazy(
        CATALOGUES,
        "simulate",
        "Tell what changed check FILEs would do to today's services; nothing is written.",
    ),
    "import": Lazy(
        "portal_backend.commands.importing",
        "import_checks",
        "Make checks of a checklist (Markdown, HTML, AsciiDoc, CSV, YAML, …) or of a scorecard of Cortex, Soundcheck, "
        "Port, OpsLevel, DX, Harness, Compass, Datadog or Tech Insights; needs no database.",
    ),
    "validate": Lazy(
        CATALOGUES,
        "validate",
        "Check files and folders of checks beside the default ones; needs no database.",
    ),
}


@click.group(cls=LazyGroup, lazy=LAZY)
def scorecards() -> None:
    """Show how ready services are, judge them again, and list the checks."""


@scorecards.command()
@click.argument("ref")
@click.option("--all", "everything", is_flag=True, help="Show passing checks too, and those that do not apply.")
@as_json
@with_app
def show(ref: str, everything: bool, json_output: bool) -> None:
    """Show the scorecard of a service: `checkout`, or `component:default/checkout`."""
    with reading() as session:
        card = scorecard.read(session, judging.current(), service_ref(ref), clock.now())
    if json_output:
        print_json(card)
        return
    _show_head(card)
    _show_axes(card)
    _show_steps(card)
    _show_results(card, everything)


@scorecards.command()
@click.argument("refs", metavar="[REF]...", nargs=-1)
@as_json
@with_app
def evaluate(refs: Sequence[str], json_output: bool) -> None:
    """Judge services again by what is known of them now (without REF: all). Exit code 1 when one is below its level."""
    wanted = [service_ref(ref) for ref in refs]
    now = clock.now()
    if wanted:
        _require_services(wanted)
        with transaction() as session:
            moved = judgement.judge(session, wanted, now)
    else:
        moved = judgement.judge_all()
    with reading() as session:
        standings = scorecard.standings(session, wanted or None)
    below = [standing for standing in standings if standing["distance"]]
    if json_output:
        changes = [_move(move) for move in moved]
        print_json({"judged": len(standings), "below_required": len(below), "services": standings, "changes": changes})
    else:
        _show_standings(standings, moved)
        console.print(
            f"{len(standings)} services judged, {len(below)} below the level that their criticality asks for."
        )
    if below:
        raise SystemExit(FOUND_FAULT)


@scorecards.command()
@as_json
@with_app
def checks(json_output: bool) -> None:
    """List the checks of the catalogue."""
    catalogue = judging.current().catalogue
    if json_output:
        print_json([check_form(check) for check in catalogue.checks.values()])
        return
    print_table(
        ("check", "axis", "level", "weight", "criticality", "question"),
        [
            (check.id, check.axis, level_name(check.level), check.weight, check.criticality, check.question)
            for check in catalogue.checks.values()
        ],
    )


def _require_services(refs: Sequence[str]) -> None:
    with reading() as session:
        known = load(session, judging.current(), refs, clock.now()).subjects
    unknown = [ref for ref in refs if ref not in known]
    if unknown:
        raise NotFound(f"The catalog has no service {', '.join(unknown)}; `portal catalog list` shows what it has.")


def _move(move: LevelChange) -> dict[str, Any]:
    return {
        "ref": move.ref,
        "from": move.from_level,
        "to": move.to_level,
        "cause": move.cause,
        "sentence": move.sentence,
        "checks": move.checks,
    }


def _show_standings(standings: Sequence[Document], moved: Sequence[LevelChange]) -> None:
    rows = [
        (one["ref"], one["level"], one["required_level"], _percent(one["percent"]), _percent(one["coverage"]))
        for one in standings
    ]
    print_table(("service", "level", "required", "percent", "coverage"), rows)
    for move in moved:
        console.print(f"{escape(move.ref)}: {escape(move.sentence)}", soft_wrap=True)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"


def _show_head(card: Document) -> None:
    console.print(f"\n[bold]{escape(card['title'])}[/]  {escape(card['ref'])}")
    console.print(escape(card["summary"]), soft_wrap=True)
    if card["frozen"]:
        console.print(f"[yellow]{escape(card['frozen']['sentence'])}[/]", soft_wrap=True)
    for source in card["sources"]:
        if source["failure"]:
            console.print(f"[yellow]The source {escape(source['name'])} is failing:[/] {escape(source['failure'])}")
    if card["simulated_sources"]:
        console.print(f"[magenta]Simulated, no real system:[/] {escape(', '.join(card['simulated_sources']))}")


def _show_axes(card: Document) -> None:
    table = Table(
        "axis", "level", "percent", "", "coverage", "pass", "fail", "unknown", header_style="bold", pad_edge=False
    )
    for axis in [*card["axes"], {**card, "title": "All together"}]:
        counts = axis["counts"]
        cells: list[Any] = [axis["title"], axis["level"] or "–", _percent(axis["percent"]), _bar(axis["percent"])]
        table.add_row(*cells, _percent(axis["coverage"]), *(str(counts[word]) for word in ("pass", "fail", "unknown")))
    console.print(table)


def _bar(percent: float | None) -> str:
    if percent is None:
        return ""
    full = round(percent / 100 * BAR_WIDTH)
    return f"[green]{'█' * full}[/][dim]{'░' * (BAR_WIDTH - full)}[/]"


def _show_steps(card: Document) -> None:
    if not card["next_steps"]:
        console.print("[green]Nothing is left to do.[/]")
        return
    console.print("[bold]First things to do[/]")
    for number, step in enumerate(card["next_steps"], 1):
        who = " [dim](for the portal's operators)[/]" if step["who"] == "portal_operators" else ""
        effort = f"[dim]({step['effort']})[/]"
        console.print(f"{number}. {effort} {escape(step['sentence'])}{who}", soft_wrap=True)
        if also := step["also_helps"]["checks"]:
            count = step["also_helps"]["count"]
            other = "1 more check" if count == 1 else f"{count} more checks"
            console.print(f"   [dim]The same helps {other} ({escape(named(also, count))}).[/]", soft_wrap=True)
        if len(step["checks"]) > 1:
            console.print(f"   {escape(step['reach']['sentence'])}", soft_wrap=True)
    console.print(f"→ {escape(card['reach']['sentence'])}", soft_wrap=True)


def _show_results(card: Document, everything: bool) -> None:
    local = settings.current().config.local_address
    order = {"fail": 0, "unknown": 1, "waived": 2}
    results = [*card["results"], *card["shadow_results"]]
    for result in sorted(results, key=lambda one: (one["shadow"], order.get(one["status"], len(order)))):
        if result["status"] not in order and not everything:
            continue
        mark = MARKS.get(result["status"], "[dim]– not applicable[/]")
        meaning = f"{result['level']} {LEVEL_MEANINGS[result['level']]}, {result['criticality']}{_counts_from(result)}"
        console.print(f"\n{mark} [bold]{escape(result['title'])}[/] [dim]{result['check']}, {meaning}[/]")
        console.print(f"  {escape(result['sentence'])}", soft_wrap=True)
        for step in result["remedy"]:
            console.print(f"  → {escape(step)}", soft_wrap=True)
        for override in result["overridden"]:
            console.print(f"  [dim]{escape(told_override(override))}[/]", soft_wrap=True)
        if result["status"] in order:
            console.print(f"  [dim]Guide: {escape(urljoin(local, result['guide_url']))}[/]", soft_wrap=True)
        for fact in result["facts"]:
            console.print(f"  [dim]{escape(_fact(fact))}[/]", soft_wrap=True)


def _counts_from(result: Document) -> str:
    """Say of a check in shadow that it counts for nothing, and until when."""
    if not result["shadow"]:
        return ""
    return f"; in shadow, counts from {result['enforced_from'][:10]}" if result["enforced_from"] else "; in shadow"


def _fact(fact: Document) -> str:
    origin = f" from {fact['source']}{' (simulated)' if fact['simulated'] else ''}" if fact["source"] else ""
    seen = f", observed {whole_seconds(fact['observed_at'])}" if fact["observed_at"] else ""
    return f"{fact['key']} = {fact['display']}{origin}{seen}, {fact['state']}"
