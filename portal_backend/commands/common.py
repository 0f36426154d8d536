"""What every subcommand shares: the application, exit codes, and output for people and for programs."""

import contextlib
import functools
import getpass
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TextIO, TypeVar

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from portal_backend.core.clock import format_time
from portal_backend.core.config import Config, load_config
from portal_backend.core.errors import Fault, InvalidInput, PortalError
from portal_backend.core.principal import ALL_SCOPES, Principal, Role

if TYPE_CHECKING:
    from flask import Flask
    from marshmallow import Schema

DONE, FOUND_FAULT, COULD_NOT_RUN = 0, 1, 2

P = ParamSpec("P")
R = TypeVar("R")

UNCUT = 1000
FRACTION = re.compile(r"\.\d+(?=Z$)")
"""The parts of a second in an RFC 3339 time."""


def _console(stream: TextIO, stderr: bool = False) -> Console:
    """Return a console that cuts lines to a terminal's width, and to none for a pipe or file unless COLUMNS asks."""
    if stream.isatty() or "COLUMNS" in os.environ:
        return Console(stderr=stderr)
    return Console(stderr=stderr, width=UNCUT, height=UNCUT)


console = _console(sys.stdout)
complaints = _console(sys.stderr, stderr=True)


def operator() -> Principal:
    """Return who works at this command line: an administrator, told in the history by the account's name."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "unknown account"
    return Principal(f"{account} (command line)", frozenset({Role.ADMINISTRATOR}), frozenset({ALL_SCOPES}))


def create_app(config: Config) -> "Flask":
    """Return the application that commands run in. It is imported here: no help or usage error needs it."""
    from portal_backend.foundation import create_foundation

    return create_foundation(config)


def create_catalog_app(config: Config) -> "Flask":
    """Return an application of the database and the catalog's settings alone, which is there in a third of the time.

    Raises InvalidInput that names each fault of the catalog's settings.
    """
    from flask import Flask

    import catalog.settings
    from catalog.settings_loading import load_settings
    from portal_backend.core import db

    app = Flask("portal_backend")
    db.init_app(app, config.database_url)
    settings = load_settings(config.catalog, config.locations, config.catalog_every, config.base_dir)
    catalog.settings.init_app(app, settings)
    return app


def require_schema() -> None:
    """Raise SchemaOutdated unless the database has this release's schema. Needs an app context."""
    from portal_backend import migrations

    migrations.require_schema()


def configured() -> Config:
    """Return the checked configuration that this invocation names by --config, PORTAL_CONFIG or ./portal.yaml.

    Raises InvalidInput, also when its data folder can neither be found nor made.
    """
    from plugins import registry

    return _with_data_folder({name: one.options_schema for name, one in registry.connectors().items()})


def configured_catalog() -> Config:
    """Return the configuration like `configured`, the options of the sources unread, so that no connector is loaded."""
    return _with_data_folder(None)


def _with_data_folder(option_schemas: "Mapping[str, type[Schema]] | None") -> Config:
    config = load_config(named_config(), option_schemas)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{config.data_dir} cannot be made: {error.strerror}; name another folder"
        raise InvalidInput("the data folder is missing", [Fault("data_dir", message)]) from error
    return config


def named_config() -> Path | None:
    """Return the file that --config names in this invocation, if any."""
    context = click.get_current_context(silent=True)
    path: Path | None = context.find_root().params.get("config") if context else None
    return path


def with_app(function: Callable[P, R]) -> Callable[P, R]:
    """Run a command inside the application's context, on a database that has this release's schema.

    What a caller can mend ends the command with exit code 2 and a message that says how.
    """
    return _inside(lambda: create_app(configured()), function)


def with_catalog(function: Callable[P, R]) -> Callable[P, R]:
    """Run a command like `with_app`, with the database and the catalog's settings only: for what judges nothing."""
    return _inside(lambda: create_catalog_app(configured_catalog()), function)


def with_sources(function: Callable[Concatenate[Config, P], R]) -> Callable[P, R]:
    """Run a command like `with_catalog`, and give it the configuration, the options of the sources checked."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        found: list[Config] = []

        def make_app() -> "Flask":
            found.append(configured())
            return create_catalog_app(found[0])

        return _inside(make_app, lambda: function(found[0], *args, **kwargs))()

    return run


def _inside(make_app: "Callable[[], Flask]", function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with giving_up(), make_app().app_context():
            require_schema()
            return function(*args, **kwargs)

    return run


@contextlib.contextmanager
def giving_up() -> Iterator[None]:
    """End with exit code 2 where the block meets what a caller can mend, or no database that answers."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except PortalError as error:
        give_up(error)
    except SQLAlchemyError as error:
        complaints.print(f"[red]The database does not answer:[/] {escape(str(error.__cause__ or error))}")
        sys.exit(COULD_NOT_RUN)


def give_up(error: PortalError) -> NoReturn:
    """Print an error with all its faults, and end with exit code 2."""
    complaints.print(f"[red]Could not run:[/] {escape(error.message)}", soft_wrap=True)
    for fault in error.faults:
        complaints.print(f"  [bold]{escape(fault.path)}[/]: {escape(fault.message)}", soft_wrap=True)
    sys.exit(COULD_NOT_RUN)


def as_json(function: Callable[P, R]) -> Callable[P, R]:
    """Add the option --json (parameter `json_output`), which every command has."""
    return click.option("--json", "json_output", is_flag=True, help="Print JSON for programs.")(function)


def print_json(value: Any) -> None:
    """Print a value as one JSON document; times in RFC 3339 UTC."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATETIME
    click.echo(orjson.dumps(value, default=_plain, option=options).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print rows for a person; None stays blank."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console.print(table)


def tell_of_more(cursor: str | None) -> None:
    """Print how to go on where a page ended before its list did."""
    if cursor:
        console.print(f"There is more: --cursor {cursor}", soft_wrap=True)


def whole_seconds(time: str) -> str:
    """Return an RFC 3339 time in UTC as a person wants it: without the parts of a second."""
    return FRACTION.sub("", time)


def _plain(value: Any) -> Any:
    if hasattr(value, "tzinfo"):
        return format_time(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
