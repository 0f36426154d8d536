"""The command `portal`: its help costs nothing, and tells of every command."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from portal_backend.cli import main
from portal_backend.commands.lazy import LazyGroup

HEAVY = ("flask", "sqlalchemy", "celery", "rich", "granian", "portal_backend.app", "portal_backend.core.config")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below a group with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(main))


def test_the_help_lists_every_command():
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "] == sorted(
        path[0] for path in ALL if len(path) == 1
    )


@pytest.mark.parametrize("path", [(), *ALL], ids=" ".join)
def test_every_command_has_help(path):
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: {' '.join(['main', *path])} ")
    assert not path or ALL[path].help


@pytest.mark.parametrize(
    "path", [path for path, command in [((), main), *ALL.items()] if isinstance(command, LazyGroup)]
)
def test_what_a_group_says_of_a_command_is_what_the_command_says_of_itself(path):
    group = ALL.get(path, main)
    own = {name: ALL[(*path, name)].get_short_help_str(1000) for name in group.lazy}
    assert {name: " ".join(lazy.help.split()).removesuffix(".") for name, lazy in group.lazy.items()} == {
        name: text.removesuffix(".") for name, text in own.items()
    }


def test_an_unknown_command_is_refused_with_exit_code_2():
    done = CliRunner().invoke(main, ["nonsense"])
    assert done.exit_code == 2
    assert "No such command 'nonsense'" in done.output


def test_the_help_imports_nothing_heavy():
    script = f"""
import sys
from portal_backend.cli import main
try:
    main(["--help"])
except SystemExit:
    print("imported:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("imported: []\n")


@pytest.mark.parametrize("group", ["catalog", "engagements", "scorecards", "sources", "token"])
def test_commands_do_without_the_routes(group):
    script = f"""
import sys
from portal_backend.cli import main
from portal_backend import foundation
import click
main.get_command(click.Context(main), {group!r})
print("imported:", [name for name in ("portal_backend.app", "celery", "granian") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "imported: []\n"


LIGHT = {
    ("catalog", "validate"): ("sqlalchemy", "alembic", "requests", "jsonschema"),
    ("catalog", "list"): ("alembic", "requests", "jsonschema", "scorecards", "engagements", "plugins.connectors"),
    ("sources", "check"): ("alembic", "scorecards", "engagements"),
}
"""What a command does without, so that it is there at once."""


@pytest.mark.parametrize("path", LIGHT, ids=" ".join)
def test_a_command_imports_no_more_than_it_needs(path, tmp_path):
    (tmp_path / "a.yaml").write_text("")
    arguments = [*path, *(["a.yaml"] if path == ("catalog", "validate") else [])]
    script = f"""
import sys
from portal_backend.cli import main
try:
    main({arguments!r})
except SystemExit:
    print("imported:", [name for name in {LIGHT[path]!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path
    )
    assert done.stdout.endswith("imported: []\n")
