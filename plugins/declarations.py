"""What a connector declares, as the part of its page that nobody writes by hand."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from marshmallow import fields, missing

from plugins.contract import AnnotationSpec, Connector, FactSpec

BEGIN = "<!-- declared: `portal sources docs --write` writes what follows -->"
END = "<!-- end of what is declared -->"

_TYPES: Mapping[type[fields.Field[Any]], str] = {
    fields.Url: "URL",
    fields.String: "text",
    fields.Integer: "whole number",
    fields.Float: "number",
    fields.Boolean: "yes or no",
    fields.Dict: "mapping",
}


def page_block(connector: Connector) -> str:
    """Return the marked block: facts, events, annotations, permissions and options of a connector, as Markdown."""
    lines = [BEGIN, "## What it declares", ""]
    for title, rows in (
        ("Facts", _facts(connector.facts)),
        ("Events", [("event", "when"), *((f"`{e.kind}`", e.description) for e in connector.events)]),
        ("Annotations", _annotations(connector.annotations)),
        ("Options", _options(connector)),
    ):
        lines += [f"### {title}", "", *(_table(rows) if len(rows) > 1 else ["None."]), ""]
    lines += [
        "### Permissions",
        "",
        *(f"- {permission}" for permission in connector.permissions or ("None.",)),
        "",
        END,
    ]
    return "\n".join(lines)


def with_block(page: str, connector: Connector) -> str:
    """Return a page with its marked block replaced, or put at its end where it has none."""
    head, found, rest = page.partition(BEGIN)
    if not found:
        return f"{page.rstrip()}\n\n{page_block(connector)}\n"
    tail = rest.partition(END)[2]
    return f"{head}{page_block(connector)}{tail}"


def new_page(connector: Connector) -> str:
    """Return the page of a connector that has none yet."""
    return f"# {connector.name}\n\n{connector.title}.\n\n{page_block(connector)}\n"


def _facts(specs: Sequence[FactSpec]) -> list[Sequence[str]]:
    head = ("fact", "type", "unit", "trusted for", "meaning")
    told = ((f"`{s.key}`", str(s.type), s.unit, _age(s.max_age), s.description) for s in specs)
    return [head, *sorted(told)]


def _annotations(specs: Sequence[AnnotationSpec]) -> list[Sequence[str]]:
    told = ((f"`{s.key}`", f"`{s.example}`" if s.example else "", s.description) for s in specs)
    return [("annotation", "example", "meaning"), *told]


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours / 24:g} d" if hours % 24 == 0 else f"{hours:g} h"


def _options(connector: Connector) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("option", "type", "default", "meaning")]
    for name, field in connector.options_schema().fields.items():
        default = field.load_default() if callable(field.load_default) else field.load_default
        shown = "required" if field.required else "" if default is missing else f"`{_json(default)}`"
        rows.append((f"`{field.data_key or name}`", _type(field), shown, str(field.metadata.get("description", ""))))
    return rows


def _type(field: fields.Field[Any]) -> str:
    if isinstance(field, fields.List):
        return f"list of {_type(field.inner)}"
    if isinstance(field, fields.Nested):
        return "mapping"
    return next((word for kind, word in _TYPES.items() if isinstance(field, kind)), "text")


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(rows[0])
    yield "|" + "---|" * len(rows[0])
    yield from (_row(row) for row in rows[1:])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
