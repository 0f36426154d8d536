"""What rules may ask of the entities that a service is related to: fields, levels, and facts. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from plugins.contract import FactSpec, FactType
from scorecards.checks.definitions import Axis
from scorecards.evidence.causes import ENTITY, Spec
from scorecards.evidence.derivations import DERIVED
from scorecards.rules.operators import ANY
from scorecards.rules.related import IN_CATALOG, RELATED

LEVEL_UNIT = "level"
ROOTS = ("metadata.", "spec.", "labels.", "annotations.", "relations.")
MAX_PATH = 300


def _spec(key: str, kind: FactType, unit: str, description: str) -> FactSpec:
    return FactSpec(key, kind, unit, description, timedelta.max)


STANDINGS: Mapping[str, Spec] = {
    spec.key: spec
    for spec in (
        _spec("level", FactType.INTEGER, LEVEL_UNIT, "The level of its scorecard, as judged last"),
        _spec("percent", FactType.NUMBER, "", "The percent of its scorecard, as judged last"),
        *(_spec(f"level.{axis}", FactType.INTEGER, LEVEL_UNIT, f"Its {axis} level, as judged last") for axis in Axis),
    )
}
TOLD_BY_REF = frozenset({"kind", "namespace", "name", "ref"})
"""What a reference tells of an entity, whether or not the catalog has it."""


def is_field(key: str) -> bool:
    """Say whether a key names something that stands in an entity."""
    return key in PLAIN or is_path(key)


def is_path(key: str) -> bool:
    """Say whether a key leads into an entity."""
    return key.startswith(ROOTS) and not key.endswith(".") and len(key) <= MAX_PATH


class EntitySpec:
    """Declares a field of an entity, of whatever type its file holds there: it may be there or not."""

    type = ANY
    unit = ""
    max_age = timedelta.max

    def __init__(self, key: str, description: str = "A field of the catalog's entity") -> None:
        self.key = key
        self.description = description


PLAIN: Mapping[str, Spec] = {
    spec.key: spec
    for spec in (
        _spec("kind", FactType.STRING, "", "The entity's kind, lower case"),
        _spec("name", FactType.STRING, "", "Its name"),
        _spec("ref", FactType.STRING, "", "Its entity reference"),
        _spec("namespace", FactType.STRING, "", "Its namespace"),
        _spec("tags", FactType.SET, "", "Its tags"),
        EntitySpec("type", "Its spec.type, lower case"),
        EntitySpec("lifecycle", "Its spec.lifecycle, lower case"),
        EntitySpec("owner", "The owner's entity reference"),
        EntitySpec("system", "The system's entity reference"),
    )
}
FIELDS: Mapping[str, Spec] = {
    **PLAIN,
    **STANDINGS,
    IN_CATALOG: _spec(IN_CATALOG, FactType.BOOLEAN, "", "The catalog has it"),
}


class AnswerSpec:
    """Declares the fact that answers a question about related entities."""

    max_age = timedelta(days=1)

    def __init__(self, key: str, kind: str) -> None:
        self.key = key
        self.type = kind
        self.unit = "ratio" if kind == "number" else ""
        relation, what = key.removeprefix(RELATED).rsplit(".", 2)[:2]
        self.description = f"What is asked of the entities that {relation} leads to: those that are {what}"
        if kind == "number":
            self.description = f"What is asked of the entities that {relation} leads to: the share that has it"


class MemberSpecs(Mapping[str, Spec]):
    """The declarations behind a question: fields, levels, paths into the entity, and what sources report."""

    def __init__(self, facts: Mapping[str, Spec]) -> None:
        self.facts = facts

    def __getitem__(self, key: str) -> Spec:
        """Return the declaration of a field or a fact; raises KeyError for what is neither, or is derived."""
        if key in FIELDS:
            return FIELDS[key]
        if is_path(key):
            return EntitySpec(key)
        if key in DERIVED or key.startswith((ENTITY, RELATED)):
            raise KeyError(key)
        return self.facts[key]

    def __iter__(self) -> Iterator[str]:
        """Name the fields and the facts; paths are without number."""
        yield from FIELDS
        yield from (key for key in self.facts if key not in DERIVED)

    def __len__(self) -> int:
        """Count the fields and the facts."""
        return len(list(iter(self)))
