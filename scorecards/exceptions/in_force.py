"""What people have attested, waived or inherited for a service, as far as it counts at one moment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

Dated = TypeVar("Dated")


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


@dataclass(frozen=True)
class Ending:
    """How an attestation or a waiver ended, or is going to when nobody ends it before."""

    at: datetime
    kind: str
    """Of an attestation `expired`, `revoked`, `overturned` or `superseded`; of a waiver `expired` or `ended`."""
    by: str | None
    """None where it ended of itself."""
    reason: str | None


@dataclass(frozen=True)
class Given:
    """All that people ever said of one service, by the check's id and the oldest first, each with its end."""

    attestations: Mapping[str, Sequence[tuple[Attestation, Ending]]] = field(default_factory=dict)
    waivers: Mapping[str, Sequence[tuple[Waiver, Ending]]] = field(default_factory=dict)

    def attestation(self, check: str, at: datetime, holds: bool | None = None) -> tuple[Attestation, Ending] | None:
        """Return the attestation of a check that was the newest at a moment (of one answer, or any), and its end."""
        said = [(one.attested_at, (one, end)) for one, end in self.attestations.get(check, ())]
        return _newest([entry for entry in said if holds is None or entry[1][0].holds is holds], at)

    def waiver(self, check: str, at: datetime) -> tuple[Waiver, Ending] | None:
        """Return the waiver of a check that was the newest at a moment, and its end."""
        return _newest([(one.since, (one, end)) for one, end in self.waivers.get(check, ())], at)


def _newest(dated: Sequence[tuple[datetime, Dated]], at: datetime) -> Dated | None:
    return next((one for since, one in reversed(dated) if since <= at), None)
