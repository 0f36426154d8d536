"""What people have attested, waived or inherited for a service, as far as it counts at one moment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Attestation:
    """What somebody vouches for where no source can show it."""

    id: str
    check_id: str
    check_version: int
    """The version of the check that was answered."""
    holds: bool
    """The answer: what the check asks for is so, or is not."""
    statement: str
    evidence_url: str | None
    attested_by: str
    attested_at: datetime
    expires_at: datetime
    """From this moment on it counts no longer."""


@dataclass(frozen=True)
class Waiver:
    """An exemption from a check that a second person approved."""

    id: str
    check_id: str
    reason: str
    compensating_control: str
    """What limits the risk meanwhile."""
    requested_by: str
    approved_by: str
    since: datetime
    """When it was approved."""
    until: datetime
    """From this moment on it counts no longer."""


@dataclass(frozen=True)
class Inheritance:
    """A check that the service passes by the module it is built on."""

    check_id: str
    module: str
    module_version: str
    supported_until: datetime | None
    """From this moment on it counts no longer; None while no end is announced."""


@dataclass(frozen=True)
class InForce:
    """What counts for one service, each by the check's id."""

    attestations: Mapping[str, Attestation] = field(default_factory=dict)
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    inherited: Mapping[str, Inheritance] = field(default_factory=dict)

    @property
    def changes_at(self) -> datetime | None:
        """Return when the first of them ends; None when none does by itself."""
        ends = [given.expires_at for given in self.attestations.values()]
        ends += [waiver.until for waiver in self.waivers.values()]
        ends += [one.supported_until for one in self.inherited.values() if one.supported_until]
        return min(ends, default=None)


NOTHING_IN_FORCE = InForce({}, {}, {})
