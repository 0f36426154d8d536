"""Reads repositories in turn: for connectors to systems that speak of one repository at a time and limit requests.

A run that has cost what it may ends; those that have waited longest come first in the next one.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plugins import deployments, parts
from plugins.contract import Batch, PullContext, PullFailed

PER_BATCH = 20


@dataclass
class Memory:
    """The cursor: when each repository was last read, and its deployments of 30 days."""

    read_at: dict[str, str] = field(default_factory=dict)
    known: dict[str, Mapping[int, deployments.Deployment]] = field(default_factory=dict)
    anew: set[str] = field(default_factory=set)
    """Repositories of which nothing that can still change shall be taken from memory at their next reading."""
    told: dict[str, list[str]] = field(default_factory=dict)
    """The postmortems of each repository that the history has, after the services that it has them for."""

    @classmethod
    def loaded(cls, cursor: str | None) -> "Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored: dict[str, Any] = json.loads(cursor or "{}")
            known: dict[str, Mapping[int, deployments.Deployment]] = {
                slug: deployments.remembered(rows) for slug, rows in stored.get("deployments", {}).items()
            }
            read_at = {str(slug): str(at) for slug, at in stored.get("read_at", {}).items()}
            told = {str(slug): [str(path) for path in paths] for slug, paths in stored.get("told", {}).items()}
            return cls(read_at, known, {str(slug) for slug in stored.get("anew", [])}, told)
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def keep(self, names: Mapping[str, Sequence[str]]) -> None:
        """Forget repositories that no service names any more."""
        self.read_at = {name: at for name, at in self.read_at.items() if name in names}
        self.known = {name: known for name, known in self.known.items() if name in names}
        self.told = {name: told for name, told in self.told.items() if name in names}
        self.anew &= names.keys()

    def dumped(self) -> str:
        """Return the cursor as text."""
        rows = {name: [one.stored() for one in known.values()] for name, known in self.known.items()}
        stored = {"read_at": self.read_at, "deployments": rows, "anew": sorted(self.anew), "told": self.told}
        return json.dumps(stored, separators=(",", ":"))


def pull(
    context: PullContext,
    names: Mapping[str, Sequence[str]],
    memory: Memory,
    requests: int,
    read: Callable[[str, Sequence[str]], Batch],
    ahead: Callable[[Sequence[str]], None] | None = None,
) -> Iterator[Batch]:
    """Read repositories until the run has made so many `requests`; `names` holds the services of each.

    `ahead` is told which ones are read next, so that one question can be asked for several of them.
    One that cannot be read becomes a fault. Raises PullFailed when none of those whose turn came can, or when the next
    would fail as well.
    """
    waiting = sorted(names, key=lambda name: (memory.read_at.get(name, ""), name))
    failures: list[PullFailed] = []
    tried = 0
    for start in range(0, len(waiting), PER_BATCH):
        batches: list[Batch] = []
        if ahead:
            ahead(waiting[start : start + PER_BATCH])
        for name in waiting[start : start + PER_BATCH]:
            if (start or batches) and context.client.requests_made >= requests:
                break
            batches.append(_try(name, names[name], read, failures))
            tried += 1
            memory.read_at[name] = context.now.isoformat()
            memory.anew.discard(name)
        yield _joined(batches, memory.dumped())
        if context.client.requests_made >= requests:
            break
    if failures and len(failures) == tried:
        raise next((failure for failure in failures if failure.status != 404), failures[0])


def _try(
    name: str, refs: Sequence[str], read: Callable[[str, Sequence[str]], Batch], failures: list[PullFailed]
) -> Batch:
    try:
        return read(name, refs)
    except PullFailed as failure:
        fault = parts.fault(f"repository {name}", failure, parts.GONE)
        failures.append(failure)
        return Batch(faults=[fault])


def _joined(batches: Sequence[Batch], cursor: str) -> Batch:
    return Batch(
        facts=[fact for batch in batches for fact in batch.facts],
        events=[event for batch in batches for event in batch.events],
        faults=[fault for batch in batches for fault in batch.faults],
        cursor=cursor,
    )
