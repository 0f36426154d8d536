"""SLO definitions of OpenSLO, Sloth and Pyrra, out of files or out of one YAML stream by HTTP."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from marshmallow import Schema, fields, validate

from plugins.annotating import remedy
from plugins.connectors.openslo.documents import Loaded, load_paths, load_text
from plugins.connectors.openslo.facts import SPECS, observe
from plugins.connectors.openslo.foreign import FORMATS
from plugins.connectors.openslo.slos import Definitions, Slo, define
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)

SERVICE = "openslo.com/service"


class OptionsSchema(Schema):
    """Where the definitions are."""

    paths = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=list,
        metadata={
            "description": "Files and folders, absolute or from portal.yaml's folder. The source's url when empty."
        },
    )
    exhaustive = fields.Boolean(
        load_default=False,
        metadata={"description": "Every SLO there is stands here: a service without one has none, not an unknown."},
    )


class OpenSloConnector(Connector):
    """Reads SLO definitions of one repository or address."""

    name: ClassVar[str] = "openslo"
    title: ClassVar[str] = "OpenSLO, Sloth and Pyrra files"
    facts = SPECS
    annotations = (
        AnnotationSpec(
            SERVICE, "The service's name in OpenSLO, or several with commas; metadata.name without it.", "checkout"
        ),
    )
    permissions = ("read the files, or the address that serves them",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Read the documents, and say how many SLOs belong to services of the catalog."""
        loaded, definitions = _read(context)
        claims = _claims(context.targets, _services(definitions))
        matched = sum(1 for slo in definitions.slos if slo.service in claims.refs_of)
        faults = len(loaded.faults) + len(definitions.faults)
        held = f"{len(loaded.documents)} documents hold {len(definitions.slos)} SLOs"
        if definitions.slos and context.targets and not claims.refs_of:
            there = ", ".join(sorted(_services(definitions))[:5])
            message = f"{held}, none of a service in the catalog; they name {there}: {remedy(self.annotations)}"
            raise PullFailed(FailureKind.MISCONFIGURED, message)
        return f"{held}, {matched} of them of services in the catalog" + (
            f"; {faults} faults, the first: {_first(loaded, definitions)}" if faults else ""
        )

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read all documents and yield the facts of the services they speak of."""
        loaded, definitions = _read(context)
        services = _services(definitions)
        claims = _claims(context.targets, services)
        facts = _facts(claims, definitions, context)
        faults = [*loaded.faults, *definitions.faults, *claims.faults]
        if context.options["exhaustive"]:
            if loaded.faults or definitions.unread:
                faults.append(
                    PullFault("exhaustive", "while some documents are not read, no service is said to have 0")
                )
            else:
                facts += _zeros(claims, context)
        yield Batch(facts=facts, faults=faults, unmatched=sorted(services - claims.refs_of.keys() - claims.ambiguous))


@dataclass
class Claims:
    """Who claims which service name of the documents."""

    refs_of: dict[str, list[str]] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)
    """Names that more than one service has and none claims by annotation."""
    ambiguous_refs: set[str] = field(default_factory=set)
    faults: list[PullFault] = field(default_factory=list)


def _read(context: PullContext) -> tuple[Loaded, Definitions]:
    """Load and read all documents; raises PullFailed when there is nothing of ours among them."""
    paths = context.options["paths"]
    if paths:
        loaded = load_paths(paths, context.base_dir)
    else:
        loaded = Loaded()
        load_text(context.client.get_text(""), context.client.describe(), loaded)
    definitions = define(loaded.documents)
    if not definitions.understood:
        where = ", ".join(paths) if paths else context.client.describe()
        first = _first(loaded, definitions)
        if paths and not loaded.files:
            raise PullFailed(FailureKind.MISCONFIGURED, first or f"{where} holds no YAML file")
        raise PullFailed(
            FailureKind.MISCONFIGURED if paths else FailureKind.BAD_ANSWER,
            f"{where} holds no document of {', '.join(FORMATS)}" + (f"; the first fault: {first}" if first else ""),
        )
    return loaded, definitions


def _first(loaded: Loaded, definitions: Definitions) -> str:
    faults = [*loaded.faults, *definitions.faults]
    return f"{faults[0].scope}: {faults[0].message}" if faults else ""


def _services(definitions: Definitions) -> set[str]:
    """Return the names of all services that the documents speak of."""
    return {slo.service for slo in definitions.slos} | definitions.owners_of_services.keys() | definitions.incomplete


def _claims(targets: Sequence[Target], services: set[str]) -> Claims:
    """Match services to names. An annotation goes before a metadata.name; a name of two services must be annotated."""
    annotated: dict[str, list[str]] = defaultdict(list)
    named: dict[str, list[str]] = defaultdict(list)
    for target in targets:
        if SERVICE in target.annotations:
            for name in {part.strip() for part in target.annotations[SERVICE].split(",")} & services:
                annotated[name].append(target.ref)
        elif target.name in services:
            named[target.name].append(target.ref)
    claims = Claims(dict(annotated))
    for name, refs in named.items():
        if name in annotated:
            continue
        if len(refs) == 1:
            claims.refs_of[name] = refs
            continue
        claims.ambiguous.add(name)
        claims.ambiguous_refs.update(refs)
        message = f"is the name of {', '.join(sorted(refs)[:5])}: say which is meant by the annotation {SERVICE}"
        claims.faults.append(PullFault(f"service {name}", message))
    return claims


def _facts(claims: Claims, definitions: Definitions, context: PullContext) -> list[Fact]:
    names_of: dict[str, list[str]] = defaultdict(list)
    for name, refs in claims.refs_of.items():
        for ref in refs:
            names_of[ref].append(name)
    slos_of: dict[str, list[Slo]] = defaultdict(list)
    for slo in definitions.slos:
        slos_of[slo.service].append(slo)
    facts: list[Fact] = []
    for ref, names in names_of.items():
        slos = [slo for name in names for slo in slos_of[name]]
        owners = [owner for name in names for owner in definitions.owners_of_services.get(name, ())]
        facts += observe(ref, slos, owners, definitions.incomplete.isdisjoint(names), context.now)
    return facts


def _zeros(claims: Claims, context: PullContext) -> list[Fact]:
    """Return a count of 0 for each service that the documents do not speak of."""
    spoken_of = {ref for refs in claims.refs_of.values() for ref in refs} | claims.ambiguous_refs
    return [Fact(t.ref, "slo.count", 0, context.now) for t in context.targets if t.ref not in spoken_of]


CONNECTOR = OpenSloConnector()
