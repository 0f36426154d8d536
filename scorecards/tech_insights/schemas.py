"""What the Tech Insights routes take."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, pre_load, validate

from catalog.format.refs import DEFAULT_NAMESPACE, BadReference, EntityRef, parse_ref
from scorecards.tech_insights.runs import Asked

IDS = re.compile(r"ids(\[\d{0,4}\])?")
MAX_ENTITIES = 20_000
MAX_TEXT = 500


def spelled_ids(pairs: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the parameters of a query with the three spellings of a list (`ids`, `ids[]`, `ids[0]`) made one."""
    ids: list[str] = []
    for name in pairs:
        values = pairs.getlist(name)
        if IDS.fullmatch(name):
            ids += values
        else:
            yield name, values[-1]
    if ids:
        yield "ids", ids


class IdsQuery(Schema):
    """Which facts."""

    class Meta:
        unknown = RAISE

    ids = fields.List(
        fields.String(),
        load_default=None,
        metadata={"description": "Ids of facts, as `ids=a&ids=b`, `ids[]=a` or `ids[0]=a`."},
    )

    @pre_load
    def join_spellings(self, data: Any, **_: Any) -> dict[str, Any]:
        """Read each spelling of a list of ids."""
        return dict(spelled_ids(data.data if hasattr(data, "getlist") else data))


class EntityRefField(fields.Field[EntityRef]):
    """A full entity reference, in any case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> EntityRef:
        if "\0" in value or len(value) > MAX_TEXT:
            raise ValidationError("is no reference")
        try:
            return parse_ref(value.lower())
        except BadReference as error:
            raise ValidationError(str(error)) from error


class LatestQuery(IdsQuery):
    """Which facts of which entity."""

    entity = EntityRefField(
        required=True, metadata={"type": "string", "description": "A full reference, `component:default/checkout`."}
    )


class RangeQuery(LatestQuery):
    """Which facts of which entity, and of when. The times are read by the view: their fault has a shape of its own."""

    startDatetime = fields.String(load_default="", metadata={"description": "ISO 8601; the first moment."})  # noqa: N815
    endDatetime = fields.String(load_default="", metadata={"description": "ISO 8601; the last moment."})  # noqa: N815


class RunBody(Schema):
    """Which checks to run."""

    class Meta:
        unknown = RAISE

    checks = fields.List(
        fields.String(),
        load_default=None,
        allow_none=True,
        metadata={"description": "Ids of checks; left out: all of them."},
    )


class AskedField(fields.Field[Asked]):
    """A reference as text, or as `{kind, namespace, name}`; a whole entity is taken too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Asked:
        if isinstance(value, str):
            return _asked(value)
        if not isinstance(value, dict):
            raise ValidationError("must be a reference as text, or {kind, namespace, name}")
        named = value["metadata"] if isinstance(value.get("metadata"), dict) else value
        parts = [value.get("kind"), named.get("namespace", DEFAULT_NAMESPACE), named.get("name")]
        if not all(isinstance(part, str) and part for part in parts):
            raise ValidationError("needs kind and name as texts; without a namespace it is the default one")
        ref = str(EntityRef(*parts))
        return Asked(ref, ref)


class AskedList(fields.List[Asked]):
    """Many of them: nearly always texts, of which none is refused before all are read."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> list[Asked | None]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return [_asked(one) for one in value]
        return super()._deserialize(value, attr, data, **more)


def _asked(text: str) -> Asked:
    """Read a text; one that is too long is refused later, and is not kept in memory."""
    return Asked(_normal(text) if len(text) <= MAX_TEXT else text, text)


@lru_cache(maxsize=MAX_ENTITIES)
def _normal(text: str) -> str:
    """Return the reference that a text stands for; one that is none stands for itself, and names nothing."""
    try:
        return str(parse_ref(text))
    except BadReference:
        return text.lower()


class BulkBody(RunBody):
    """Which checks to run on which entities."""

    entities = AskedList(
        AskedField(
            metadata={
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "required": ["kind", "name"],
                        "properties": {part: {"type": "string"} for part in ("kind", "namespace", "name")},
                    },
                ]
            }
        ),
        required=True,
        validate=validate.Length(max=MAX_ENTITIES),
        metadata={"description": "None stand for every service that was ever judged."},
    )

    @post_load
    def keep(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Refuse what no database takes as a text."""
        for index, asked in enumerate(data["entities"]):
            if "\0" in asked.ref or len(asked.ref) > MAX_TEXT:
                raise ValidationError({"entities": {index: ["is no reference"]}})
        return data
