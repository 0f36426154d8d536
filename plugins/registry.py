"""Finds the installed connectors: ours and foreign ones come in by the same door, the entry-point group."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from plugins.contract import Connector, FailureKind, PullFailed
from plugins.transport.redaction import shorten
from portal_backend.core.config import SourceConfig

GROUP = "portal_backend.connectors"

log = logging.getLogger(__name__)


def connectors() -> dict[str, Connector]:
    """Return every connector that could be loaded, by name; one that is broken never keeps the others out."""
    return dict(_discovered()[0])


def load_faults() -> dict[str, str]:
    """Return why a connector could not be loaded, by the name of its entry point."""
    return dict(_discovered()[1])


def connector(name: str) -> Connector:
    """Return one connector; raises PullFailed that says why there is none of this name."""
    found, faults = _discovered()
    if name in found:
        return found[name]
    if name in faults:
        raise PullFailed(FailureKind.MISCONFIGURED, f"the connector {name} cannot be loaded: {faults[name]}")
    known = ", ".join(sorted(found)) or "none"
    raise PullFailed(FailureKind.MISCONFIGURED, f"no connector {name} is installed; installed are: {known}")


def declared_keys(sources: Sequence[SourceConfig]) -> dict[str, frozenset[str]]:
    """Return the facts that sources which are pulled declare under their loaded options, by source.

    One that is posted to declares what may come, of some services and not of others: it supplies none for certain.
    """
    pulled = {name: one for name, one in connectors().items() if one.is_pulled}
    return {
        source.name: frozenset(spec.key for spec in pulled[source.plugin].declared(source.options))
        for source in sources
        if source.plugin in pulled
    }


@cache
def _discovered() -> tuple[Mapping[str, Connector], Mapping[str, str]]:
    return discover(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def discover(points: list[EntryPoint]) -> tuple[Mapping[str, Connector], Mapping[str, str]]:
    """Load the entry points; return the connectors and, for those that are none, the fault."""
    found: dict[str, Connector] = {}
    faults: dict[str, str] = {}
    for point in points:
        try:
            loaded = point.load()
        except Exception as error:  # noqa: BLE001 - foreign code may fail in any way, and only it may suffer
            faults[point.name] = shorten(f"{type(error).__name__}: {error}")
        else:
            fault = f"two packages supply it ({point.value})" if point.name in found else _fault(point.name, loaded)
            if fault:
                faults[point.name] = fault
            else:
                found[point.name] = loaded
    for name, fault in faults.items():
        log.error("connector not usable", extra={"portal": {"connector": name, "fault": fault}})
    return MappingProxyType(found), MappingProxyType(faults)


def _fault(name: str, loaded: Any) -> str | None:
    """Return what keeps an object from being a connector under this name, if anything."""
    if not isinstance(loaded, Connector):
        return f"{loaded!r} is no instance of plugins.contract.Connector"
    if getattr(loaded, "name", None) != name or not getattr(loaded, "title", None):
        return f"its name must be {name}, like its entry point, and it needs a title"
    keys = [spec.key for spec in loaded.facts]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    return f"it declares facts twice: {', '.join(twice)}" if twice else None
