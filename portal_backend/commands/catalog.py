"""`portal catalog`: what exists, and what is wrong with the files that say so."""

import click

from portal_backend.commands.lazy import Lazy, LazyGroup

PACKAGE = "portal_backend.commands"
COMMANDS = {
    "add": Lazy(
        f"{PACKAGE}.catalog_files",
        "add",
        "Register files, folders, patterns or http(s) URLs, and read them now.",
    ),
    "discover": Lazy(
        f"{PACKAGE}.catalog_discovery",
        "discover",
        "Ask the providers of portal.yaml for catalog files now, and register what they find.",
    ),
    "faults": Lazy(f"{PACKAGE}.catalog_reading", "faults", "List what the last reads found wrong."),
    "history": Lazy(
        f"{PACKAGE}.catalog_life",
        "history",
        "Show what happened to an entity, newest first: when, by which location or person, and what differs.",
    ),
    "list": Lazy(f"{PACKAGE}.catalog_reading", "list_", "List the entities of the catalog."),
    "locations": Lazy(
        f"{PACKAGE}.catalog_reading", "locations", "List the registered locations and how their last read went."
    ),
    "providers": Lazy(
        f"{PACKAGE}.catalog_discovery", "providers", "List the providers of portal.yaml and how their last runs went."
    ),
    "refresh": Lazy(
        f"{PACKAGE}.catalog_files", "refresh", "Read every location again, those that portal.yaml names included."
    ),
    "show": Lazy(
        f"{PACKAGE}.catalog_reading", "show", "Show one entity, `component:default/checkout`, with its relations."
    ),
    "unprocessed": Lazy(
        f"{PACKAGE}.catalog_life", "unprocessed", "List the entities that never passed, with the cause."
    ),
    "validate": Lazy(
        f"{PACKAGE}.catalog_validation",
        "validate",
        "Check files, folders or patterns without storing anything; needs no database.",
    ),
}
"""A test compares the help here with that of the commands themselves."""


@click.group("catalog", cls=LazyGroup, lazy=COMMANDS)
def catalog() -> None:
    """Register, check and read the files that say what exists."""
