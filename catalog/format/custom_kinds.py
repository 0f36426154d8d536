"""Kinds of entity that an organisation adds to Backstage's, as configuration gives them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.format.envelope import is_api_version, is_kind
from catalog.format.kinds import BACKSTAGE_KINDS, STANDARD_KINDS, Field, Kind, KnownKinds, RelationType
from catalog.format.schemas import SpecSchema
from portal_backend.core.faults import Fault


@dataclass(frozen=True)
class CustomRelation:
    """A field of `spec` that refers to other entities: a reference, or a list of them."""

    field: str
    """Below `spec`, such as `owner`."""
    forward: str
    """The relation that the entity shows, such as `ownedBy`."""
    reverse: str
    """The one that the other entity shows, such as `ownerOf`."""
    default_kind: str | None = None
    """The kind of a reference that names none; None where it must name one."""


@dataclass(frozen=True)
class CustomKind:
    """What `catalog.kinds` says of one kind."""

    kind: str
    """As entities write it, such as `Policy`."""
    api_versions: tuple[str, ...]
    """As entities write them, such as `example.com/v1`."""
    required: tuple[str, ...] = ()
    """Fields that `spec` must have."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema (draft 7) of `spec`; None where `required` says enough."""
    relations: tuple[CustomRelation, ...] = ()


def known_kinds(custom: Sequence[CustomKind]) -> KnownKinds:
    """Return Backstage's kinds and those of the configuration, which `check_custom_kinds` has found good."""
    return KnownKinds([*BACKSTAGE_KINDS, *map(_kind, custom)]) if custom else STANDARD_KINDS


def check_custom_kinds(custom: Sequence[CustomKind]) -> list[Fault]:
    """Return what is wrong with the kinds of a configuration, paths counted from the list: `[0].kind`."""
    faults: list[Fault] = []
    taken = {(kind.name, version) for kind in BACKSTAGE_KINDS for version in kind.versions}
    for index, one in enumerate(custom):
        faults += [Fault(f"[{index}].{fault.path}", fault.message) for fault in _check_kind(one)]
        for version in one.api_versions:
            if (one.kind, version) in taken:
                message = f"{one.kind} is already known as {version!r}; choose another name or version"
                faults.append(Fault(f"[{index}].api_versions", message))
            taken.add((one.kind, version))
    return faults


def _kind(custom: CustomKind) -> Kind:
    fields = tuple(
        Field(one.field, one_or_many=True, relation=RelationType(one.forward, one.reverse, one.default_kind))
        for one in custom.relations
    )
    return Kind(
        custom.kind,
        fields,
        versions=custom.api_versions,
        spec_required=bool(custom.required or custom.schema),
        must_have=custom.required,
        schema=SpecSchema(custom.schema) if custom.schema else None,
    )


def _check_kind(custom: CustomKind) -> Iterator[Fault]:
    if not is_kind(custom.kind):
        yield Fault("kind", f"must be 1 to 63 letters and digits, a letter first, but is {custom.kind!r}")
    if not custom.api_versions:
        yield Fault("api_versions", "must name at least one version, such as example.com/v1")
    for version in custom.api_versions:
        if not is_api_version(version):
            yield Fault("api_versions", f"must be of the form [<dns-subdomain>/]<version>, but one is {version!r}")
    for index, relation in enumerate(custom.relations):
        yield from _check_relation(relation, f"relations[{index}]")
    if custom.schema is not None:
        for fault in SpecSchema(custom.schema).faults():
            yield Fault(f"schema.{fault.path}".rstrip("."), fault.message)


def _check_relation(relation: CustomRelation, path: str) -> Iterator[Fault]:
    for name in ("field", "forward", "reverse"):
        if not getattr(relation, name):
            yield Fault(f"{path}.{name}", "must not be empty")
    if relation.default_kind is not None and not is_kind(relation.default_kind):
        yield Fault(f"{path}.default_kind", "must be the name of a kind, such as Group")
