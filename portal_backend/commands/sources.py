"""`portal sources`: what is configured and how it is doing, whether it can be reached, and a pull by hand."""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

import catalog.services
from plugins import declarations, pulling, registry
from plugins.circuit import CircuitState
from plugins.contract import Connector, FailureKind, PullFailed, Target
from plugins.health import health, unknown_source
from plugins.http_client import Limits
from portal_backend.commands import common
from portal_backend.core import clock
from portal_backend.core.config import Config, SourceConfig
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar

    from portal_backend import pipeline

CHECK_LIMITS = Limits(read_seconds=20, total_seconds=30, attempts=2)
"""Somebody is waiting for the answer."""
SHOWN = 5
"""Of a list of troubles, to a person; --json has more."""


@dataclass(frozen=True)
class Finding:
    """What a check of one source found."""

    name: str
    ok: bool
    kind: str | None
    """What is wrong, in one word; None when nothing is."""
    message: str
    """What answered, or what is wrong."""
    remedy: str | None
    """Who has to do what about it."""


REMEDIES = {
    "unreachable": "address or network: check url, and that this machine may reach it",
    "timeout": "address or load: check url, and how busy the source is",
    "credentials": "credentials: check auth, and that the secret is set and still valid",
    "permission": "permission: grant the credentials what the connector needs: {permissions}",
    "rate_limited": "wait, or raise every",
    "bad_answer": "address or options: check that url is the root of the API, not a sign-in page or another product",
    "internal": "the portal: look at its log",
    "misconfigured": "configuration: correct the source in portal.yaml, or the annotations in the catalog",
}
NOT_FOUND = "address: correct url in portal.yaml; it is the root of the API, without the path of a page"
BROKEN = "the source: it is there and fails; its own log says why"
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
    done = all(report.outcome is pipeline.Outcome.DONE for report in reports)
    sys.exit(common.DONE if done else common.FOUND_FAULT)


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


def check_source(config: Config, source: SourceConfig, targets: Sequence[Target]) -> Finding:
    """Try one source; a fault of the source is a finding, never an error."""
    permissions = ""
    try:
        connector = registry.connector(source.plugin)
        permissions = "; ".join(connector.permissions)
        with pulling.open_client(source, CHECK_LIMITS) as client:
            context = pulling.make_context(source, client, targets, clock.now(), base_dir=config.base_dir)
            return Finding(source.name, True, None, pulling.check(connector, context), None)
    except PullFailed as failure:
        remedy = _remedy(failure).format(permissions=permissions)
        return Finding(source.name, False, str(failure.kind), failure.message, remedy)


def _remedy(failure: PullFailed) -> str:
    """Return who has to do what; a status tells it better than the kind that it stands for."""
    if failure.kind is FailureKind.MISCONFIGURED and failure.status is not None:
        return NOT_FOUND
    if failure.kind is FailureKind.BAD_ANSWER and failure.status is not None and failure.status >= 500:
        return BROKEN
    return REMEDIES[failure.kind]


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
