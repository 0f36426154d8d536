"""The installed command `portal`."""

from pathlib import Path

import click

from portal_backend.commands.catalog import catalog
from portal_backend.commands.catalogues import simulate, validate
from portal_backend.commands.engagements import engagements
from portal_backend.commands.scorecards import scorecards
from portal_backend.commands.serving import database, serve, up, work
from portal_backend.commands.sources import sources
from portal_backend.commands.tokens import token


@click.group()
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


for command in (simulate, validate):
    scorecards.add_command(command)
for command in (catalog, database, engagements, scorecards, serve, sources, token, up, work):
    main.add_command(command)


if __name__ == "__main__":
    main()
