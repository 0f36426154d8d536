"""Reads where Soundcheck's collectors find facts, so that a source can be told; they ask nothing themselves. Pure.

What `scm` reads of files has a form of ours where it looks whether a file is there, whether a pattern fits, for what a
group of a pattern holds, and for a value of a JSON or YAML file.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from plugins.repository_files.structured import format_of
from scorecards.importing.drafts import Draft, key_part
from scorecards.importing.json_paths import NotPlainPath, pointer_of, steps_of_path
from scorecards.importing.products.shared import Document, is_list_of
from scorecards.importing.repository_files import NotRead, entry

OF_FILES = "scm."
DOCUMENTS = ("json", "yaml")
TYPES = {
    **{name: name for name in ("string", "number", "integer", "boolean")},
    "array": "set",
}
"""Types of JSON schema, by those of facts; an object is none."""
GROUP = re.compile(r"(?<!\\)\((?!\?)|\(\?<\w|\(\?P<")
FLAGS = frozenset("ims")
"""Flags of a pattern that mean the same here; `g`, `u` and `y` change nothing of what is asked."""


def is_collector(content: Any) -> bool:
    """Say whether a document says how facts of Soundcheck are collected."""
    return isinstance(content, Mapping) and is_list_of(content.get("collects"), "factName")


def collectors(content: Document, draft: Draft) -> None:
    """Note what is collected; what is read of files becomes entries of the option `files`."""
    names = ", ".join(str(one["factName"]) for one in content["collects"])
    hours = _hours(content)
    aged = f", to be trusted for {hours} hours" if hours else ""
    draft.notes.append(
        f"It collects facts and asks nothing of them: {names}{aged}. Import the checks that ask for them."
    )
    for one in content["collects"]:
        fact = f"{OF_FILES}{key_part(str(one['factName']))}"
        for name, asked in _of_files(one):
            key = f"{fact}.{key_part(name)}"
            try:
                if isinstance(asked, str):
                    raise NotRead(asked)
                draft.collect(entry(**asked) | {"fact": key})
            except NotRead as reason:
                draft.notes.append(f"The fact {key} cannot be read by a source ({reason}): something has to push it.")


Asked = dict[str, Any] | str
"""What an entry is made of; or why it has none."""


def _of_files(collected: Document) -> Iterator[tuple[str, Asked]]:
    """Yield the name of each field of a fact that is read of files, as checks ask for it, and what is read.

    Paths begin at the source location there, with a slash or without.
    """
    kind = str(collected.get("type") or "")
    data = collected.get("data")
    fields = [one for one in data if isinstance(one, Mapping) and one.get("name")] if isinstance(data, list) else []
    if kind == "exists":
        yield from ((str(one["name"]), {"paths": _path(one)}) for one in fields if one.get("path"))
    elif kind == "regex" and collected.get("path") and collected.get("regex"):
        yield from _by_pattern(collected, fields)
    elif kind in (*DOCUMENTS, "xml") and collected.get("path"):
        yield from ((str(one["name"]), _by_path(collected, one, kind)) for one in fields)
    elif kind == "code-search":
        yield "found", "a source reads files by their names, and searches none"


def _by_pattern(collected: Document, fields: list[Document]) -> Iterator[tuple[str, Asked]]:
    flags = "".join(sorted(FLAGS & set(str(collected.get("flags") or ""))))
    pattern = f"(?{flags}){collected['regex']}" if flags else str(collected["regex"])
    groups = len(GROUP.findall(str(collected["regex"])))
    paths = _path(collected)
    if not fields and not collected.get("matchAll"):
        yield "matches", {"paths": paths, "matches": pattern}
    elif not fields:
        yield "matches", {"paths": paths, "capture": pattern, "type": "set"} if not groups else "it has groups"
    elif len(fields) == groups == 1:
        kind = TYPES.get(str(fields[0].get("type") or "string"), "string")
        yield str(fields[0]["name"]), {"paths": paths, "capture": pattern, "type": kind}
    else:
        yield from ((str(one["name"]), "an entry holds one group of a pattern") for one in fields)


def _by_path(collected: Document, field: Document, kind: str) -> Asked:
    wanted = str(field.get("type") or "string")
    if kind not in DOCUMENTS:
        return f"it is {kind.upper()}; JSON, YAML and TOML are read"
    if wanted not in TYPES:
        return f"it is of the type {wanted}"
    try:
        steps = steps_of_path(str(field.get("jsonPath") or ""))
    except NotPlainPath as reason:
        return str(reason)
    if not steps:
        return "it is the whole document"
    by_name = {} if format_of(str(collected["path"])) else {"format": kind}
    return {"paths": _path(collected), "value": pointer_of(steps), "type": TYPES[wanted], **by_name}


def _path(given: Document) -> str:
    return str(given["path"]).removeprefix("./").lstrip("/")


def _hours(content: Document) -> int:
    duration = (content.get("cache") or {}).get("duration") or {}
    known = {name: value for name, value in duration.items() if name in {"weeks", "days", "hours", "minutes"}}
    return int(timedelta(**known).total_seconds() // 3600)
