"""Push: a source that nobody asks; a CI job or another system posts its facts and events to us."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from plugins.contract import Batch, Connector, FactSpec, PullContext
from plugins.own_facts import MAX_DECLARED, FactSchema, spec_of


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
        return [spec_of(fact) for fact in options.get("facts", [])]


CONNECTOR = PushConnector()
