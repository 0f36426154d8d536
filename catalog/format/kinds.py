"""The kinds of entity that we know: their fields, which of them are required, and which make relations. Pure.

Source: the kinds of @backstage/catalog-model 1.10 and the relations that Backstage's catalog emits for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from catalog.format.schemas import SpecSchema
from catalog.format.template import TEMPLATE_KIND, TEMPLATE_SCHEMA, TEMPLATE_VERSION

API_VERSIONS = ("backstage.io/v1alpha1", "backstage.io/v1beta1")


@dataclass(frozen=True)
class RelationType:
    """What a reference in a field says about both ends."""

    forward: str
    reverse: str
    default_kind: str | None = None
    """The kind of a reference that names none; None where it must name one."""


@dataclass(frozen=True)
class Field:
    """A field of `spec`: a non-empty string, or a list of them."""

    name: str
    required: bool = False
    many: bool = False
    one_or_many: bool = False
    """It may be written either way."""
    relation: RelationType | None = None
    choices: tuple[str, ...] = ()
    unruled: bool = False
    """Backstage has no rule for it and only takes references from it: from nothing none, and from a mapping too."""

    def items(self, value: Any) -> list[tuple[str, Any]]:
        """Return the single values and how the path to each goes on; a lone value where a list is due is itself."""
        if self.unruled and not value and not isinstance(value, dict):
            return []
        if isinstance(value, list) and (self.many or self.one_or_many):
            return [(f"[{index}]", item) for index, item in enumerate(value)]
        return [("", value)]


@dataclass(frozen=True)
class Kind:
    """A kind of entity."""

    name: str
    fields: tuple[Field, ...] = field(default=())
    versions: tuple[str, ...] = API_VERSIONS
    spec_required: bool = True
    has_profile: bool = False
    must_have: tuple[str, ...] = ()
    """Fields of `spec` that must be there, whatever they hold."""
    schema: SpecSchema | None = None
    """What the fields do not say."""

    @cached_property
    def fields_by_name(self) -> Mapping[str, Field]:
        """The fields, by name."""
        return {known.name: known for known in self.fields}

    @cached_property
    def required_fields(self) -> frozenset[str]:
        """Names of the fields that must be there."""
        return frozenset(known.name for known in self.fields if known.required)

    @cached_property
    def has_distinct_fields(self) -> bool:
        """Whether no two of the fields, or the profile and a field, can be taken for one another."""
        names = [*(known.name for known in self.fields), "profile"]
        return len(set(map(str.lower, names))) == len(names) and all(map(str.isidentifier, names))


class KnownKinds:
    """The kinds that entities may have; the same name may mean different kinds in different versions."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        """Take the kinds; of two with the same name and version the first one counts."""
        self._by_name: dict[str, list[Kind]] = {}
        for kind in kinds:
            self._by_name.setdefault(kind.name, []).append(kind)

    def find(self, document: Mapping[str, Any]) -> Kind | None:
        """Return the kind whose rules a document follows, or None when there is none."""
        kind, version = document.get("kind"), document.get("apiVersion")
        if not isinstance(kind, str):
            return None
        return next((known for known in self._by_name.get(kind, ()) if version in known.versions), None)

    def names(self) -> list[str]:
        """Return the names of all kinds."""
        return list(self._by_name)

    def versions(self, name: str) -> list[str]:
        """Return the versions in which a kind is known, none for an unknown one."""
        return sorted({version for kind in self._by_name.get(name, ()) for version in kind.versions})


def _required(name: str) -> Field:
    return Field(name, required=True)


_OWNED = RelationType("ownedBy", "ownerOf", "Group")
OWNER = Field("owner", required=True, relation=_OWNED)
TYPE, LIFECYCLE = _required("type"), _required("lifecycle")
SYSTEM = Field("system", relation=RelationType("partOf", "hasPart", "System"))
PART_OF_DOMAIN = RelationType("partOf", "hasPart", "Domain")
DEPENDENCIES = (
    Field("dependsOn", many=True, relation=RelationType("dependsOn", "dependencyOf")),
    Field("dependencyOf", one_or_many=True, unruled=True, relation=RelationType("dependencyOf", "dependsOn")),
)

BACKSTAGE_KINDS = (
    Kind(
        "Component",
        (
            TYPE,
            LIFECYCLE,
            OWNER,
            SYSTEM,
            Field("subcomponentOf", relation=RelationType("partOf", "hasPart", "Component")),
            Field("providesApis", many=True, relation=RelationType("providesApi", "apiProvidedBy", "API")),
            Field("consumesApis", many=True, relation=RelationType("consumesApi", "apiConsumedBy", "API")),
            *DEPENDENCIES,
        ),
    ),
    Kind("API", (TYPE, LIFECYCLE, OWNER, SYSTEM, _required("definition"))),
    Kind("Resource", (TYPE, OWNER, SYSTEM, *DEPENDENCIES)),
    Kind("System", (OWNER, Field("domain", relation=PART_OF_DOMAIN), Field("type"))),
    Kind("Domain", (OWNER, Field("subdomainOf", relation=PART_OF_DOMAIN), Field("type"))),
    Kind(
        "Group",
        (
            TYPE,
            Field("parent", relation=RelationType("childOf", "parentOf", "Group")),
            Field("children", required=True, many=True, relation=RelationType("parentOf", "childOf", "Group")),
            Field("members", many=True, relation=RelationType("hasMember", "memberOf", "User")),
        ),
        has_profile=True,
    ),
    Kind(
        "User",
        (Field("memberOf", required=True, many=True, relation=RelationType("memberOf", "hasMember", "Group")),),
        has_profile=True,
    ),
    Kind(
        "Location",
        (
            Field("type"),
            Field("target"),
            Field("targets", many=True),
            Field("presence", choices=("required", "optional")),
        ),
    ),
    Kind(
        TEMPLATE_KIND,
        (TYPE, Field("owner", relation=_OWNED), Field("lifecycle")),
        versions=(TEMPLATE_VERSION,),
        schema=TEMPLATE_SCHEMA,
    ),
)

STANDARD_KINDS = KnownKinds(BACKSTAGE_KINDS)
"""Backstage's own kinds, and no others."""
