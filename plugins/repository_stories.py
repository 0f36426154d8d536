"""Reads what repositories tell of postmortems and launches, whichever code host they lie at."""

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from marshmallow import Schema, ValidationError, fields

from plugins import postmortems
from plugins.contract import Event, FailureKind, PullContext, PullFailed, PullFault
from plugins.in_turn import Memory
from plugins.postmortems import Release

EVENTS = (postmortems.PUBLISHED, postmortems.LAUNCHED)
_OF_ONE_QUESTION = frozenset({FailureKind.PERMISSION, FailureKind.BAD_ANSWER})


def _is_pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ValidationError(f"is no regular expression: {error}") from None


class OptionsSchema(Schema):
    """Where postmortems lie, and which releases are launches. Both are off until they are named."""

    postmortems = fields.String(
        load_default="",
        metadata={"description": "Folder of the repositories in which postmortems lie: `docs/postmortems`."},
    )
    launch_tags = fields.String(
        load_default="",
        validate=_is_pattern,
        metadata={"description": "Regular expression that the whole tag of a release fits which is a launch."},
    )


class Shelf(Protocol):
    """A repository, as far as its files and releases go. Each method raises PullFailed."""

    def files(self, folder: str) -> list[tuple[str, str]]:
        """Return path and link of the files right in a folder; none where there is no such folder."""

    def text(self, path: str) -> str:
        """Return a file's text."""

    def first_commit_at(self, path: str) -> datetime | None:
        """Return when a file was put there; None where no commit tells."""

    def releases(self) -> list[Release]:
        """Return the newest hundred releases that are published."""


def read(
    shelf: Shelf, context: PullContext, memory: Memory, slug: str, refs: Sequence[str], faults: list[PullFault]
) -> list[Event]:
    """Return the postmortems that are new to these services, and the launches; add to `faults` what is hidden."""
    found: list[Event] = []
    folder, tags = context.options["postmortems"].strip("/"), context.options["launch_tags"]
    try:
        if folder:
            found += _postmortems(shelf, folder, context.now, memory, slug, refs)
        if tags:
            launches = [one for one in shelf.releases() if one.published_at <= context.now]
            found += postmortems.launched(launches, tags, refs, slug)
    except PullFailed as failure:
        if failure.kind not in _OF_ONE_QUESTION:
            raise
        faults.append(PullFault(f"{slug}: postmortems and launches", failure.message))
    return found


def _postmortems(
    shelf: Shelf, folder: str, now: datetime, memory: Memory, slug: str, refs: Sequence[str]
) -> list[Event]:
    """Read the files that these services have not been told of; a file is read once."""
    for_whom = ",".join(sorted(refs))
    told = memory.told.get(slug, [])
    known = told[1:] if told[:1] == [for_whom] else []
    found: list[Event] = []
    files = [(path, link) for path, link in shelf.files(folder) if postmortems.is_postmortem(path)]
    new = [(path, link) for path, link in files if path not in known][: postmortems.NEW_AT_ONCE]
    for path, link in new:
        one = postmortems.read(path, shelf.text(path))
        at = one.published_at or shelf.first_commit_at(path) or now
        found += postmortems.published(one, refs, slug, link, min(at, now))
    present = {path for path, _ in files}
    kept = [path for path in known if path in present]
    memory.told[slug] = [for_whom, *kept, *(path for path, _ in new)]
    return found


def decoded(entry: Any) -> str:
    """Return the text of a file that a code host hands out as base64; raises PullFailed for any other."""
    try:
        if entry["encoding"] == "base64":
            return base64.b64decode(entry["content"]).decode(errors="replace")
    except (LookupError, TypeError, ValueError):
        pass
    raise PullFailed(FailureKind.BAD_ANSWER, "a file came in a form that cannot be read")
