"""SLOs with their services, data sources and shared indicators; other formats come in the words of OpenSLO v1."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plugins.connectors.openslo.documents import Document
from plugins.connectors.openslo.foreign import FORMATS, translate
from plugins.connectors.openslo.indicators import (
    Category,
    Indicator,
    categorise,
    indicator_of,
    texts,
    threshold_seconds,
)
from plugins.contract import PullFault

API_VERSION = "openslo/v1"
OWNER_KEYS = ("owner", "team", "openslo.com/owner")
"""Labels, or else annotations, that name who answers for an SLO."""

_IGNORED_KINDS = frozenset({"AlertPolicy", "AlertCondition", "AlertNotificationTarget"})
_OTHER_FORMATS = {"openslo.com/v2alpha": "a draft of OpenSLO's next version"}
_DURATION = re.compile(r"([1-9]\d{0,5})([mhdwMQY])")
_DAYS = {"m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0, "M": 30.0, "Q": 90.0, "Y": 365.0}
"""A month counts 30 days, a quarter 90, a year 365."""
MIN_WINDOW_DAYS = 1 / 24


@dataclass(frozen=True)
class Objective:
    """One target of an SLO."""

    category: Category
    target: float
    """Share of good events or time, above 0 and below 1."""
    threshold_seconds: float | None
    indicator: Indicator


@dataclass(frozen=True)
class Slo:
    """One SLO document."""

    name: str
    service: str
    objectives: Sequence[Objective]
    window_days: float | None
    owners: Sequence[str] = ()


@dataclass
class Definitions:
    """All that the documents define."""

    slos: list[Slo] = field(default_factory=list)
    owners_of_services: dict[str, list[str]] = field(default_factory=dict)
    """Owners by service name, for every service that has a document of its own."""
    incomplete: set[str] = field(default_factory=set)
    """Services of which an SLO could not be read."""
    faults: list[PullFault] = field(default_factory=list)
    understood: int = 0
    """Documents in a version and kind that we know."""
    unread: int = 0
    """Documents that may define SLOs and could not be read."""


def define(documents: Sequence[Document]) -> Definitions:
    """Read all documents together: an SLO may refer to an SLI of another file."""
    definitions = Definitions()
    by_kind: dict[str, dict[str, Document]] = {"SLO": {}, "SLI": {}, "Service": {}, "DataSource": {}}
    for document in _in_one_format(documents, definitions):
        problem = _misfit(document.value)
        if problem:
            definitions.faults.append(PullFault(document.where, problem))
            definitions.unread += 1
            continue
        definitions.understood += 1
        if document.value["kind"] not in _IGNORED_KINDS:
            _collect(document, by_kind, definitions)
    for name, document in by_kind["Service"].items():
        definitions.owners_of_services[name] = _owners(document.value["metadata"])
    reader = _SloReader(by_kind["SLI"], _source_types(by_kind["DataSource"]), definitions)
    for document in by_kind["SLO"].values():
        reader.read(document)
    return definitions


def _in_one_format(documents: Sequence[Document], definitions: Definitions) -> Iterator[Document]:
    """Yield the documents in the words of OpenSLO v1; one that cannot be put so is a fault."""
    for document in documents:
        try:
            translated = translate(document.value)
        except ValueError as error:
            definitions.faults.append(PullFault(document.where, str(error)))
            definitions.unread += 1
            continue
        yield from [document] if translated is None else (Document(document.where, value) for value in translated)


def _collect(document: Document, by_kind: Mapping[str, dict[str, Document]], definitions: Definitions) -> None:
    """Keep a document under its name; of two with one name the first. SLOs of two services may share a name."""
    kind, name = document.value["kind"], document.value["metadata"]["name"]
    key = f"{document.value['spec'].get('service')}/{name}" if kind == "SLO" else name
    first = by_kind[kind].setdefault(key, document)
    if first is not document:
        definitions.faults.append(PullFault(document.where, f"{kind} {name} is defined in {first.where} already"))
        definitions.unread += 1


def _misfit(value: Mapping[str, Any]) -> str:
    """Say why a document is not for us; empty when it is."""
    version, kind, metadata = value.get("apiVersion"), value.get("kind"), value.get("metadata")
    if version != API_VERSION:
        what = _OTHER_FORMATS.get(version) if isinstance(version, str) else None
        return f"apiVersion {str(version)[:60]} is {what or 'not known here'}; read are {', '.join(FORMATS)}"
    if kind not in _IGNORED_KINDS | {"SLO", "SLI", "Service", "DataSource"}:
        return f"kind {str(kind)[:60]} is none of OpenSLO's"
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        return "metadata.name is missing, or is no text"
    return "" if isinstance(value.get("spec"), dict) else "spec is missing"


class _SloReader:
    """Reads SLO documents with the indicators and data sources that they may refer to."""

    def __init__(self, slis: Mapping[str, Document], source_types: Mapping[str, str], found: Definitions) -> None:
        self._slis = slis
        self._source_types = source_types
        self._found = found

    def read(self, document: Document) -> None:
        """Add an SLO to the definitions, or the reason why it cannot be one."""
        metadata, spec = document.value["metadata"], document.value["spec"]
        service = spec.get("service")
        if not isinstance(service, str) or not service:
            self._fault(document, metadata, "spec.service is missing, or is no text: nothing says whose SLO it is")
            self._found.unread += 1
            return
        try:
            objectives = list(self._objectives(document, metadata, spec))
        except ValueError as error:
            self._fault(document, metadata, f"{error}; it is left out")
            self._found.incomplete.add(service)
            self._found.unread += 1
            return
        self._found.slos.append(
            Slo(metadata["name"], service, objectives, self._window(document, metadata, spec), _owners(metadata))
        )

    def _objectives(
        self, document: Document, metadata: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Iterator[Objective]:
        objectives = spec.get("objectives")
        if not isinstance(objectives, list) or not objectives:
            raise ValueError("spec.objectives is empty")
        for number, objective in enumerate(objectives):
            if not isinstance(objective, dict):
                raise ValueError(f"spec.objectives[{number}] is no object")
            own = objective.get("indicator") or objective.get("indicatorRef")
            indicator = self._indicator(objective if own else spec)
            category = categorise(indicator, metadata)
            if category is None:
                hint = "neither its names nor its metrics say whether it is about availability or latency"
                self._fault(document, metadata, f"{hint}; add the label sli: availability, latency or other")
            if indicator.unreadable:
                self._fault(document, metadata, f"its metrics are not known: {indicator.unreadable}")
            yield Objective(
                category or Category.OTHER,
                _target(objective, f"spec.objectives[{number}]"),
                threshold_seconds(indicator, objective) if category is Category.LATENCY else None,
                indicator,
            )

    def _indicator(self, holder: Mapping[str, Any]) -> Indicator:
        inline, reference = holder.get("indicator"), holder.get("indicatorRef")
        if isinstance(inline, dict):
            metadata, spec = inline.get("metadata"), inline.get("spec")
        elif isinstance(reference, str) and reference in self._slis:
            value = self._slis[reference].value
            metadata, spec = value["metadata"], value["spec"]
        elif reference:
            raise ValueError(f"indicatorRef {str(reference)[:60]!r} names an SLI that no document defines")
        else:
            raise ValueError("it has no indicator")
        metadata = metadata if isinstance(metadata, dict) else {}
        indicator = indicator_of(metadata, spec if isinstance(spec, dict) else {}, self._source_types)
        if indicator is None:
            raise ValueError("its indicator has neither ratioMetric nor thresholdMetric")
        return indicator

    def _window(self, document: Document, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> float | None:
        try:
            return _window_days(spec.get("timeWindow"))
        except ValueError as error:
            self._fault(document, metadata, str(error))
            return None

    def _fault(self, document: Document, metadata: Mapping[str, Any], message: str) -> None:
        fault = PullFault(document.where, f"SLO {metadata['name']}: {message}")
        if fault not in self._found.faults[-8:]:  # objectives share an indicator
            self._found.faults.append(fault)


def _target(objective: Mapping[str, Any], path: str) -> float:
    """Return a target as a ratio; raises ValueError. OpenSLO takes either `target` or `targetPercent`."""
    given = [key for key in ("target", "targetPercent") if objective.get(key) is not None]
    if len(given) != 1:
        raise ValueError(f"{path} needs one of target and targetPercent")
    value = objective[given[0]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{path}.{given[0]} is no number")
    whole = 100 if given[0] == "targetPercent" else 1
    if not 0 < value < whole:
        raise ValueError(f"{path}.{given[0]} must lie between 0 and {whole}, both excluded: there is an error budget")
    return round(value / whole, 9)


def _window_days(windows: Any) -> float:
    """Return the length of the time window in days; raises ValueError."""
    window = windows[0] if isinstance(windows, list) and len(windows) == 1 else None
    duration = window.get("duration") if isinstance(window, dict) else None
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise ValueError("spec.timeWindow needs one entry with a duration such as 28d, 4w or 1M")
    days = int(match[1]) * _DAYS[match[2]]
    if days < MIN_WINDOW_DAYS:
        raise ValueError(f"spec.timeWindow {duration} is shorter than an hour: m means minutes, a month is 1M")
    return days


def _owners(metadata: Mapping[str, Any]) -> list[str]:
    for part in ("labels", "annotations"):
        for key in OWNER_KEYS:
            owners = texts(metadata.get(part), key)
            if owners:
                return owners
    return []


def _source_types(sources: Mapping[str, Document]) -> dict[str, str]:
    return {
        name: document.value["spec"]["type"] for name, document in sources.items() if "type" in document.value["spec"]
    }
