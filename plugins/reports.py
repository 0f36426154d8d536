"""What is read about sources beyond their health: runs, fact specs, connectors."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins import registry
from plugins.contract import FactSpec
from plugins.health import unknown_source
from plugins.models import Source, SourceRun
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor


def list_runs(session: Session, name: str, limit: int, cursor: str | None = None) -> Page[SourceRun]:
    """Return a source's runs, newest first; raises NotFound when there never was a source of this name."""
    if session.get(Source, name) is None:
        raise unknown_source(name)
    statement = select(SourceRun).where(SourceRun.source == name).order_by(SourceRun.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(SourceRun.id < _position(cursor))
    runs = list(session.scalars(statement))
    more = len(runs) > limit
    return Page(runs[:limit], encode_cursor(runs[limit - 1].id) if more else None)


def _position(cursor: str) -> int:
    position = decode_cursor(cursor)
    if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position < 2**31:
        raise bad_cursor()
    return position


def fact_specs() -> list[dict[str, Any]]:
    """Return every fact that installed connectors declare, by key, with the connectors that can supply it."""
    declared: dict[str, tuple[FactSpec, list[str]]] = {}
    for name, connector in sorted(registry.connectors().items()):
        for spec in connector.facts:
            declared.setdefault(spec.key, (spec, []))[1].append(name)
    return [
        {
            "key": key,
            "type": str(spec.type),
            "unit": spec.unit,
            "description": spec.description,
            "max_age_seconds": round(spec.max_age.total_seconds()),
            "connectors": names,
        }
        for key, (spec, names) in sorted(declared.items())
    ]


def list_connectors() -> list[dict[str, Any]]:
    """Return every installed connector; one that could not be loaded comes with its fault."""
    usable: list[dict[str, Any]] = [
        {
            "name": name,
            "title": connector.title,
            "fault": None,
            "annotations": [asdict(annotation) for annotation in connector.annotations],
            "permissions": list(connector.permissions),
        }
        for name, connector in registry.connectors().items()
    ]
    broken: list[dict[str, Any]] = [
        {"name": name, "title": None, "fault": fault, "annotations": [], "permissions": []}
        for name, fault in registry.load_faults().items()
    ]
    return sorted(usable + broken, key=lambda entry: str(entry["name"]))
