"""Reads what counts of attestations, waivers and framework modules: four queries for every 500 services."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from portal_backend.core.memory import uncollected
from scorecards.exceptions.in_force import Attestation, Ending, Given, InForce, Inheritance, Waiver
from scorecards.exceptions.models import AttestationRow, ModuleAdoption, ModuleRelease, WaiverRow

Said = TypeVar("Said", Attestation, Waiver)

WERE_APPROVED = ("approved", "ended", "expired")
"""The states of waivers that were in force at some time."""
FOREVER = datetime.max.replace(tzinfo=UTC)


def load_in_force(session: Session, refs: Collection[str] | None, now: datetime) -> dict[str, InForce]:
    """Return what counts at `now` for these services (None: for all); services for which nothing does are absent.

    `now` may lie in the past: then what counted at that moment, but for modules, whose adoptions are today's.
    """
    with uncollected():
        attested = _attestations(session, refs, now)
        waived = _waivers(session, refs, now)
        inherited = inheritances(session, refs, now)
    return {
        ref: InForce(attested.get(ref, {}), waived.get(ref, {}), inherited.get(ref, {}))
        for ref in attested.keys() | waived.keys() | inherited.keys()
    }


def inheritances(session: Session, refs: Collection[str] | None, now: datetime) -> dict[str, dict[str, Inheritance]]:
    """Return, by service and check, what supported module versions pass on and no local override cancels.

    Of several modules that answer the same check the one supported longest is named.
    """
    columns = (ModuleAdoption.entity_ref, ModuleAdoption.module, ModuleAdoption.version, ModuleAdoption.local_overrides)
    adopted = list(_rows(session, select(*columns), ModuleAdoption.entity_ref, refs))
    passed_on = _passed_on(session, now) if adopted else {}
    found: dict[str, dict[str, Inheritance]] = {}
    for ref, module, version, overrides in adopted:
        of_service = found.setdefault(ref, {})
        for one in passed_on.get((module, version), ()):
            rival = of_service.get(one.check_id)
            if one.check_id not in overrides and (rival is None or _rank(one) > _rank(rival)):
                of_service[one.check_id] = one
    return {ref: of_service for ref, of_service in found.items() if of_service}


def _passed_on(session: Session, now: datetime) -> dict[tuple[str, str], list[Inheritance]]:
    """Return what each supported version of each module answers."""
    release = ModuleRelease
    query = select(release.module, release.version, release.supported_until, release.satisfies_checks).where(
        or_(release.supported_until.is_(None), release.supported_until > now)
    )
    return {
        (module, version): [Inheritance(check, module, version, until) for check in checks]
        for module, version, until, checks in session.execute(query)
    }


def _rank(one: Inheritance) -> tuple[datetime, str]:
    """The longer supported goes first; of two alike, always the same one."""
    return one.supported_until or FOREVER, one.module


ATTESTATION = (
    AttestationRow.id,
    AttestationRow.check_id,
    AttestationRow.check_version,
    AttestationRow.holds,
    AttestationRow.statement,
    AttestationRow.evidence_url,
    AttestationRow.attested_by,
    AttestationRow.attested_at,
    AttestationRow.expires_at,
)
"""As `Attestation` takes it."""
WAIVER = (
    WaiverRow.id,
    WaiverRow.check_id,
    WaiverRow.reason,
    WaiverRow.compensating_control,
    WaiverRow.requested_by,
    WaiverRow.decided_by,
    WaiverRow.decided_at,
    WaiverRow.until,
)
"""As `Waiver` takes it."""


def load_given(session: Session, ref: str) -> Given:
    """Return all that was ever attested and waived of a service, each with its end: two queries."""
    row, waiver = AttestationRow, WaiverRow
    attested = select(row.expires_at, row.ended_at, row.end_kind, row.ended_by, row.end_reason, *ATTESTATION)
    waived = select(waiver.until, waiver.ended_at, waiver.state, waiver.ended_by, waiver.end_reason, *WAIVER)
    attested = attested.where(row.entity_ref == ref).order_by(row.attested_at, row.id)
    waived = waived.where(waiver.entity_ref == ref, waiver.state.in_(WERE_APPROVED))
    return Given(
        _by_check(session.execute(attested), Attestation),
        _by_check(session.execute(waived.order_by(waiver.decided_at, waiver.id)), Waiver),
    )


def _by_check(rows: Iterable[Sequence[Any]], form: Callable[..., Said]) -> dict[str, list[tuple[Said, Ending]]]:
    """Read rows that begin with the end that was agreed, when it ended, how, by whom and why."""
    found: dict[str, list[tuple[Said, Ending]]] = {}
    for until, ended_at, kind, by, reason, *values in rows:
        one = form(*values)
        ending = Ending(ended_at, kind, by, reason) if ended_at else Ending(until, "expired", None, None)
        found.setdefault(one.check_id, []).append((one, ending))
    return found


def _attestations(session: Session, refs: Collection[str] | None, now: datetime) -> dict[str, dict[str, Attestation]]:
    row = AttestationRow
    query = select(row.entity_ref, *ATTESTATION).where(
        row.attested_at <= now, row.expires_at > now, or_(row.ended_at.is_(None), row.ended_at > now)
    )
    found: dict[str, dict[str, Attestation]] = {}
    for ref, *values in _rows(session, query, row.entity_ref, refs):
        given = Attestation(*values)
        found.setdefault(ref, {})[given.check_id] = given
    return found


def _waivers(session: Session, refs: Collection[str] | None, now: datetime) -> dict[str, dict[str, Waiver]]:
    row = WaiverRow
    query = (
        select(row.entity_ref, *WAIVER)
        .where(row.state.in_(WERE_APPROVED), row.decided_at <= now, row.until > now)
        .where(or_(row.ended_at.is_(None), row.ended_at > now))
        .order_by(row.decided_at)
    )
    found: dict[str, dict[str, Waiver]] = {}
    for ref, *values in _rows(session, query, row.entity_ref, refs):
        waiver = Waiver(*values)
        found.setdefault(ref, {})[waiver.check_id] = waiver
    return found


def _rows(
    session: Session, query: Select[*tuple[Any, ...]], column: Any, refs: Collection[str] | None
) -> Iterator[Any]:
    if refs is None:
        yield from session.execute(query)
        return
    for few in chunks(sorted(refs)):
        yield from session.execute(query.where(among(session, column, few)))
