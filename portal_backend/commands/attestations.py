"""`portal scorecards attestations`: what people vouch for where no source can show it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from sqlalchemy.orm import Session

from catalog.format.refs import parse_ref
from portal_backend.commands.common import (
    as_json,
    operator,
    print_json,
    print_table,
    tell_of_more,
    whole_seconds,
    with_app,
)
from portal_backend.commands.exceptions import carry_out, list_options, load_body, run_import, wanted
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from scorecards import judging
from scorecards.exceptions import attestations as domain
from scorecards.exceptions import settings
from scorecards.exceptions.import_files import read_attestations
from scorecards.exceptions.importing_attestations import take_attestations
from scorecards.exceptions.listing import ATTESTATION_STATES, attestation_form, list_attestations
from scorecards.exceptions.models import AttestationRow
from scorecards.exceptions.people import find_service
from scorecards.exceptions.recording import Done
from scorecards.exceptions.schemas import AnswerSchema, AttestationPageSchema, AttestationSchema


@click.group()
def attestations() -> None:
    """List what people vouch for where no source can show it, add to it, and import what was attested elsewhere."""


@attestations.command("list")
@list_options(ATTESTATION_STATES)
@as_json
@with_app
def list_all(cursor: str | None, limit: int, json_output: bool, **asked: Any) -> None:
    """List attestations: of one service the latest first, else whichever ends first."""
    with reading() as session:
        page = list_attestations(session, wanted(**asked), cursor, limit, clock.now())
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
    tell_of_more(page.next_cursor)


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
    answer = domain.Answer(**load_body(AnswerSchema(), body, "attestation"))
    whole = parse_ref(service_ref(ref))

    def attest(session: Session, now: datetime) -> Done[AttestationRow]:
        service = find_service(session, judging.current(), whole.kind, whole.namespace, whole.name)
        return domain.give(session, judging.current(), settings.current(), service, answer, operator(), now)

    carry_out(attest, _form, _line, json_output)


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


def _form(row: AttestationRow, now: datetime) -> dict[str, Any]:
    form: dict[str, Any] = AttestationSchema().dump(attestation_form(row, now))
    return form


def _line(form: dict[str, Any], before: str) -> str:
    """Say in one line who attested what, and until when."""
    by = f"attested by {escape(form['attested_by'])} until {whole_seconds(form['expires_at'])}"
    return f"{escape(form['ref'])} {escape(form['check'])}: {by}{before}."
