"""Reads JSON, YAML and TOML within bounds, and follows JSON pointers (RFC 6901) into them. Pure."""

import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import orjson
import yaml

from plugins.yaml_bounds import check_size

FORMATS = ("json", "yaml", "toml")
SUFFIXES = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}
MANY = "*"
"""A step of a pointer that stands for every member."""
MAX_STEPS = 20
MAX_NESTING = 60
MAX_NODES = 100_000
MAX_FOUND = 1000
"""Values that a pointer with `*` may lead to."""
_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""PyYAML lets a value that its tag does not fit raise what Python raises."""

Scalar = str | int | float | bool | date | datetime


class Unreadable(ValueError):
    """A file that is not what its name says, or that is more than is read; the message names what."""


def format_of(path: str) -> str:
    """Return how a file is read by its name; empty where the name does not tell."""
    return next((kind for suffix, kind in SUFFIXES.items() if path.lower().endswith(suffix)), "")


def steps_of(pointer: str) -> tuple[str, ...]:
    """Return the steps of a pointer; raises ValueError that says how one is written."""
    if not pointer.startswith("/") or pointer == "/":
        raise ValueError(f"{pointer!r} is no JSON pointer; write /engines/node, or /jobs/*/steps for every member")
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))
    if len(steps) > MAX_STEPS:
        raise ValueError(f"has more than {MAX_STEPS} steps")
    return steps


def documents(text: str, kind: str) -> list[Any]:
    """Return what stands in a file of one of FORMATS: one document, or several in YAML. Raises Unreadable."""
    try:
        if kind == "json":
            return [orjson.loads(text)]
        if kind == "toml":
            return [tomllib.loads(text)]
        check_size(text, MAX_NESTING, MAX_NODES)
        return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except _UNREADABLE as error:
        said = " ".join(str(error).split())
        raise Unreadable(f"it cannot be read as {kind.upper()}: {said[:160]}") from None


def found(document: Any, steps: Sequence[str]) -> Iterator[Any]:
    """Yield what a pointer leads to in a document; nothing where it leads nowhere, or to null."""
    if document is None:
        return
    if not steps:
        yield document
        return
    for member in _members(document, steps[0]):
        yield from found(member, steps[1:])


def _members(document: Any, step: str) -> Iterator[Any]:
    if isinstance(document, dict):
        if step == MANY and MANY not in document:
            yield from document.values()
        else:
            yield from (value for key, value in document.items() if step in _names(key))
    elif isinstance(document, list):
        if step == MANY:
            yield from document
        elif step.isdecimal() and len(step) < 6 and int(step) < len(document):
            yield document[int(step)]


def _names(key: Any) -> Sequence[str]:
    """Write a key as the file may have it: YAML 1.1 takes `on` for true, and `80` for a number."""
    if isinstance(key, bool):
        return ("on", "true", "yes") if key else ("off", "false", "no")
    return (str(key),)


def written(value: Any) -> str | None:
    """Write a scalar as text; None for a list or a mapping."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, str | int | float) else None


def texts(value: Any) -> list[str]:
    """Return the texts of a value: of a list its members, of a mapping its names. Raises Unreadable for deeper ones."""
    members = list(value) if isinstance(value, list | dict) else [value]
    told = [_names(one)[0] if isinstance(value, dict) else written(one) for one in members if one is not None]
    if any(one is None for one in told):
        raise Unreadable("what stands there are lists or mappings; let the pointer go on to their values")
    return [one for one in told if one is not None]
