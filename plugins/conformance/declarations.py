"""What a connector says of itself."""

import re
from collections.abc import Sequence
from datetime import timedelta

from marshmallow import ValidationError

from plugins.conformance.observing import require
from plugins.contract import Connector, FactSpec, FactType

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
UNITS = frozenset({"", "ratio", "seconds", "bytes", "requests_per_second", "hours", "days", "count"})
UNMEASURED = frozenset({FactType.BOOLEAN, FactType.STRING, FactType.DATETIME, FactType.SET})


def check_declarations(connector: Connector) -> None:
    """Check name, title, facts, events, annotations, permissions and options. Raises NotConforming."""
    require(bool(re.fullmatch(r"[a-z][a-z0-9_-]*", connector.name)), f"the name {connector.name!r} is no plain word")
    require(bool(connector.title.strip()), "there is no title")
    _check_facts(connector.facts)
    for kind in connector.events:
        require(bool(kind.description.strip()), f"the event {kind.kind} is not described")
    for annotation in connector.annotations:
        require(bool(annotation.description.strip()), f"the annotation {annotation.key} is not described")
    require(bool(connector.permissions), "no permissions: say what the credentials must be allowed to do, or that "
            "they need nothing")  # fmt: skip
    try:
        connector.options_schema().load({"surely-no-option": 1})
    except ValidationError:
        return
    require(False, "the options schema takes an unknown key")


def _check_facts(specs: Sequence[FactSpec]) -> None:
    keys = [spec.key for spec in specs]
    require(len(keys) == len(set(keys)), "a fact is declared twice")
    for spec in specs:
        require(bool(KEY.fullmatch(spec.key)), f"the fact {spec.key!r} is not named like `area.thing`")
        require(bool(spec.description.strip()), f"the fact {spec.key} is not described")
        require(spec.max_age > timedelta(0), f"the fact {spec.key} has no max_age")
        require(spec.unit in UNITS, f"the fact {spec.key} has the unit {spec.unit!r}; there are {sorted(UNITS)}")
        require(not spec.unit or spec.type not in UNMEASURED, f"the fact {spec.key} is a {spec.type} and has a unit")
