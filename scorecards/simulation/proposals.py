"""A changed catalogue: the files of today with some exchanged, added or left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from plugins.contract import FactSpec
from portal_backend.core.errors import Fault
from scorecards.checks.catalogue import make_catalogue
from scorecards.checks.definitions import CatalogueFile, CheckCatalogue
from scorecards.checks.files import read_text

OVERRIDES = "(request)"
"""The name under which single changes of a request stand in faults."""


@dataclass(frozen=True)
class Proposal:
    """What is to be changed about the catalogue."""

    files: Sequence[CatalogueFile] = ()
    """A file takes the place of today's of the same name; others are added at the end."""
    without: Sequence[str] = ()
    """Names of today's files that are left out."""


def read_proposal(
    files: Sequence[tuple[str, str]], changes: Mapping[str, object], without: Sequence[str], faults: list[Fault]
) -> Proposal:
    """Parse the files (name, YAML text) and the single changes (`overrides`, `disabled`, ...) of a request."""
    names = [name for name, _ in files]
    twice = dict.fromkeys(name for index, name in enumerate(names) if name in names[:index])
    faults += [Fault(name, "is given twice; a file takes the place of another of its name") for name in twice]
    parsed = [read for name, text in files if (read := read_text(name, text, faults))]
    if changes:
        parsed.append(CatalogueFile(OVERRIDES, dict(changes)))
    return Proposal(parsed, without)


def changed_catalogue(
    today: CheckCatalogue, proposal: Proposal, specs: Mapping[str, FactSpec], faults: Sequence[Fault] = ()
) -> CheckCatalogue:
    """Return the catalogue as it would be; raises InvalidInput with every fault, those found in parsing included."""
    given = {file.name: file for file in proposal.files}
    known = {file.name for file in today.files}
    unknown = [
        Fault(f"without[{index}]", f"there is no file {name} in the catalogue; it has {', '.join(sorted(known))}")
        for index, name in enumerate(proposal.without)
        if name not in known
    ]
    files = [given.pop(file.name, file) for file in today.files if file.name not in proposal.without]
    return make_catalogue([*files, *given.values()], specs, [*faults, *unknown])


def all_enforced(catalogue: CheckCatalogue) -> CheckCatalogue:
    """Return the catalogue as it is once every check in shadow is enforced."""
    return replace(
        catalogue, checks={name: replace(check, enforce_from=None) for name, check in catalogue.checks.items()}
    )


def without_check(catalogue: CheckCatalogue, name: str) -> CheckCatalogue:
    """Return the catalogue without one check."""
    return replace(catalogue, checks={key: check for key, check in catalogue.checks.items() if key != name})


def with_check_enforced(catalogue: CheckCatalogue, name: str) -> CheckCatalogue:
    """Return the catalogue with one check enforced."""
    check = replace(catalogue.checks[name], enforce_from=None)
    return replace(catalogue, checks={**catalogue.checks, name: check})
