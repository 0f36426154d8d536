"""A group of commands that are imported when one of them is called, so that the others cost nothing."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class Lazy(NamedTuple):
    """Where a command stands, and what the group's help says of it without importing it."""

    module: str
    attribute: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are named by where they stand."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy] | None = None, **kwargs: Any) -> None:
        """Take the commands by name, besides what any group takes."""
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it is one of the lazy ones; None when there is none of that name."""
        if cmd_name in self.lazy and cmd_name not in self.commands:
            found = self.lazy[cmd_name]
            self.add_command(getattr(import_module(found.module), found.attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._known(name).get_short_help_str(limit)) for name in names])

    def _known(self, name: str) -> click.Command:
        return self.commands.get(name) or click.Command(name, help=self.lazy[name].help)
