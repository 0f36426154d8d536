"""Postmortems that people keep as files beside the code, and launches that they mark as releases. Pure.

A postmortem is a Markdown file in a folder of the repository. What its front matter says of the incident goes along:

    ---
    incident: PT4KHLK
    date: 2026-11-20
    severity: sev1
    cause: bad_change
    services: [checkout]
    actions:
      - {title: Roll out in steps, priority: P1, due_at: 2026-12-01, done: false}
    ---
    # The card outage
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import yaml

from plugins.contract import Event, EventSpec
from plugins.moments import moment

PUBLISHED = EventSpec("postmortem.published", "A postmortem was put into the folder of the option `postmortems`.")
LAUNCHED = EventSpec("launch.stage_entered", "A release whose tag fits the option `launch_tags` was published.")
SUFFIXES = (".md", ".markdown")
NEW_AT_ONCE = 20
"""Files that are read of one repository in one run; the others follow in the next."""
KNOWN_WORDS = ("incident", "severity", "cause", "actions", "mitigation", "resolution", "mended_by")
LONGEST_TITLE = 300

_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_DATED = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


@dataclass(frozen=True)
class Postmortem:
    """One file, as far as a history is concerned."""

    path: str
    title: str
    published_at: datetime | None
    """From the front matter, or from a date in the file's name; None where neither says."""
    services: Sequence[str]
    """Those that it names; empty where it concerns all that live in the repository."""
    details: Mapping[str, Any]


def is_postmortem(path: str) -> bool:
    """Say whether a file of the folder is one; what begins with a dot or an underscore, and templates, are none."""
    name = path.rpartition("/")[2].lower()
    return name.endswith(SUFFIXES) and not name.startswith((".", "_", "readme", "template"))


def read(path: str, text: str) -> Postmortem:
    """Read a file; front matter that cannot be read counts as none."""
    found = _FRONT.match(text)
    front = _front_matter(found[1]) if found else {}
    heading = _HEADING.search(text, found.end() if found else 0)
    title = str(front.get("title") or (heading[1] if heading else path.rpartition("/")[2])).strip()
    named = front.get("services") or []
    dated = _DATED.search(path.rpartition("/")[2])
    return Postmortem(
        path,
        title[:LONGEST_TITLE],
        _moment(front.get("published_at") or front.get("date")) or (_moment(dated[1]) if dated else None),
        [str(name).strip().lower() for name in (named if isinstance(named, list) else [named])],
        {word: _plain(front[word]) for word in KNOWN_WORDS if front.get(word) not in (None, "", [])},
    )


def _front_matter(text: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _moment(value: Any) -> datetime | None:
    """Read what YAML or a person wrote as a time; a day begins at midnight in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return moment(value) or moment(f"{value}T00:00:00Z")


def _plain(value: Any) -> Any:
    """Return what YAML read as JSON has it: days and times as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def about(one: Postmortem, refs: Sequence[str]) -> list[str]:
    """Return which services of a repository a postmortem concerns: those it names, by name or by reference, or all."""
    if not one.services:
        return list(refs)
    return [ref for ref in refs if ref in one.services or ref.rpartition("/")[2] in one.services]


def published(one: Postmortem, refs: Sequence[str], slug: str, link: str, at: datetime) -> Iterator[Event]:
    """Yield the event of a postmortem for each service that it concerns."""
    for ref in about(one, refs):
        details = {"title": one.title, "path": one.path, **one.details}
        yield Event(ref, f"{slug}:{one.path}:{ref}", PUBLISHED.kind, at, f"Postmortem: {one.title}", link, details)


@dataclass(frozen=True)
class Release:
    """A release of a repository."""

    tag: str
    name: str
    published_at: datetime
    preview: bool
    """It is not for everybody yet."""
    link: str


def launched(releases: Sequence[Release], tags: str, refs: Sequence[str], slug: str) -> Iterator[Event]:
    """Yield the launches among releases: those whose whole tag fits the regular expression `tags`."""
    fits = re.compile(tags)
    for one in releases:
        if not fits.fullmatch(one.tag):
            continue
        stage = "canary" if one.preview else "full"
        summary = f"{slug} launched {one.name or one.tag}" + (" as a preview" if one.preview else "")
        details = {"launch": one.tag, "stage": stage, "release": one.tag}
        for ref in refs:
            event_id = f"{slug}:launch:{one.tag}:{stage}:{ref}"
            yield Event(ref, event_id, LAUNCHED.kind, one.published_at, summary, one.link, details)
