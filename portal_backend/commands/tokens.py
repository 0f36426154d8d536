"""`portal token`: service tokens."""

import sys
from typing import Any

import click

from portal_backend.commands.common import (
    COULD_NOT_RUN,
    as_json,
    complaints,
    console,
    print_json,
    print_table,
    with_app,
)
from portal_backend.core import clock
from portal_backend.core.config_schema import parse_duration
from portal_backend.core.db import reading, transaction
from portal_backend.core.principal import Role
from portal_backend.core.tokens import ServiceToken, issue_token, list_tokens, revoke_token


@click.group("token")
def token() -> None:
    """Issue, list and revoke service tokens."""


@token.command("issue")
@click.option("--name", required=True, help="Whom the token speaks for: the actor in the history.")
@click.option("--role", "roles", multiple=True, type=click.Choice([role.value for role in Role]), help="Repeatable.")
@click.option("--scope", "scopes", multiple=True, default=("*:read",), show_default=True, help="Repeatable.")
@click.option("--expires-in", default="90d", show_default=True, help="For example 12h, 90d; at most 366d.")
@as_json
@with_app
def issue(name: str, roles: tuple[str, ...], scopes: tuple[str, ...], expires_in: str, json_output: bool) -> None:
    """Make a token and show it, once."""
    try:
        lifetime = parse_duration(expires_in)
    except ValueError as error:
        complaints.print(f"--expires-in: {error}")
        sys.exit(COULD_NOT_RUN)
    with transaction() as session:
        issued = issue_token(session, name, roles, scopes, lifetime, clock.now())
        described = {"token": issued.text, **_describe(issued.token)}
    if json_output:
        print_json(described)
        return
    complaints.print("This is shown once; only a hash of it is kept. Send it as 'Authorization: Bearer …'.")
    click.echo(described["token"])


@token.command("list")
@as_json
@with_app
def show(json_output: bool) -> None:
    """List the tokens that were issued."""
    with reading() as session:
        tokens = [_describe(entry) for entry in list_tokens(session)]
    if json_output:
        print_json(tokens)
        return
    columns = ("id", "name", "roles", "scopes", "expires_at", "revoked_at")
    print_table(columns, [[_cell(entry[column]) for column in columns] for entry in tokens])


@token.command("revoke")
@click.argument("token_id")
@as_json
@with_app
def revoke(token_id: str, json_output: bool) -> None:
    """End a token now."""
    with transaction() as session:
        described = _describe(revoke_token(session, token_id, clock.now()))
    if json_output:
        print_json(described)
    else:
        console.print(f"Token {token_id} of {described['name']} is revoked.")


def _describe(entry: ServiceToken) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "roles": entry.roles,
        "scopes": entry.scopes,
        "created_at": clock.format_time(entry.created_at),
        "expires_at": clock.format_time(entry.expires_at),
        "revoked_at": entry.revoked_at and clock.format_time(entry.revoked_at),
    }


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value
