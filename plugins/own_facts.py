"""Facts of an organisation's own: how a source declares them among its options."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import Schema, fields, validate

from plugins.contract import FactSpec, FactType

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
MAX_DECLARED = 500
LONGEST_AGE_DAYS = 3650


class FactSchema(Schema):
    """A fact of the organisation's own, or one that the product knows and no connector supplies."""

    key = fields.String(required=True, validate=validate.Regexp(KEY, error="must be words joined by dots, team.size"))
    type = fields.Enum(FactType, by_value=True, required=True)
    unit = fields.String(load_default="", validate=validate.Length(max=40))
    description = fields.String(required=True, validate=validate.Length(1, 300))
    max_age_days = fields.Float(
        load_default=3.0, validate=validate.Range(0, LONGEST_AGE_DAYS, min_inclusive=False, error="must lie above 0")
    )


def spec_of(fact: Mapping[str, Any]) -> FactSpec:
    """Return the declaration that FactSchema loaded."""
    age = timedelta(days=fact["max_age_days"])
    return FactSpec(fact["key"], fact["type"], fact["unit"], fact["description"], age)
