"""Checklist templates: ours as package data, and the organisation's from a folder, where the same name goes first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema, ValidationError, fields, validate

from engagements.records import digest
from engagements.reviews.words import Severity
from portal_backend.core.errors import InvalidInput, flatten_messages
from scorecards.checks.definitions import Axis

OURS = Path(__file__).parent / "templates"
LAUNCH = "launch"
"""The name of the launch checklist; the others are named for the models of engagement."""

_AXES = [axis.value for axis in Axis]
_STAGES = ["design", "build", "launch"]


class ItemFileSchema(Schema):
    """An item of a template file."""

    key = fields.String(required=True, validate=validate.Regexp(r"^[a-z0-9_.-]{1,80}$"))
    axis = fields.String(required=True, validate=validate.OneOf(_AXES))
    severity = fields.Enum(Severity, by_value=True, load_default=Severity.MAJOR)
    question = fields.String(required=True, validate=validate.Length(1, 500))
    guide = fields.String(load_default="")
    checks = fields.List(fields.String(), load_default=list)
    stage = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(_STAGES))


class TemplateFileSchema(Schema):
    """A template file."""

    name = fields.String(required=True, validate=validate.Regexp(r"^[a-z0-9_-]{1,40}$"))
    version = fields.Integer(required=True, validate=validate.Range(1))
    title = fields.String(required=True)
    extends = fields.String(load_default=None)
    stages = fields.Dict(
        fields.String(validate=validate.OneOf(_AXES)),
        fields.String(validate=validate.OneOf(_STAGES)),
        load_default=dict,
    )
    items = fields.List(fields.Nested(ItemFileSchema), required=True)


@dataclass(frozen=True)
class Template:
    """A checklist before it meets a service."""

    name: str
    version: int
    title: str
    items: tuple[Mapping[str, Any], ...]
    extends: str | None = None
    stages: Mapping[str, str] | None = None

    @property
    def digest(self) -> str:
        """Return the digest of the content: tells two contents apart that somebody gave the same version."""
        return digest([self.title, list(self.items)])


def load(folder: Path | None = None) -> dict[str, Template]:
    """Return every template by name. Raises InvalidInput that names each faulty file and field."""
    files = [*sorted(OURS.glob("*.yaml")), *(sorted(folder.glob("*.yaml")) if folder else [])]
    return _load(tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=8)
def _load(files: tuple[tuple[Path, int], ...]) -> dict[str, Template]:
    found = {}
    for path, _ in files:
        template = _read(path)
        found[template.name] = template
    return {name: _extended(template, found) for name, template in found.items()}


def _read(path: Path) -> Template:
    try:
        written = TemplateFileSchema().load(yaml.safe_load(path.read_text()) or {})
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"The checklist template {path.name} cannot be read: {error}") from error
    except ValidationError as error:
        faults = flatten_messages(error.messages, path.name)
        raise InvalidInput(
            f"The checklist template {path.name} has faults; mend them and start again.", faults
        ) from error
    items = tuple({**item, "severity": item["severity"].value} for item in written.pop("items"))
    return Template(**written, items=items)


def _extended(template: Template, found: Mapping[str, Template]) -> Template:
    """Return the template with the items of the one that it extends, one level deep."""
    inherited: tuple[Mapping[str, Any], ...] = ()
    if template.extends:
        if template.extends not in found:
            raise InvalidInput(
                f"The checklist template {template.name} extends {template.extends}, which is not there."
            )
        inherited = found[template.extends].items
    own = {item["key"] for item in template.items}
    items = [*(item for item in inherited if item["key"] not in own), *template.items]
    stages = template.stages or {}
    return replace(
        template, items=tuple({**item, "stage": item["stage"] or stages.get(item["axis"])} for item in items)
    )
