"""Buildbot's own specification of its REST API: the RAML files that its package carries, for the version in use."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

OPERATORS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "contains"})
CONTROLS = frozenset({"field", "property", "order", "limit", "offset"})
"""Parameters of every list, by the manual's chapter on the REST API; the RAML names fields only."""
TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "date": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "sourcedproperties": (dict,),
}


class _Loader(yaml.SafeLoader):
    """Reads `!include` as the name of the file."""


_Loader.add_constructor("!include", lambda loader, node: str(node.value))


@cache
def _read(path: Path) -> dict[str, Any]:
    found = yaml.load(path.read_text(), Loader=_Loader)
    assert isinstance(found, dict)
    return found


def folder() -> Path:
    """Return where the installed Buildbot keeps its specification; skips the test where it carries none."""
    installed = Path(__file__).parents[3] / ".venv-buildbot"
    found = sorted(installed.glob("lib/python3*/site-packages/buildbot/spec/api.raml"))
    if not found:
        pytest.skip("the installed Buildbot carries no specification of its REST API")
    return found[0].parent


def entry_type(path: str) -> str:
    """Return the type of a list's entries by its path below /api/v2."""
    resource = _read(folder() / "api.raml")[path]
    return str(next(trait["bbget"]["bbtype"] for trait in resource["get"]["is"] if "bbget" in trait))


def fields(kind: str) -> dict[str, tuple[str, bool]]:
    """Return the type of each field of a kind of entry, and whether it may be missing."""
    properties = _read(folder() / "types" / f"{kind}.raml")["properties"]
    return {
        name.rstrip("?").removesuffix("[]"): ("list" if name.endswith("[]") else stated["type"], name.endswith("?"))
        for name, stated in properties.items()
    }


def faults_of_request(path: str, params: Mapping[str, str]) -> Iterator[str]:
    """Yield what the specification does not know of a question."""
    known = fields(entry_type(path))
    for name, value in params.items():
        field, _, operator = name.partition("__")
        if name in CONTROLS:
            named = [value.lstrip("-")] if name in {"order", "field"} else []
            yield from (f"{name}={value}: no such field" for one in named if one not in known)
            if name in {"limit", "offset"} and not value.isdecimal():
                yield f"{name}={value} is no number"
        elif field not in known or (operator and operator not in OPERATORS):
            yield f"{name} is no field of {entry_type(path)} with an operator that is known"
        elif known[field][0] in {"integer", "date"} and not value.isdecimal():
            yield f"{name}={value} is no {known[field][0]}"
        elif known[field][0] == "boolean" and value not in {"true", "false"}:
            yield f"{name}={value} is no boolean"


def faults_of_answer(path: str, answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an answer breaks the specification: what may be missing may be null as well.

    RAML allows more fields than it names, and Buildbot makes use of that.
    """
    entries: Sequence[Mapping[str, Any]] = answer[path.rpartition("/")[2]]
    known = fields(entry_type(path))
    for entry in entries:
        yield from (f"{name} is missing" for name, (_, optional) in known.items() if not optional and name not in entry)
        for name in sorted(entry.keys() & known.keys()):
            kind, optional = known[name]
            value = entry[name]
            if not (value is None and optional) and not isinstance(value, TYPES.get(kind, (list,))):
                yield f"{name} is {value!r}, and no {kind}"
