"""Reads plain JSONPaths: names, places and `*`, one after the other. What searches or filters is refused. Pure."""

import re

from plugins.repository_files.structured import MANY

STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)|\[\s*(?P<place>\d+)\s*\]|(?P<many>\[\s*\*\s*\]|\.\*)|\[\s*(?P<sign>['"])(?P<quoted>[^'"]+)(?P=sign)\s*\]"""
)


class NotPlainPath(ValueError):
    """A path that searches, filters or computes; the message names what."""


def steps_of_path(path: str) -> tuple[str, ...]:
    """Return the steps of `$.a["b/c"][0][*]`, `*` for every member; raises NotPlainPath."""
    text = path.strip().removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    steps, at = [], 0
    while at < len(text):
        found = STEP.match(text, at)
        if found is None:
            raise NotPlainPath(f"its path {path} is more than names and places, one after the other")
        steps.append(MANY if found["many"] else found["name"] or found["place"] or found["quoted"])
        at = found.end()
    return tuple(steps)


def pointer_of(steps: tuple[str, ...]) -> str:
    """Return steps as a JSON pointer (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
