"""Which kinds of entity may come from where: `catalog.rules`, in Backstage's terms. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.places.globs import PathPattern


@dataclass(frozen=True)
class AllowedKind:
    """A kind that may come, all of it or one `spec.type` of it."""

    kind: str
    spec_type: str | None = None

    def admits(self, entity: Mapping[str, Any]) -> bool:
        """Say whether an entity is of this kind (in any case) and type."""
        if str(entity["kind"]).lower() != self.kind.lower():
            return False
        spec = entity.get("spec")
        return self.spec_type is None or (isinstance(spec, Mapping) and spec.get("type") == self.spec_type)


@dataclass(frozen=True)
class RuleLocation:
    """A location that a rule is for; without exact and pattern every one of its type."""

    type: str
    exact: str | None = None
    pattern: str | None = None

    def matches(self, type_: str, target: str) -> bool:
        """Say whether a location is meant; patterns know no case, like Backstage's."""
        if self.type != type_ or (self.exact is not None and self.exact != target):
            return False
        return self.pattern is None or PathPattern(self.pattern, any_case=True).fits(target)


@dataclass(frozen=True)
class Rule:
    """What some locations, or all, may hold."""

    allow: tuple[AllowedKind, ...]
    locations: tuple[RuleLocation, ...] | None = None
    """None: every location that has no rules of its own."""


@dataclass(frozen=True)
class Rules:
    """All rules. Each one that is for a location adds to what it may hold."""

    general: tuple[Rule, ...] = ()
    own: Mapping[tuple[str, str], tuple[AllowedKind, ...] | None] | None = None
    """What the locations of portal.yaml may hold, by type and target; None: every kind."""
    others_unbound: bool = False
    """Whether locations without rules of their own may hold every kind: those that an operator registered may."""

    def allowed(self, registered: tuple[str, str], place: tuple[str, str]) -> tuple[AllowedKind, ...] | None:
        """Return what a file may hold, by the location that led to it and by its own; None: every kind."""
        own = (self.own or {}).get(registered, None if self.others_unbound else ())
        return None if own is None else (*own, *self._general(registered, place))

    def _general(self, registered: tuple[str, str], place: tuple[str, str]) -> Iterator[AllowedKind]:
        for rule in self.general:
            if rule.locations is None or any(
                one.matches(*each) for one in rule.locations for each in (registered, place)
            ):
                yield from rule.allow


DEFAULT_RULE = Rule(tuple(AllowedKind(kind) for kind in ("Component", "API", "Location")))
"""Backstage's default: nobody becomes a user or a group by registering a file."""
