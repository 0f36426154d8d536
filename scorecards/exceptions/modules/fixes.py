"""How far a fix has spread: the share of a module's adopters whose version has it."""

from typing import Any

from sqlalchemy.orm import Session

from portal_backend.core.errors import NotFound
from scorecards.exceptions.modules.registry import adopters_by_version, fixes_of, releases_of


def propagation(session: Session, name: str) -> list[dict[str, Any]]:
    """Return every fix of a module with the share (0 to 100) of its adopters that have it, the latest fixes first.

    The share is None while nobody is built on the module.
    """
    releases = releases_of(session, [name])[name]
    adopters = adopters_by_version(session, [name])[name]
    having = fixes_of(releases)
    total = sum(adopters.values())
    items: dict[str, dict[str, Any]] = {}
    for release in reversed(releases):
        for fix in release.fixes:
            if fix in items:
                continue
            with_fix = sum(count for version, count in adopters.items() if fix in having.get(version, ()))
            items[fix] = {
                "fix": fix,
                "first_in": release.version,
                "released_at": release.released_at,
                "adopters": total,
                "with_fix": with_fix,
                "percent": round(100 * with_fix / total, 1) if total else None,
            }
    return list(reversed(items.values()))


def versions_without(session: Session, name: str, fix: str) -> list[str]:
    """Return the versions of a module that lack a fix; raises NotFound when no release mends that."""
    having = fixes_of(releases_of(session, [name])[name])
    if not any(fix in fixes for fixes in having.values()):
        raise NotFound(f"No release of {name} names the fix {fix}; /api/scorecards/modules/{name}/fixes lists them.")
    return [version for version, fixes in having.items() if fix not in fixes]
