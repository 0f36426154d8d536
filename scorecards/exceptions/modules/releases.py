"""Releases: a module improves, and every service built on it may gain."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput
from portal_backend.core.principal import Principal
from scorecards.changes import LevelChange
from scorecards.checks.definitions import CheckCatalogue, Status
from scorecards.exceptions.models import FrameworkModule, ModuleAdoption, ModuleRelease
from scorecards.exceptions.modules.adoption import happening
from scorecards.exceptions.modules.registry import KEEPERS, find, releases_of, touch
from scorecards.exceptions.people import require_role
from scorecards.exceptions.recording import Happening
from scorecards.exceptions.statuses import Statuses
from scorecards.exceptions.versions import refuse_outdated

GOOD = {Status.PASS.value, Status.INHERITED.value}


@dataclass(frozen=True)
class ReleaseNote:
    """What is said of a release. None leaves open what a default, or the release as it stands, answers."""

    released_at: datetime | None = None
    supported_until: datetime | None = None
    supported_for_good: bool = False
    """No end of support is announced, or one that was is taken back."""
    satisfies_checks: Sequence[str] | None = None
    follows: str | None = None
    fixes: Sequence[str] | None = None
    notes: str | None = None


@dataclass(frozen=True)
class Released:
    """A release as it is now, and whom it concerns."""

    module: FrameworkModule
    release: ModuleRelease
    checks: tuple[str, ...]
    """The checks whose verdicts it may change."""
    adopters: tuple[str, ...]
    """The services to judge again; none when nothing changed."""
    moved: tuple[str, ...]
    """Those of them that the platform has brought to this release."""
    happenings: tuple[Happening, ...]


def publish(
    session: Session,
    catalogue: CheckCatalogue,
    name: str,
    version: str,
    note: ReleaseNote,
    if_match: int | None,
    principal: Principal,
    now: datetime,
) -> Released:
    """Record a release, or change what is said of one; repeating it changes nothing.

    A new release that is the latest becomes the version of every adopter that follows the releases. Raises NotFound
    without such a module, NotAllowed unless a platform owner asks, InvalidInput on faults of the note, Conflict when
    it contradicts what was released, and PreconditionFailed when the module changed since the caller read it.
    """
    require_role(principal, KEEPERS, "release framework modules")
    module = find(session, name)
    refuse_outdated(f"Module {name}", if_match, module.version)
    before = releases_of(session, [name])[name]
    now = max([now, *(release.recorded_at for release in before)])  # another may have been quicker to begin writing
    present = next((release for release in before if release.version == version), None)
    if present is None:
        release = _new(before, name, version, note, principal, now)
    else:
        release = present
        _refuse_contradiction(present, note)
    old = set(present.satisfies_checks) if present else set()
    until = present.supported_until if present else None
    changed = _apply(release, note) or present is None
    _refuse_faults(release, before, catalogue, now)
    if not changed:
        return Released(module, release, (), (), (), ())
    session.add(release)
    touch(module, principal, now)
    session.flush()
    if present is not None and old == set(release.satisfies_checks) and until == release.supported_until:
        return Released(module, release, (), (), (), ())
    adopters = list(session.scalars(select(ModuleAdoption).where(ModuleAdoption.module == name)))
    followers = _followers(adopters, before, release) if present is None else []
    happenings, former = _move(followers, release, principal, now)
    for other in before:
        if other.version in former:
            old |= set(other.satisfies_checks)
    checks = tuple(sorted(old | set(release.satisfies_checks)))
    refs = tuple(sorted(adoption.entity_ref for adoption in adopters))
    return Released(module, release, checks, refs, tuple(sorted(one.entity_ref for one in followers)), happenings)


def effect(
    released: Released, before: Statuses, after: Statuses, levels: Sequence[LevelChange], listed: int
) -> dict[str, Any]:
    """Return who gained and who lost by a release: checks that pass now, or no longer, and the levels that moved."""
    moves = {change.ref: change for change in levels}
    gained, lost = [], []
    for ref in released.adopters:
        was, now_is = before.get(ref, {}), after.get(ref, {})
        rose = [check for check in released.checks if was.get(check) not in GOOD and now_is.get(check) in GOOD]
        fell = [check for check in released.checks if was.get(check) in GOOD and now_is.get(check) not in GOOD]
        if rose:
            gained.append(_concerned(ref, rose, moves))
        if fell:
            lost.append(_concerned(ref, fell, moves))
    return {
        "adopters": len(released.adopters),
        "moved": len(released.moved),
        "gained": {"count": len(gained), "items": gained[:listed]},
        "lost": {"count": len(lost), "items": lost[:listed]},
    }


def _concerned(ref: str, checks: Sequence[str], moves: dict[str, LevelChange]) -> dict[str, Any]:
    move = moves.get(ref)
    return {
        "ref": ref,
        "checks": list(checks),
        "from_level": move.from_level if move else None,
        "to_level": move.to_level if move else None,
    }


def _new(
    before: Sequence[ModuleRelease], name: str, version: str, note: ReleaseNote, principal: Principal, now: datetime
) -> ModuleRelease:
    follows = note.follows or (before[0].version if before else None)
    continued = next((release for release in before if release.version == follows), None)
    return ModuleRelease(
        module=name,
        version=version,
        released_at=note.released_at or now,
        supported_until=None,
        satisfies_checks=list(continued.satisfies_checks) if continued else [],
        follows=follows,
        fixes=[],
        notes="",
        recorded_by=principal.name,
        recorded_at=now,
    )


def _apply(release: ModuleRelease, note: ReleaseNote) -> bool:
    """Take over what the note says; return whether anything changed."""
    wanted: dict[str, Any] = {}
    if note.supported_for_good or note.supported_until is not None:
        wanted["supported_until"] = note.supported_until
    if note.satisfies_checks is not None:
        wanted["satisfies_checks"] = sorted(set(note.satisfies_checks))
    if note.fixes is not None:
        wanted["fixes"] = sorted(set(note.fixes))
    if note.notes is not None:
        wanted["notes"] = note.notes
    changed = {key: value for key, value in wanted.items() if getattr(release, key) != value}
    for key, value in changed.items():
        setattr(release, key, value)
    return bool(changed)


def _refuse_contradiction(present: ModuleRelease, note: ReleaseNote) -> None:
    faults = []
    if note.released_at is not None and note.released_at != present.released_at:
        faults.append(Fault("released_at", f"it was released at {format_time(present.released_at)}"))
    if note.follows is not None and note.follows != present.follows:
        faults.append(Fault("follows", f"it continues {present.follows or 'no version'}"))
    if faults:
        told = "; ".join(fault.message for fault in faults)
        raise Conflict(f"{present.module} {present.version} is released already: {told}.", faults)


def _refuse_faults(
    release: ModuleRelease, before: Sequence[ModuleRelease], catalogue: CheckCatalogue, now: datetime
) -> None:
    faults = [
        Fault(f"satisfies_checks[{index}]", f"the catalogue has no check {check}")
        for index, check in enumerate(release.satisfies_checks)
        if check not in catalogue.checks
    ]
    others = {other.version: other for other in before if other.version != release.version}
    if release.follows is not None and release.follows not in others:
        faults.append(Fault("follows", f"{release.follows} is no release of {release.module}"))
    elif release.follows is not None and others[release.follows].released_at > release.released_at:
        faults.append(Fault("follows", f"{release.follows} was released later"))
    if release.released_at > now:
        faults.append(Fault("released_at", "lies in the future: record a release once it is out"))
    if release.supported_until is not None and release.supported_until <= release.released_at:
        faults.append(Fault("supported_until", "must lie after the release"))
    if faults:
        raise InvalidInput("The release has faults: " + "; ".join(str(fault) for fault in faults), faults)


def _followers(
    adopters: Sequence[ModuleAdoption], before: Sequence[ModuleRelease], release: ModuleRelease
) -> list[ModuleAdoption]:
    """Return the adopters that this release reaches of itself: the latest reaches all that follow."""
    if any(other.released_at > release.released_at for other in before if other.version != release.version):
        return []
    return [adoption for adoption in adopters if adoption.follows_releases and adoption.version != release.version]


def _move(
    followers: Collection[ModuleAdoption], release: ModuleRelease, principal: Principal, now: datetime
) -> tuple[tuple[Happening, ...], set[str]]:
    """Bring adopters to a release; return what to tell of it, and the versions that they had."""
    happenings, former = [], set()
    for adoption in followers:
        former.add(adoption.version)
        was = adoption.version
        adoption.version = release.version
        adoption.revision += 1
        adoption.changed_by, adoption.changed_at = principal.name, now
        summary = f"{release.module} {release.version} was released, and the platform rolled it out."
        happenings.append(happening(adoption, "upgraded", summary, principal, now, from_version=was))
    return tuple(happenings), former
