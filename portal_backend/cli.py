"""The installed command `portal`."""

from pathlib import Path

import click

from portal_backend.commands.lazy import Lazy, LazyGroup

PACKAGE = "portal_backend.commands"
COMMANDS = {
    "catalog": Lazy(f"{PACKAGE}.catalog", "catalog", "Register, check and read the files that say what exists."),
    "db": Lazy(f"{PACKAGE}.serving", "database", "Look after the database's schema."),
    "engagements": Lazy(
        f"{PACKAGE}.engagements",
        "engagements",
        "Show what SRE might take on or hand back, and record who supports what.",
    ),
    "scorecards": Lazy(
        f"{PACKAGE}.scorecards", "scorecards", "Show how ready services are, judge them again, and list the checks."
    ),
    "serve": Lazy(f"{PACKAGE}.serving", "serve", "Run the web server only."),
    "sources": Lazy(f"{PACKAGE}.sources", "sources", "Where observations come from."),
    "token": Lazy(f"{PACKAGE}.tokens", "token", "Issue, list and revoke service tokens."),
    "up": Lazy(
        f"{PACKAGE}.serving",
        "up",
        "Run everything on this machine: the web server and one worker, on the embedded database and broker.",
    ),
    "worker": Lazy(f"{PACKAGE}.serving", "work", "Run a worker that pulls sources and judges services."),
}
"""A test compares the help here with that of the commands themselves."""


@click.group(cls=LazyGroup, lazy=COMMANDS)
@click.version_option(package_name="portal-backend")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PORTAL_CONFIG",
    help="portal.yaml; by default PORTAL_CONFIG, then ./portal.yaml, then the built-in defaults.",
)
def main(config: Path | None) -> None:
    """Run a developer portal's backend: catalog, SRE scorecards, support tiers and engagement history.

    Exit codes: 0 done, 1 ran and found a fault, 2 could not run.
    """


if __name__ == "__main__":
    main()
