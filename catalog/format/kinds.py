"""The kinds of entity that we know: their fields, which of them are required, and which make relations. Pure.

Source: the kinds of @backstage/catalog-model 1.10 and the relations that Backstage's catalog emits for them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.format.envelope import check_envelope, check_text, is_api_version, is_kind, must_be, shown
from catalog.format.refs import DEFAULT_NAMESPACE, BadReference, parse_ref
from portal_backend.core.errors import Fault

API_VERSIONS = frozenset({"backstage.io/v1alpha1", "backstage.io/v1beta1"})
TEMPLATE_KIND = "Template"
TEMPLATE_GROUP = "scaffolder.backstage.io/"
MAX_REF = 255
"""Characters; kind, namespace and name have 63 each."""
PLACEHOLDERS = frozenset({"$text", "$json", "$yaml"})


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
    relation: RelationType | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of entity."""

    name: str
    fields: tuple[Field, ...] = field(default=())
    spec_required: bool = True
    has_profile: bool = False


def _required(name: str) -> Field:
    return Field(name, required=True)


_OWNED = RelationType("ownedBy", "ownerOf", "Group")
OWNER = Field("owner", required=True, relation=_OWNED)
TYPE, LIFECYCLE = _required("type"), _required("lifecycle")
SYSTEM = Field("system", relation=RelationType("partOf", "hasPart", "System"))
PART_OF_DOMAIN = RelationType("partOf", "hasPart", "Domain")
DEPENDENCIES = (
    Field("dependsOn", many=True, relation=RelationType("dependsOn", "dependencyOf")),
    Field("dependencyOf", many=True, relation=RelationType("dependencyOf", "dependsOn")),
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
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
    )
}


def check_entity(document: Any) -> list[Fault]:
    """Return every fault of a document as an entity, of its envelope and of its kind; none means that it is good."""
    faults = check_envelope(document)
    if isinstance(document, dict):
        faults += _check_kind(document)
    return faults


def kind_of(document: Mapping[str, Any]) -> Kind | None:
    """Return the kind whose rules a document follows, or None when it has none of its own (Template) or is unknown."""
    if document.get("apiVersion") not in API_VERSIONS:
        return None
    return KINDS.get(document["kind"])


def _check_kind(document: Mapping[str, Any]) -> Iterator[Fault]:
    kind, version = document.get("kind"), document.get("apiVersion")
    if not (isinstance(kind, str) and is_kind(kind) and isinstance(version, str)):
        return
    if kind == TEMPLATE_KIND and version.startswith(TEMPLATE_GROUP):
        return
    known = KINDS.get(kind)
    if known is None:
        same = next((name for name in KINDS if name.lower() == kind.lower()), None)
        remedy = f"write {same}" if same else f"known are {', '.join(KINDS)}"
        yield Fault("kind", f"No processor recognized the entity: there is no kind {shown(kind)} here; {remedy}.")
        return
    if is_api_version(version) and version not in API_VERSIONS:
        yield Fault(
            "apiVersion",
            f"No processor recognized the entity: {kind} is known as {' or '.join(sorted(API_VERSIONS))}, "
            f"not as {shown(version)}.",
        )
        return
    spec = document.get("spec")
    if isinstance(spec, dict):
        yield from _check_spec(known, spec, _namespace(document))
    elif "spec" not in document and known.spec_required:
        yield Fault("spec", "is missing")


def _namespace(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) and namespace else DEFAULT_NAMESPACE


def _check_spec(kind: Kind, spec: Mapping[str, Any], namespace: str) -> Iterator[Fault]:
    for known in kind.fields:
        path = f"spec.{known.name}"
        if known.name not in spec:
            if known.required:
                yield Fault(path, "is missing")
            continue
        yield from _check_field(known, path, spec[known.name], namespace)
    if kind.has_profile and "profile" in spec:
        yield from _check_profile(spec["profile"])


def _check_field(known: Field, path: str, value: Any, namespace: str) -> Iterator[Fault]:
    if not known.many:
        yield from _check_item(known, path, value, namespace)
    elif not isinstance(value, list):
        yield must_be(path, "a list", value)
    else:
        for index, item in enumerate(value):
            yield from _check_item(known, f"{path}[{index}]", item, namespace)


def _check_item(known: Field, path: str, value: Any, namespace: str) -> Iterator[Fault]:
    if isinstance(value, dict) and len(value) == 1 and PLACEHOLDERS.issuperset(value):
        yield Fault(path, f"must be a string; {next(iter(value))} is not followed here, so put the text itself in")
        return
    faults = list(check_text(path, value))
    yield from faults
    if faults:
        return
    if known.choices and value not in known.choices:
        yield Fault(path, f"must be {' or '.join(known.choices)}, but is {shown(value)}")
    if known.relation:
        yield from _check_reference(known.relation, path, value, namespace)


def _check_reference(relation: RelationType, path: str, value: str, namespace: str) -> Iterator[Fault]:
    try:
        ref = str(parse_ref(value, relation.default_kind, namespace))
    except BadReference as error:
        yield Fault(path, str(error))
        return
    if len(ref) > MAX_REF:
        yield Fault(path, f"is longer than the {MAX_REF} characters of any possible reference")


def _check_profile(profile: Any) -> Iterator[Fault]:
    if not isinstance(profile, dict):
        yield must_be("spec.profile", "a mapping", profile)
        return
    for key in ("displayName", "email", "picture"):
        if key in profile:
            yield from check_text(f"spec.profile.{key}", profile[key])
