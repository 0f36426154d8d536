"""What is remembered between pulls: Buildbot is asked only for the builds that have ended since."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from plugins import deployments
from plugins.contract import PullFault
from plugins.deployments import MAX_REMEMBERED, WINDOW, Deployment
from plugins.moments import required_moment, rfc3339

OVERLAP = timedelta(hours=1)
"""Builds that came to their end while the last pull was under way are read again."""
TOO_BUSY = f"has ended more than {MAX_REMEMBERED:,} builds in 30 days: only those since {{since}} are counted"


@dataclass
class Memory:
    """The cursor: the runs of 30 days by builder, and up to when they were read."""

    read_until: datetime | None = None
    runs: dict[str, dict[int, Deployment]] = field(default_factory=dict)
    cut: dict[str, datetime] = field(default_factory=dict)
    """When the newest run came to its end that a builder was too busy for us to remember."""

    @classmethod
    def loaded(cls, cursor: str | None) -> "Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored = json.loads(cursor or "{}")
            runs = {str(name): deployments.remembered(rows) for name, rows in stored["runs"].items()}
            cut = {str(name): required_moment(at) for name, at in stored.get("cut", {}).items()}
            return cls(datetime.fromisoformat(stored["read_until"]), runs, cut)
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def since(self, now: datetime) -> datetime:
        """Return from when on builds are to be read."""
        return max(self.read_until - OVERLAP, now - WINDOW) if self.read_until else now - WINDOW

    def add(self, builder: str, run: Deployment) -> None:
        """Remember a run of a builder."""
        self.runs.setdefault(builder, {})[run.id] = run

    def forget(self, now: datetime) -> list[PullFault]:
        """Forget what lies beyond the window, and what is more than may be remembered; return who was too busy."""
        for name, runs in self.runs.items():
            recent = sorted((run for run in runs.values() if run.at >= now - WINDOW), key=lambda run: (run.at, run.id))
            if len(recent) > MAX_REMEMBERED:
                self.cut[name] = recent[-MAX_REMEMBERED - 1].at
            self.runs[name] = {run.id: run for run in recent[-MAX_REMEMBERED:]}
        self.cut = {name: at for name, at in self.cut.items() if at >= now - WINDOW}
        return [PullFault(name, TOO_BUSY.format(since=self._first_of(name, at))) for name, at in self.cut.items()]

    def of(self, names: Sequence[str]) -> list[Deployment]:
        """Return the runs of some builders, the oldest first."""
        found = [run for name in names for run in self.runs.get(name, {}).values()]
        return sorted(found, key=lambda run: (run.at, run.id))

    def dumped(self) -> str:
        """Return the cursor as text."""
        rows = {name: [run.stored() for run in runs.values()] for name, runs in self.runs.items()}
        until = self.read_until.isoformat() if self.read_until else ""
        cut = {name: rfc3339(at) for name, at in self.cut.items()}
        return json.dumps({"read_until": until, "runs": rows, "cut": cut}, separators=(",", ":"))

    def _first_of(self, name: str, otherwise: datetime) -> str:
        return rfc3339(min((run.at for run in self.runs.get(name, {}).values()), default=otherwise))
