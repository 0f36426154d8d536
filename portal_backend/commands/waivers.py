"""`portal scorecards waivers`: which checks a service may do without, for a while."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from sqlalchemy.orm import Session

from catalog.format.refs import parse_ref
from portal_backend.commands.common import as_json, console, operator, print_json, tell_of_more, whole_seconds, with_app
from portal_backend.commands.exceptions import carry_out, list_options, load_body, run_import, wanted
from portal_backend.commands.refs import service_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from scorecards import judging
from scorecards.exceptions import settings
from scorecards.exceptions import waivers as domain
from scorecards.exceptions.import_files import read_waivers
from scorecards.exceptions.importing_waivers import take_waivers
from scorecards.exceptions.listing import WAIVER_STATES, list_waivers, waiver_form
from scorecards.exceptions.models import WaiverRow
from scorecards.exceptions.people import find_service
from scorecards.exceptions.recording import Done
from scorecards.exceptions.schemas import (
    ApprovalSchema,
    ExceptionReasonSchema,
    WaiverPageSchema,
    WaiverRequestSchema,
    WaiverSchema,
)


@click.group()
def waivers() -> None:
    """List waivers, ask for one, decide on somebody else's, and import what was waived elsewhere."""


@waivers.command("list")
@list_options(WAIVER_STATES)
@as_json
@with_app
def list_all(cursor: str | None, limit: int, json_output: bool, **asked: Any) -> None:
    """List waivers: of one service the latest first, else whichever ends first."""
    with reading() as session:
        page = list_waivers(session, wanted(**asked), cursor, limit, clock.now())
        answer = WaiverPageSchema().dump(page)
    if json_output:
        print_json(answer)
        return
    for one in answer["items"]:
        decided = f", decided by {one['decided_by']}" if one["decided_by"] else ""
        console.print(f"{_line(one)}; {one['id']}", soft_wrap=True)
        console.print(f"  asked by {escape(one['requested_by'] + decided)}: {escape(one['reason'])}", soft_wrap=True)
    tell_of_more(page.next_cursor)


@waivers.command()
@click.argument("ref")
@click.argument("check")
@click.option("--reason", required=True, help="Why it cannot be met by then.")
@click.option("--compensating-control", required=True, help="What limits the risk meanwhile.")
@click.option("--until", required=True, help="When it ends, 180 days ahead at most: 2027-01-31T00:00:00Z.")
@click.option("--renews", help="The id of the waiver that this one continues.")
@as_json
@with_app
def request(ref: str, check: str, json_output: bool, **said: Any) -> None:
    """Ask, in the name of this account, that a service may do without CHECK; somebody else decides. Safe to repeat."""
    body = {"check": check, **{key: value for key, value in said.items() if value is not None}}
    terms = load_body(WaiverRequestSchema(), body, "waiver")
    terms["renews"] = str(terms["renews"]) if terms["renews"] else None
    asked_for, whole = domain.WaiverRequest(**terms), parse_ref(service_ref(ref))

    def ask(session: Session, now: datetime) -> Done[WaiverRow]:
        basis = judging.current()
        service = find_service(session, basis, whole.kind, whole.namespace, whole.name)
        return domain.request(session, basis.catalogue, settings.current(), service, asked_for, operator(), now)

    carry_out(ask, _form, _decided, json_output, rejudges=False)


@waivers.command()
@click.argument("id_", metavar="ID")
@click.option("--reason", help="Why it may be.")
@click.option("--until", help="An earlier end than was asked for: 2027-01-31T00:00:00Z.")
@as_json
@with_app
def approve(id_: str, json_output: bool, **said: Any) -> None:
    """Grant a waiver that somebody else asked for, in the name of this account."""
    terms = load_body(ApprovalSchema(), {key: value for key, value in said.items() if value is not None}, "waiver")

    def grant(session: Session, now: datetime) -> Done[WaiverRow]:
        return domain.approve(session, settings.current(), id_, terms["reason"], terms["until"], operator(), now)

    carry_out(grant, _form, _decided, json_output)


@waivers.command()
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help="Why not; it stands in the service's history.")
@as_json
@with_app
def reject(id_: str, reason: str, json_output: bool) -> None:
    """Refuse a waiver that somebody else asked for, in the name of this account."""
    why = load_body(ExceptionReasonSchema(), {"reason": reason}, "waiver")["reason"]

    def refuse(session: Session, now: datetime) -> Done[WaiverRow]:
        return domain.reject(session, id_, why, operator(), now)

    carry_out(refuse, _form, _decided, json_output, rejudges=False)


@waivers.command()
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help="Why; it stands in the service's history.")
@as_json
@with_app
def end(id_: str, reason: str, json_output: bool) -> None:
    """Withdraw a request, or end a waiver before its time, in the name of this account."""
    why = load_body(ExceptionReasonSchema(), {"reason": reason}, "waiver")["reason"]

    def stop(session: Session, now: datetime) -> Done[WaiverRow]:
        return domain.end(session, id_, why, operator(), now)

    carry_out(stop, _form, _decided, json_output)


@waivers.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and tell what it would do; nothing is written.")
@as_json
@with_app
def import_file(file: Path, dry_run: bool, json_output: bool) -> None:
    """Take over what was waived, or asked for, before this portal knew of it (a YAML list): all of it or nothing.

    Safe to repeat. Exit code 2, with the place and the fault of each entry, when one cannot be taken.
    """
    run_import(read_waivers(file), take_waivers, dry_run, json_output)


def _form(row: WaiverRow, now: datetime) -> dict[str, Any]:
    form: dict[str, Any] = WaiverSchema().dump(waiver_form(row, now))
    return form


def _decided(form: dict[str, Any], before: str) -> str:
    return f"{_line(form)}{before}; {form['id']}"


def _line(form: dict[str, Any]) -> str:
    """Say in one line what is waived, and until when as far as that is still to come."""
    until = f", until {whole_seconds(form['until'])}" if form["state"] in {"requested", "approved"} else ""
    return f"{escape(form['ref'])} {escape(form['check'])}: {form['state']}{until}"
