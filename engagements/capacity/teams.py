"""SRE teams: what each can carry at a moment, folded from the entries of its ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.format.envelope import is_kind, is_name, is_namespace
from catalog.format.refs import BadReference, parse_ref
from engagements import history
from engagements.capacity.limits import TeamKind, TeamLimits
from engagements.capacity.models import CapacityEntry, SreTeam
from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks, serialise, upsert
from portal_backend.core.errors import Fault, InvalidInput, NotAllowed, NotFound, PreconditionFailed
from portal_backend.core.pagination import MAX_LIMIT
from portal_backend.core.principal import Principal, Role

LIMITS, FREED = "limits", "freed"
_IDENTITY = ("ref", "title", "kind")
LIMIT_FIELDS = tuple(each.name for each in fields(TeamLimits) if each.name not in _IDENTITY)


@dataclass(frozen=True)
class Team:
    """A team at one moment, and the version of its ledger."""

    limits: TeamLimits
    version: int


def team_ref(text: str) -> str:
    """Return a team's full reference: `sre` is group:default/sre. Raises InvalidInput when it is none of a Group."""
    try:
        ref = str(parse_ref(text, default_kind="group")).lower()
    except BadReference as error:
        raise InvalidInput(str(error), [Fault("team", str(error))]) from error
    if not ref.startswith("group:"):
        said = f"{ref} is no team: name a Group, such as group:default/sre."
        raise InvalidInput(said, [Fault("team", said)])
    return ref


def get(session: Session, ref: str, now: datetime) -> Team:
    """Return a team as it is at a moment; raises NotFound when its capacity was never recorded."""
    found = teams(session, now, [ref])
    if not found:
        raise NotFound(f"The capacity of {ref} is not recorded; PUT it under /api/engagements/teams first.")
    return found[0]


def teams(session: Session, at: datetime, refs: Sequence[str] | None = None) -> list[Team]:
    """Return the teams, all or those of `refs`, as they are at a moment, by reference."""
    query = select(SreTeam).order_by(SreTeam.ref)
    rows = list(session.scalars(query if refs is None else query.where(SreTeam.ref.in_(refs))))
    changes = _changes(session, [row.ref for row in rows], at)
    return [Team(_folded(row, changes.get(row.ref, ())), row.version) for row in rows]


def entries(session: Session, ref: str) -> list[CapacityEntry]:
    """Return the newest 200 entries of a team's ledger, the oldest first."""
    query = select(CapacityEntry).where(CapacityEntry.team_ref == ref).order_by(CapacityEntry.sequence.desc())
    return list(reversed(session.scalars(query.limit(MAX_LIMIT)).all()))


def put(
    session: Session,
    wanted: TeamLimits,
    reason: str,
    effective_at: datetime,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> Team:
    """Record what a team can carry from a moment on, and return it as it is now.

    What is recorded already is not recorded again. Raises InvalidInput for what no catalog could hold as a team,
    NotAllowed unless an SRE manager (of a platform team, its owner as well) asks, and PreconditionFailed when the
    ledger grew since the version that the caller saw.
    """
    _refuse_malformed(wanted.ref)
    roles = [Role.SRE_MANAGER, *([Role.PLATFORM_OWNER] if wanted.kind is TeamKind.PLATFORM else [])]
    if not principal.has_role(*roles):
        raise NotAllowed(f"{principal.name} may not record the capacity of a team: it takes the role {roles[0]}.")
    serialise(session, f"capacity/{wanted.ref}")
    session.expire_all()
    row = session.get(SreTeam, wanted.ref)
    version = row.version if row else 0
    if if_match is not None and if_match != version:
        raise PreconditionFailed(
            f"The capacity of {wanted.ref} is at version {version} now, not {if_match}; read it again and decide anew."
        )
    details = _difference(session, row, wanted, effective_at)
    if details:
        key = f"{LIMITS}/{version + 1}"
        _append(session, wanted, version, key, LIMITS, details, reason, effective_at, principal.name, now)
    return get(session, wanted.ref, now)


def _refuse_malformed(ref: str) -> None:
    parts = parse_ref(ref)
    if not (is_kind(parts.kind) and is_namespace(parts.namespace) and is_name(parts.name)):
        message = f"{ref!r} can be no team of the catalog; write it as group:default/sre"
        raise InvalidInput(message, [Fault("team", message)])


def post_freed(
    session: Session, ref: str, entity_ref: str, engagement_id: str, freed: Mapping[str, Any], actor: str, now: datetime
) -> bool:
    """Post to a team's ledger what handing a service back gave free, once per engagement; say whether it was new.

    `freed` names what became free, e.g. {"pages_per_shift": 0.4, "hours_per_quarter": 120, "stack": "go"}. A team
    whose capacity is not recorded has no ledger: then nothing is posted.
    """
    serialise(session, f"capacity/{ref}")
    session.expire_all()
    team, key = session.get(SreTeam, ref), f"{FREED}/{engagement_id}"
    posted = session.scalar(select(CapacityEntry.id).where(CapacityEntry.team_ref == ref, CapacityEntry.key == key))
    if team is None or posted:
        return False
    limits = TeamLimits(ref, team.title, TeamKind(team.kind))
    details = {"service": entity_ref, "engagement": engagement_id, **freed}
    reason = f"{entity_ref} was handed back."
    _append(session, limits, team.version, key, FREED, details, reason, now, actor, now)
    return True


def _difference(session: Session, row: SreTeam | None, wanted: TeamLimits, at: datetime) -> dict[str, Any]:
    """Return the fields in which a team differs from what its ledger says of a moment."""
    stated = {**asdict(wanted), "kind": wanted.kind.value}
    if row is None:
        return {name: stated[name] for name in (*LIMIT_FIELDS, "title", "kind")}
    known = _folded(row, _changes(session, [row.ref], at).get(row.ref, ()))
    before = {**asdict(known), "kind": known.kind.value}
    return {name: stated[name] for name in (*LIMIT_FIELDS, "title", "kind") if stated[name] != before[name]}


def _append(
    session: Session,
    team: TeamLimits,
    version: int,
    key: str,
    kind: str,
    details: Mapping[str, Any],
    reason: str,
    effective_at: datetime,
    actor: str,
    now: datetime,
) -> None:
    """Write an entry to the ledger, the team and the history of the team's group."""
    row = {
        "team_ref": team.ref,
        "sequence": version + 1,
        "key": key,
        "kind": kind,
        "effective_at": effective_at,
        "recorded_at": now,
        "actor": actor,
        "reason": reason,
        "details": dict(details),
    }
    _write(session, [row])
    told = {**row, "effective_at": format_time(effective_at), "recorded_at": format_time(now)}
    event = history.NewEvent(
        entity_ref=team.ref,
        kind="capacity.freed" if kind == FREED else "capacity.changed",
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"capacity/{team.ref}/{version + 1}",
        summary=reason,
        actor=actor,
        details={"entry": told},
    )
    history.record(session, [event], now)
    session.expire_all()


def _write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write entries in the order given, and bring their teams up to them."""
    state: dict[str, dict[str, Any]] = {}
    refs = sorted({row["team_ref"] for row in rows})
    for team in session.scalars(select(SreTeam).where(SreTeam.ref.in_(refs))):
        state[team.ref] = {"ref": team.ref, "title": team.title, "kind": team.kind, "version": team.version}
    for row in rows:
        known = state.get(row["team_ref"], {"ref": row["team_ref"], "title": "", "kind": TeamKind.SERVICE.value})
        named = {name: row["details"][name] for name in ("title", "kind") if name in row["details"]}
        state[row["team_ref"]] = {**known, **named, "version": row["sequence"]}
    upsert(session, SreTeam, list(state.values()), ["ref"])
    upsert(session, CapacityEntry, rows, ["team_ref", "sequence"])


def _changes(session: Session, refs: Iterable[str], at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the changes of limits that hold at a moment, by team, in the order in which they took effect."""
    found: dict[str, list[dict[str, Any]]] = {}
    for some in chunks(refs):
        query = (
            select(CapacityEntry.team_ref, CapacityEntry.details)
            .where(CapacityEntry.team_ref.in_(some), CapacityEntry.kind == LIMITS, CapacityEntry.effective_at <= at)
            .order_by(CapacityEntry.effective_at, CapacityEntry.sequence)
        )
        for ref, details in session.execute(query):
            found.setdefault(ref, []).append(details)
    return found


def _folded(row: SreTeam, changes: Iterable[Mapping[str, Any]]) -> TeamLimits:
    limits = TeamLimits(row.ref, row.title, TeamKind(row.kind))
    for change in changes:
        limits = replace(limits, **{name: value for name, value in change.items() if name in LIMIT_FIELDS})
    return limits


def headcounts(session: Session, moments: Sequence[datetime]) -> dict[datetime, dict[str, int]]:
    """Return each team's headcount at each moment; a team has none before its first entry took effect."""
    query = (
        select(CapacityEntry.team_ref, CapacityEntry.effective_at, CapacityEntry.details)
        .where(CapacityEntry.kind == LIMITS)
        .order_by(CapacityEntry.effective_at, CapacityEntry.sequence)
    )
    rows = [(ref, at, details["headcount"]) for ref, at, details in session.execute(query) if "headcount" in details]
    return {moment: {ref: count for ref, at, count in rows if at <= moment} for moment in moments}


def first_entry_at(session: Session) -> datetime | None:
    """Return from when on any team's capacity is on record."""
    return session.scalar(select(func.min(CapacityEntry.effective_at)).where(CapacityEntry.kind == LIMITS))
