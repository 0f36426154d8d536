"""What imports of attestations and of waivers have in common: what they did, and what is wrong with their entries."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.faults import first_faults
from scorecards.checks.definitions import CheckCatalogue
from scorecards.exceptions.recording import Happening


@dataclass
class Report:
    """What an import did."""

    recorded: list[str] = field(default_factory=list)
    """Each `service check`."""
    unchanged: list[str] = field(default_factory=list)
    """Those that had been imported before."""
    happenings: list[Happening] = field(default_factory=list)


class Entry(Protocol):
    """What every entry of a file says."""

    @property
    def place(self) -> str:
        """Where in the file it stands."""

    @property
    def entity(self) -> str:
        """The service, a whole reference."""

    @property
    def check(self) -> str:
        """The check's id."""


def repeated_in_file(entries: Sequence[Entry]) -> list[Fault]:
    """Return the fault of each entry on a check of a service on which an earlier one is."""
    first: dict[tuple[str, str], str] = {}
    faults = []
    for entry in entries:
        place = first.setdefault((entry.entity, entry.check), entry.place)
        if place != entry.place:
            faults.append(Fault(f"{entry.place}.check", f"{place} has this check of this service already; keep one"))
    return faults


def unknown_faults(catalogue: CheckCatalogue, services: Container[str], entity: str, check: str) -> list[Fault]:
    """Return what of an entry names nothing that there is."""
    faults = []
    if entity not in services:
        faults.append(Fault("entity", f"the catalog has no service {entity}; register it first"))
    if check not in catalogue.checks:
        faults.append(Fault("check", f"the catalogue has no check {check}; `portal scorecards checks` lists them"))
    return faults


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise InvalidInput with the first of the faults, if there are any."""
    if faults:
        message = "Nothing was imported; mend what is wrong and import all of it again."
        raise InvalidInput(message, first_faults(faults))
