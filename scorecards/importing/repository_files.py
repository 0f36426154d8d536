"""Drafts what a source has to read out of repository files for an imported rule to work. Pure.

Each entry is one of the option `files` of the sources that read code hosts; the rule asks for its fact.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from plugins.repository_files.entries import EntrySchema
from plugins.repository_files.structured import format_of
from scorecards.importing.cql_words import COUNTS, NONE, SOME, kind_of, leaf
from scorecards.importing.drafts import slug
from scorecards.importing.plain_jq import Plain

Entry = Mapping[str, Any]
Note = Callable[[Entry], str]
"""Notes an entry; returns the key of its fact."""
PREFIX = "repo.file"
ANYTHING = re.compile(r"(?:\.\*)?(.*?)(?:\.\*)?", re.DOTALL)


class NotRead(ValueError):
    """What a source cannot read of a file; the message says why."""


def entry(paths: str | Sequence[str], name: str = "", **asked: Any) -> dict[str, Any]:
    """Return an entry, its key made of the first path and of `name`. Raises NotRead where no source would take it."""
    path = paths if isinstance(paths, str) else list(paths)
    first = path if isinstance(path, str) else (path or [""])[0]
    key = ".".join([PREFIX, slug(first.replace("*", " any ")) or "file", *([slug(name)] if slug(name) else [])])
    made = {"fact": key, "path": path[0] if isinstance(path, list) and len(path) == 1 else path, **asked}
    try:
        EntrySchema().load(made)
    except ValidationError as error:
        raise NotRead(_first(error.messages)) from None
    return made


def _first(messages: Any) -> str:
    """Return the first of marshmallow's messages."""
    while isinstance(messages, dict | list):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return str(messages)


def whole(pattern: str) -> str:
    """Return a pattern of a whole text, whose `.` stands for line breaks, as one that is looked for in a file."""
    inner = ANYTHING.fullmatch(pattern)
    if inner and inner[1] and pattern.startswith(".*") and pattern.endswith(".*"):
        return f"(?s:{inner[1]})"
    return rf"\A(?s:{pattern})\z"


def beginning(text: str) -> str:
    """Return the pattern of a file that begins with a text."""
    return rf"\A{re.escape(text)}"


def ending(text: str) -> str:
    """Return the pattern of a file that ends with a text; a line break at its end is not counted."""
    return rf"{re.escape(text)}\s*\z"


def exactly(text: str) -> str:
    """Return the pattern of a file that holds a text and nothing else; white space around is not counted."""
    return rf"\A\s*{re.escape(text.strip())}\s*\z"


def by_jq(path: str, asked: Plain, note: Note) -> dict[str, Any]:
    """Return the condition that a plain program of jq asks of a file. Raises NotRead."""
    if not asked.steps:
        raise NotRead("it asks something of the whole document")
    of_file = {} if format_of(path) else {"format": "yaml"}  # which reads JSON, too
    name = " ".join(step for step in asked.steps if step != "*")
    if asked.operator == "exists":
        tree = leaf(note(entry(path, f"has {name}", has=asked.pointer, **of_file)), "equal", True)
    elif asked.counted and (asked.operator, asked.value) in SOME | NONE:
        some = leaf(note(entry(path, f"{name} any", has=f"{asked.pointer}/*", **of_file)), "equal", True)
        tree = some if (asked.operator, asked.value) in SOME else {"not": some}
    elif asked.counted:
        key = note(entry(path, f"{name} members", value=asked.pointer, type="set", **of_file))
        tree = _counted(key, asked)
    elif asked.operator == "":
        tree = leaf(note(entry(path, name, value=asked.pointer, type="boolean", **of_file)), "equal", True)
    elif asked.operator == "number":
        raise NotRead("its answer is compared with nothing")
    else:
        kind = "set" if asked.many else kind_of(asked.value)
        tree = leaf(note(entry(path, name, value=asked.pointer, type=kind, **of_file)), asked.operator, asked.value)
    return {"not": tree} if asked.negated else tree


def _counted(key: str, asked: Plain) -> dict[str, Any]:
    if asked.operator not in COUNTS or not isinstance(asked.value, int) or isinstance(asked.value, bool):
        raise NotRead("a number of members is compared with a whole number")
    tree: dict[str, Any] = COUNTS[asked.operator](key, asked.value)
    return tree


def renamed(tree: Any, old: str, new: str) -> Any:
    """Return a rule that asks for another fact in the place of one."""
    if isinstance(tree, list):
        return [renamed(one, old, new) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {name: new if name == "fact" and value == old else renamed(value, old, new) for name, value in tree.items()}
