"""Push: a source that nobody asks; a CI job or another system posts its facts and events to us."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from plugins.contract import Batch, Connector, FactSpec, FactType, PullContext

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
MAX_DECLARED = 500
LONGEST_AGE_DAYS = 3650


class FactSchema(Schema):
    """A fact of the organisation's own."""

    key = fields.String(required=True, validate=validate.Regexp(KEY, error="must be words joined by dots, team.size"))
    type = fields.Enum(FactType, by_value=True, required=True)
    unit = fields.String(load_default="", validate=validate.Length(max=40))
    description = fields.String(required=True, validate=validate.Length(1, 300))
    max_age_days = fields.Float(
        load_default=3.0, validate=validate.Range(0, LONGEST_AGE_DAYS, min_inclusive=False, error="must lie above 0")
    )


class OptionsSchema(Schema):
    """What may be set under `options:`."""

    facts = fields.List(
        fields.Nested(FactSchema),
        load_default=list,
        validate=validate.Length(max=MAX_DECLARED),
        metadata={"description": "Facts of your own: key, type, unit, description, max_age_days (3)."},
    )


class PushConnector(Connector):
    """Is never pulled. Facts that the product knows may be posted as they are; others are declared under `options`."""

    name: ClassVar[str] = "push"
    title: ClassVar[str] = "Pushed by other systems"
    is_pulled: ClassVar[bool] = False
    permissions = ("a token of the portal with the role plugin and the scope plugins:write",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Say how to reach it; there is nothing to try."""
        return f"waits for POST /api/plugins/sources/{context.source}/push"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Yield nothing: what there is was posted."""
        return iter(())

    def declared(self, options: Mapping[str, Any]) -> list[FactSpec]:
        """Return the facts that a source declares under its loaded `options`."""
        return [
            FactSpec(fact["key"], fact["type"], fact["unit"], fact["description"], timedelta(days=fact["max_age_days"]))
            for fact in options.get("facts", [])
        ]


CONNECTOR = PushConnector()
