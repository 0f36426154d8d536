"""What the commands about attestations and those about waivers share."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
from marshmallow import Schema, ValidationError
from rich.markup import escape
from sqlalchemy.orm import Session

from portal_backend.commands.common import console, operator, print_json
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import transaction
from portal_backend.core.errors import InvalidInput, flatten_messages
from portal_backend.core.pagination import MAX_LIMIT
from scorecards import judging
from scorecards.changes import LevelChange
from scorecards.exceptions import settings
from scorecards.exceptions.importing import Entry, Report
from scorecards.exceptions.listing import Wanted
from scorecards.exceptions.people import owner_ref
from scorecards.exceptions.recording import Done, begin, settle

Value = TypeVar("Value")
Command = TypeVar("Command", bound=Callable[..., Any])


def list_options(states: Sequence[str]) -> Callable[[Command], Command]:
    """Return what gives a command the options of a filtered and paged list, of which some become `wanted`."""
    options = (
        click.option("--service", "ref", help="Of this one: `checkout`, or `component:default/checkout`."),
        click.option("--owner", help="Of the services that this group owns."),
        click.option("--check", "checks", multiple=True, help="Repeatable."),
        click.option("--state", "states", multiple=True, type=click.Choice(states), help="Repeatable."),
        click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True),
        click.option("--cursor", help="Where the page before ended."),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def wanted(ref: str | None, owner: str | None, checks: Sequence[str], states: Sequence[str]) -> Wanted:
    """Return what a list is asked for; raises InvalidInput for references that cannot be read."""
    return Wanted(service_ref(ref) if ref else None, states, checks, owner_ref(owner))


def load_body(schema: Schema, body: dict[str, Any], what: str) -> dict[str, Any]:
    """Load what was said; raises InvalidInput that names each fault, and what has them."""
    try:
        found: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise InvalidInput(f"The {what} has faults.", flatten_messages(error.messages)) from error
    return found


def carry_out(
    act: Callable[[Session, datetime], Done[Value]],
    form_of: Callable[[Value, datetime], dict[str, Any]],
    line_of: Callable[[dict[str, Any], str], str],
    json_output: bool,
    rejudges: bool = True,
) -> None:
    """Do something in a transaction, and tell its form, or in a line what came of it and which levels moved.

    `line_of` is given the form and ", as before" where nothing happened. A mere request is nothing to judge anew by.
    """
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = act(session, now)
        moved = settle(session, done.happenings, now, rejudged=None if rejudges else ())
        form = form_of(done.value, now)
    if json_output:
        print_json(form)
        return
    console.print(line_of(form, "" if done.happenings else ", as before"), soft_wrap=True)
    _tell(moved)


def run_import(entries: Sequence[Entry], take: Callable[..., Report], dry_run: bool, json_output: bool) -> None:
    """Import entries of a file in one transaction by `take`, which keeps all or none of them, and tell what it did."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        report = take(session, judging.current(), settings.current(), entries, operator(), now)
        moved = settle(session, report.happenings, now)
        if dry_run:
            session.rollback()
    if json_output:
        levels = [{"ref": move.ref, "from": move.from_level, "to": move.to_level} for move in moved]
        done = {"recorded": report.recorded, "unchanged": report.unchanged, "levels": levels}
        print_json({"dry_run": dry_run, **done})
        return
    would = "would be " if dry_run else ""
    console.print(f"{len(report.recorded)} {would}recorded, {len(report.unchanged)} unchanged.")
    _tell(moved)


def _tell(moved: Iterable[LevelChange]) -> None:
    for move in moved:
        console.print(f"{escape(move.ref)}: {escape(move.sentence)}", soft_wrap=True)
