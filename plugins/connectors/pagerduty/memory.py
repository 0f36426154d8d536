"""What is remembered between pulls: an incident itself does not tell what it was before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from plugins.connectors.pagerduty.incidents import Incident, Severities, severities_of


@dataclass
class Memory:
    """The cursor: what the incidents of our services were at the last pull."""

    severities: dict[str, str] = field(default_factory=dict)
    """By incident; empty where nothing said it."""
    open: set[str] = field(default_factory=set)
    """Those that were not resolved."""

    @classmethod
    def loaded(cls, cursor: str | None) -> "Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored = json.loads(cursor or "{}")
            severities = {str(key): str(severity) for key, severity in stored["severities"].items()}
            return cls(severities, {str(key) for key in stored["open"]})
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def note(self, incidents: Sequence[Incident], severities: Severities) -> None:
        """Remember how incidents are now."""
        self.severities |= severities_of(incidents, severities)
        self.open |= {str(one["id"]) for one in incidents if one.get("status") != "resolved"}

    def dumped(self) -> str:
        """Return the cursor as text."""
        return json.dumps({"severities": self.severities, "open": sorted(self.open)}, separators=(",", ":"))
