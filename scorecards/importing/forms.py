"""Finds what a form asks, as GitHub's templates of issues write one: boxes to tick, and fields to fill in. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from scorecards.importing.drafts import Item
from scorecards.importing.markdown import items_of
from scorecards.importing.statements import bare

WRITTEN = ("markdown", "textarea")
"""Fields whose text may be a checklist in Markdown."""


def is_form(content: Any) -> bool:
    """Say whether a document is a form: a body of fields, each with a type."""
    body = content.get("body") if isinstance(content, Mapping) else None
    return isinstance(body, list) and bool(body) and all(isinstance(one, Mapping) and "type" in one for one in body)


def items_of_form(content: Mapping[str, Any]) -> Iterator[Item]:
    """Return what a form asks, under the labels of its fields; what it only says is no line."""
    title = bare(str(content.get("name") or ""))
    for field in content["body"]:
        given = field.get("attributes")
        attributes: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        label = bare(str(attributes.get("label") or ""))
        section = tuple(filter(None, (title, label)))
        kind, boxes = field["type"], attributes.get("options")
        if kind == "checkboxes" and isinstance(boxes, list):
            yield from (_box(one, section, attributes) for one in boxes)
            continue
        inner = items_of(str(attributes.get("value") or ""))[0] if kind in WRITTEN else []
        yield from (Item(one.text, None, (*section, *one.section), one.name, one.detail) for one in inner)
        if label and not inner and kind != "markdown":
            yield Item(label, None, (title,) if title else (), "", _described(attributes))


def _box(box: Any, section: tuple[str, ...], attributes: Mapping[str, Any]) -> Item:
    told: Mapping[str, Any] = box if isinstance(box, Mapping) else {"label": box}
    grade = "required" if told.get("required") is True else ""
    return Item(bare(str(told.get("label") or "")), None, section, "", _described(attributes), grade=grade)


def _described(attributes: Mapping[str, Any]) -> str:
    return bare(str(attributes.get("description") or ""))
