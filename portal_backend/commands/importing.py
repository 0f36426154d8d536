"""`portal scorecards import`: checks made of a checklist, or of another product's scorecard."""

import sys
from datetime import date, timedelta
from pathlib import Path

import click
from rich.markup import escape

from portal_backend.commands.common import FOUND_FAULT, as_json, complaints, console, give_up, named_config, print_json
from portal_backend.core import clock
from portal_backend.core.config import load_config
from portal_backend.core.errors import Fault, InvalidInput, PortalError
from portal_backend.settings import declared_facts, option_schemas
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.importing.drafts import Draft, Outcome
from scorecards.importing.making import Options
from scorecards.importing.reading import prefix_of, read_draft
from scorecards.importing.writing import as_yaml, counted, report

SHADOW_DAYS = 30


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the checks to this file.")
@click.option("--prefix", help="What the ids of new checks begin with; else the first part of the file's name.")
@click.option("--owner", default="sre", show_default=True, help="Who keeps the new checks.")
@click.option("--level", default=2, show_default=True, type=click.IntRange(1, 4), help="Where the file names none.")
@click.option(
    "--enforce-from",
    type=click.DateTime(["%Y-%m-%d"]),
    help=f"The day from which new checks count; else {SHADOW_DAYS} days from now. Until then they are in shadow.",
)
@as_json
def import_checks(
    file: Path,
    output: Path | None,
    prefix: str | None,
    owner: str,
    level: int,
    enforce_from: object,
    json_output: bool,
) -> None:
    """Make checks of a checklist (Markdown, HTML, AsciiDoc, CSV, YAML, …) or of a scorecard of Cortex, Soundcheck,
    Port, OpsLevel, DX, Harness, Compass, Datadog or Tech Insights; needs no database.

    Each line is mapped to a check of the catalogue, answered by facts, or attested by people; what cannot be said is
    listed. Exit code 1 when something could not be said.
    """
    today = clock.now().date()
    counts_from = enforce_from.date() if hasattr(enforce_from, "date") else today + timedelta(days=SHADOW_DAYS)
    defaults = _defaults(file, owner, today, counts_from)
    try:
        known = {**VOCABULARY, **declared_facts(load_config(named_config(), option_schemas()))}
        options = Options(prefix or prefix_of(file.name), known, level)
        draft = read_draft(file.name, _text(file), options, defaults)
    except PortalError as error:
        give_up(error)
    written = as_yaml(draft, defaults)
    if output:
        output.write_text(written, encoding="utf-8")
    if json_output:
        print_json(report(draft))
    else:
        _show(draft, output, written)
    sys.exit(FOUND_FAULT if draft.counts()[Outcome.NOT_SAID] or not draft.said else 0)


def _defaults(file: Path, owner: str, today: date, counts_from: date) -> dict[str, object]:
    return {
        "owner": owner,
        "version": 1,
        "effort": "days",
        "sources": [file.name],
        "introduced_at": today.isoformat(),
        "enforce_from": counts_from.isoformat(),
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a mark
    except UnicodeError as error:
        told = f"it is not written in UTF-8 ({error}); save it so"
        raise InvalidInput(f"{file} cannot be read: {told}.", [Fault(file.name, told)]) from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error}", [Fault(file.name, str(error))]) from error


def _show(draft: Draft, output: Path | None, written: str) -> None:
    """Print the checks, or say where they are; what became of the lines goes beside them."""
    if output is None:
        console.print(escape(written), soft_wrap=True, highlight=False)
    about = console if output else complaints
    about.print(escape(f"{draft.format}: {counted(draft)}"), soft_wrap=True)
    for note in draft.notes:
        about.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    if output:
        about.print(f"Next: portal scorecards validate {output}; portal scorecards simulate {output}", soft_wrap=True)
