"""Optimistic replacing: whoever saw another version than the present one decides anew."""

from portal_backend.core.errors import PreconditionFailed


def refuse_outdated(what: str, if_match: int | None, version: int) -> None:
    """Raise PreconditionFailed when the caller has seen another version than the present one (0: there is none)."""
    if if_match is not None and if_match != version:
        raise PreconditionFailed(f"{what} is at version {version} now, not {if_match}; read it again and decide anew.")
