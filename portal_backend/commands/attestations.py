"""`portal scorecards attestations`: what people vouch for where no source can show it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError
from rich.markup import escape

from catalog.format.refs import parse_ref
from portal_backend.commands.common import (
    as_json,
    console,
    operator,
    print_json,
    print_table,
    whole_seconds,
    with_app,
)
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import InvalidInput, flatten_messages
from portal_backend.core.pagination import MAX_LIMIT
from scorecards import judging
from scorecards.exceptions import attestations as domain
from scorecards.exceptions import settings
from scorecards.exceptions.import_files import read_attestations
from scorecards.exceptions.importing import Entry, Report
from scorecards.exceptions.importing_attestations import take_attestations
from scorecards.exceptions.listing import ATTESTATION_STATES, Wanted, attestation_form, list_attestations
from scorecards.exceptions.people import find_service, owner_ref
from scorecards.exceptions.recording import begin, settle
from scorecards.exceptions.schemas import AnswerSchema, AttestationPageSchema, AttestationSchema


@click.group()
def attestations() -> None:
    """List what people vouch for where no source can show it, add to it, and import what was attested elsewhere."""


@attestations.command("list")
@click.option("--service", "ref", help="Of this one: `checkout`, or `component:default/checkout`.")
@click.option("--owner", help="Of the services that this group owns.")
@click.option("--check", "checks", multiple=True, help="Repeatable.")
@click.option("--state", "states", multiple=True, type=click.Choice(ATTESTATION_STATES), help="Repeatable.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--cursor", help="Where the page before ended.")
@as_json
@with_app
def list_all(cursor: str | None, limit: int, json_output: bool, **asked: Any) -> None:
    """List attestations: of one service the latest first, else whichever ends first."""
    ref = service_ref(asked["ref"]) if asked["ref"] else None
    wanted = Wanted(ref, asked["states"], asked["checks"], owner_ref(asked["owner"]))
    with reading() as session:
        page = list_attestations(session, wanted, cursor, limit, clock.now())
        answer = AttestationPageSchema().dump(page)
    if json_output:
        print_json(answer)
        return
    print_table(
        ("service", "check", "holds", "state", "by", "on", "until", "statement"),
        [
            (
                *(one["ref"], one["check"], "yes" if one["holds"] else "no", one["state"], one["attested_by"]),
                *(whole_seconds(one["attested_at"]), whole_seconds(one["expires_at"]), one["statement"]),
            )
            for one in answer["items"]
        ],
    )
    if page.next_cursor:
        console.print(f"There is more: --cursor {page.next_cursor}", soft_wrap=True)


@attestations.command()
@click.argument("ref")
@click.argument("check")
@click.option("--statement", required=True, help="What was seen, where and when.")
@click.option("--evidence-url", help="Where the evidence lies; a pass needs it.")
@click.option("--does-not-hold", is_flag=True, help="What the check asks for is not so: an honest answer too.")
@click.option("--expires-at", help="An earlier end than the check sets: 2027-01-31T00:00:00Z.")
@as_json
@with_app
def give(ref: str, check: str, does_not_hold: bool, json_output: bool, **said: Any) -> None:
    """Attest CHECK for a service, in the name of this account. Safe to repeat on the same day."""
    body = {"check": check, "holds": not does_not_hold, **{key: value for key, value in said.items() if value}}
    try:
        loaded = AnswerSchema().load(body)
    except ValidationError as error:
        raise InvalidInput("The attestation has faults.", flatten_messages(error.messages)) from error
    now, whole = clock.now(), parse_ref(service_ref(ref))
    with transaction() as session:
        begin(session)
        service = find_service(session, judging.current(), whole.kind, whole.namespace, whole.name)
        answer = domain.Answer(**loaded)
        done = domain.give(session, judging.current(), settings.current(), service, answer, operator(), now)
        moved = settle(session, done.happenings, now)
        form = AttestationSchema().dump(attestation_form(done.value, now))
    if json_output:
        print_json(form)
        return
    console.print(
        f"{service.ref} {check}: attested by {escape(form['attested_by'])} until {whole_seconds(form['expires_at'])}"
        f"{'' if done.happenings else ', as before'}.",
        soft_wrap=True,
    )
    for move in moved:
        console.print(f"{escape(move.ref)}: {escape(move.sentence)}", soft_wrap=True)


@attestations.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and tell what it would do; nothing is written.")
@as_json
@with_app
def import_file(file: Path, dry_run: bool, json_output: bool) -> None:
    """Take over what people attested before this portal knew of it (a YAML list): all of it or nothing. Safe to repeat.

    Exit code 2, with the place and the fault of each entry, when one cannot be taken.
    """
    run_import(read_attestations(file), take_attestations, dry_run, json_output)


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
    for move in moved:
        console.print(f"{escape(move.ref)}: {escape(move.sentence)}", soft_wrap=True)
