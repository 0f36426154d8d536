"""`portal sources`: what is configured and how it is doing, whether it can be reached, and a pull by hand."""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

import catalog.services
from plugins import declarations, registry, reports
from plugins.circuit import CircuitState
from plugins.contract import Connector
from plugins.health import health, unknown_source
from plugins.schemas import SourceRunSchema
from portal_backend.commands import common
from portal_backend.commands.source_checks import check_source
from portal_backend.core import clock
from portal_backend.core.config import Config, SourceConfig
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar

    from portal_backend import pipeline

SHOWN = 5
"""Of a list of troubles, to a person; --json has more."""


AT_ONCE = 8
"""Sources that are tried side by side: one that hangs is waited for, and the others with it."""


@click.group()
def sources() -> None:
    """Where observations come from."""


@sources.command("list")
@common.as_json
@common.with_app
def list_sources(json_output: bool) -> None:
    """List the configured sources and how each is doing."""
    from portal_backend import pipeline

    pipeline.prepare()
    with reading() as session:
        found = list(health(session, clock.now()).values())
    if json_output:
        common.print_json([asdict(source) for source in found])
        return
    common.print_table(
        ["Source", "Connector", "Data", "State", "Circuit", "Last success", "Services"],
        [
            [
                source.name,
                source.plugin,
                "simulated" if source.simulated else "real",
                source.state,
                source.circuit.replace("_", " "),
                clock.format_time(source.last_success_at.replace(microsecond=0)) if source.last_success_at else "never",
                f"{source.matched} of {source.targets}" if source.targets else None,
            ]
            for source in found
        ],
    )
    for source in found:
        if source.circuit is not CircuitState.CLOSED:
            common.console.print(f"[bold]{escape(source.name)}[/] circuit {source.circuit_words}", soft_wrap=True)
        _print_troubles(source.name, source.failure_message, source.fault_sample, source.unmatched_sample)


@sources.command("check")
@click.argument("name", required=False)
@common.as_json
@common.with_sources
def check(config: Config, name: str | None, json_output: bool) -> None:
    """Try the address and the credentials of one source, or of all."""
    with reading() as session:
        targets = catalog.services.targets(session, config.service_types)
    chosen = _chosen(config.sources, name)
    with _spinner() as bar, ThreadPoolExecutor(AT_ONCE) as threads:
        bar.add_task(f"checking {', '.join(source.name for source in chosen[:SHOWN])}")
        findings = list(threads.map(lambda source: check_source(config, source, targets), chosen))
    if json_output:
        common.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/]" if finding.ok else f"[red]{finding.kind}[/]"
            common.console.print(f"{mark} [bold]{escape(finding.name)}[/]: {escape(finding.message)}", soft_wrap=True)
            if finding.remedy:
                common.console.print(f"   {escape(finding.remedy)}", soft_wrap=True)
    sys.exit(common.DONE if all(finding.ok for finding in findings) else common.FOUND_FAULT)


@sources.command("collect")
@click.argument("name", required=False)
@common.as_json
@common.with_app
def collect(name: str | None, json_output: bool) -> None:
    """Pull one source now, or all, and judge what changed."""
    from portal_backend import pipeline
    from portal_backend.settings import current

    reports = []
    pipeline.prepare()
    with _spinner() as bar:
        task = bar.add_task("")
        for source in _chosen(pipeline.configured_sources(current().config), name):
            if name is None and not pipeline.is_pulled(source):
                continue
            bar.update(task, description=f"pulling {source.name}")
            reports.append(pipeline.refresh(source.name))
    if json_output:
        common.print_json([_report(report) for report in reports])
    else:
        common.print_table(
            ["Source", "Outcome", "Requests", "Facts", "New events", "Services", "Levels"],
            [_row(report) for report in reports],
        )
        for report in reports:
            faults = [asdict(fault) for fault in report.progress.fault_sample]
            message = report.failure.message if report.failure else None
            _print_troubles(report.source, message, faults, sorted(report.progress.unmatched))
            if report.outcome is pipeline.Outcome.BUSY:
                _print_busy(report.source)
    done = all(report.outcome is pipeline.Outcome.DONE for report in reports)
    sys.exit(common.DONE if done else common.FOUND_FAULT)


@sources.command("runs")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True, help="How many, the newest first.")
@common.as_json
@common.with_app
def runs(name: str, limit: int, json_output: bool) -> None:
    """List the runs of one source, the newest first; one that is under way shows how far it is."""
    with reading() as session:
        found: list[dict[str, Any]] = SourceRunSchema(many=True).dump(reports.list_runs(session, name, limit).items)
    if json_output:
        common.print_json(found)
        return
    common.print_table(
        ["Started", "State", "Requests", "Facts", "Events", "Services", "Unmatched", "Faults"],
        [
            [
                *(run[key] for key in ("started_at", "state", "requests", "facts", "events")),
                f"{run['matched']} of {run['targets']}",
                *(run[key] for key in ("unmatched", "faults")),
            ]
            for run in found
        ],
    )
    for run in found[:1]:
        _print_troubles(name, run["failure_message"], run["fault_sample"], run["unmatched_sample"])


@sources.command("docs")
@click.argument("name", required=False)
@click.option("--write", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write into NAME.md there.")
@common.as_json
def docs(name: str | None, folder: Path | None, json_output: bool) -> None:
    """Print what an installed connector declares, or all of them; --write puts it into their pages."""
    installed = registry.connectors()
    if name is not None and name not in installed:
        common.give_up(NotFound(f"No connector {name} is installed; there are: {', '.join(sorted(installed))}."))
    chosen = {key: connector for key, connector in sorted(installed.items()) if name in {None, key}}
    written = {key: _write_page(connector, folder) for key, connector in chosen.items()} if folder else {}
    if json_output:
        blocks = {key: declarations.page_block(connector) for key, connector in chosen.items()}
        common.print_json([{"name": key, "page": blocks[key], "written": written.get(key)} for key in chosen])
    elif folder:
        common.print_table(["Connector", "Page"], [[key, path] for key, path in written.items()])
    else:
        click.echo("\n\n".join(declarations.page_block(connector) for connector in chosen.values()))


def _write_page(connector: Connector, folder: Path) -> str:
    page = folder / f"{connector.name}.md"
    text = declarations.with_block(page.read_text(), connector) if page.exists() else declarations.new_page(connector)
    folder.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    return str(page)


def _spinner() -> "ProgressBar":
    """Return what tells a person who watches that something goes on."""
    from rich.progress import Progress as ProgressBar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return ProgressBar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=common.complaints,
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _chosen(configured: Sequence[SourceConfig], name: str | None) -> list[SourceConfig]:
    """Return the sources to work on; raises NotFound when the name is none of them."""
    chosen = [source for source in configured if name in {None, source.name}]
    if name is not None and not chosen:
        raise unknown_source(name)
    return chosen


def _print_troubles(
    name: str, failure: str | None, faults: Sequence[Mapping[str, Any]], unmatched: Sequence[str]
) -> None:
    """Print below the table what is wrong with a source, if anything."""
    lines = [f"failed: {failure}"] if failure else []
    lines += [f"{fault['scope']}: {fault['message']}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"and {len(faults) - SHOWN} more faults")
    if unmatched:
        more = ", …" if len(unmatched) > SHOWN else ""
        lines.append(f"names that no service claims: {', '.join(unmatched[:SHOWN])}{more}")
    for line in lines:
        common.console.print(f"[bold]{escape(name)}[/] {escape(line)}", soft_wrap=True)


def _print_busy(name: str) -> None:
    how_far = f"`portal sources runs {name}` shows how far it is."
    common.console.print(
        f"[bold]{escape(name)}[/] is being collected by another run already; {escape(how_far)}", soft_wrap=True
    )


def _report(report: "pipeline.RefreshReport") -> dict[str, Any]:
    progress = report.progress
    return {
        "source": report.source,
        "outcome": str(report.outcome),
        "requests": progress.requests,
        "facts": progress.facts,
        "events_recorded": report.recorded,
        "targets": progress.targets,
        "matched": len(progress.refs),
        "unmatched": sorted(progress.unmatched),
        "faults": [asdict(fault) for fault in progress.fault_sample],
        "rejected": [asdict(rejected) for rejected in report.rejected],
        "level_changes": [asdict(change) for change in report.levels],
        "failure": {"kind": str(report.failure.kind), "message": report.failure.message} if report.failure else None,
    }


def _row(report: "pipeline.RefreshReport") -> list[object]:
    progress = report.progress
    return [
        report.source,
        report.outcome,
        progress.requests,
        progress.facts,
        report.recorded,
        f"{len(progress.refs)} of {progress.targets}",
        len(report.levels),
    ]
