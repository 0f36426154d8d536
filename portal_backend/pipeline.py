"""Pull, store, judge, record: the way of every fact, in the order a reader expects.

Needs an application context. Each batch of a pull is one transaction, fenced by the source's lease: what a killed
worker had not committed never was, and what it had committed is not done again.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import catalog.services
from catalog.ingestion.file_readings import FoundFault
from catalog.ingestion.refresh import IngestReport
from catalog.registering.registrations import keep_configured
from engagements import history
from engagements.event_kinds import OBSERVED_KINDS
from plugins import apart, pulling, registry, sources
from plugins import settings as collecting
from plugins.contract import Batch, FactSpec, FailureKind, PullFailed, PullFault
from plugins.health import get_health
from plugins.http_client import Limits, SourceClient
from plugins.kept_answers import StoredAnswers, forget_unused
from plugins.pulling import Progress
from plugins.sources import Lease, LeaseLost
from portal_backend import catalog_discovery, catalog_refresh, judgement, settings
from portal_backend.core import clock
from portal_backend.core.config import Config, SourceConfig
from portal_backend.core.database_faults import SHOWN, traceback_of
from portal_backend.core.db import reading, serialise, transaction
from portal_backend.core.errors import Conflict, NotFound
from scorecards import facts, judging, scorecard
from scorecards.changes import LevelChange
from scorecards.evidence.causes import CATALOG_SOURCE
from scorecards.exceptions.recording import JUDGING
from scorecards.loading import dependents_of

log = logging.getLogger(__name__)

BEATS_A_LEASE = 6
"""How often a run that lives says so while its lease lasts."""
LONGEST_PULL = timedelta(minutes=4)
SHORTEST_PULL = timedelta(seconds=30)
OWN_WORK_SECONDS = 60.0
"""What a connector may take beyond the time of its client: it also reads the answers."""


class Outcome(StrEnum):
    """How a refresh ended."""

    DONE = "done"
    FAILED = "failed"
    BUSY = "busy"
    """Another run of the same source is under way; it was left alone."""
    SUPERSEDED = "superseded"
    """The run fell silent for so long that another took over; what it had not committed is dropped."""


@dataclass
class RefreshReport:
    """What one refresh of a source brought."""

    source: str
    outcome: Outcome
    progress: Progress = field(default_factory=Progress)
    rejected: list[facts.RejectedFact] = field(default_factory=list)
    recorded: int = 0
    """Events that were new to the history."""
    levels: list[LevelChange] = field(default_factory=list)
    failure: PullFailed | None = None
    client: SourceClient | None = None
    """What the source is asked by: it counts the requests while no batch has come yet."""

    @property
    def requests(self) -> int:
        """How many requests have been made so far."""
        return self.client.requests_made if self.client else self.progress.requests


def prepare() -> None:
    """Make the database agree with the configuration: its sources and its catalog locations. Safe to repeat."""
    config = settings.current().config
    with transaction() as session:
        sources.sync_sources(session, configured_sources(config))
        keep_configured(session, [(location.type, location.target) for location in config.locations], clock.now())


def configured_sources(config: Config) -> list[SourceConfig]:
    """Return all sources in their order of precedence; the catalog, whose facts nobody else supplies, comes first."""
    return [SourceConfig(CATALOG_SOURCE, CATALOG_SOURCE, every=config.catalog_every), *config.sources]


def due() -> list[str]:
    """Return the names of the sources that are to be pulled now, the catalog among them.

    Until the catalog has been read once it is the only one: the others would find no service to ask about.
    """
    with reading() as session:
        now = clock.now()
        pushed = {config.name for config in settings.current().config.sources if not is_pulled(config)}
        names = [name for name in sources.due(session, now) if name not in pushed]
        if CATALOG_SOURCE not in names and catalog_refresh.is_wanted(session, now):
            names.insert(0, CATALOG_SOURCE)
        if get_health(session, CATALOG_SOURCE, now).last_success_at is None:
            return [name for name in names if name == CATALOG_SOURCE]
        return names


def refresh(name: str, *, only_due: bool = False) -> RefreshReport:
    """Pull one source into the store, judge what it touches, and record what happened.

    Of the catalog every location is read, or with `only_due` those whose time has come.

    Raises NotFound when no source of this name is configured, Conflict when it is one that is posted to. A source that
    cannot be read is no error here: the run keeps the failure, and whoever reads a verdict that needs it is told.
    """
    config = source_config(name)
    if not is_pulled(config):
        raise Conflict(f"The source {name} is never pulled: systems post to it, see docs/connectors/push.md.")
    with transaction() as session:
        patience = collecting.current()
        lease = sources.acquire(session, name, clock.now(), patience.lease.total_seconds(), patience)
    if lease is None:
        return RefreshReport(name, Outcome.BUSY)
    report = RefreshReport(name, Outcome.DONE)
    try:
        with _heartbeat(lease, report):
            try:
                if name == CATALOG_SOURCE:
                    _read_catalog(lease, report, only_due=only_due)
                else:
                    _pull(config, lease, report)
            except PullFailed as failure:
                report.outcome, report.failure = Outcome.FAILED, failure
            except LeaseLost:
                raise
            except Exception as error:
                about = {"source": name, "error": str(error)[:SHOWN]}
                log.error("refresh failed", exc_info=traceback_of(error), extra={"portal": about})
                report.outcome, report.failure = Outcome.FAILED, _own_fault(error)
        report.progress.requests = report.requests
        with transaction() as session:
            sources.finish(session, lease, report.progress, clock.now(), report.failure, collecting.current())
    except LeaseLost:
        report.outcome = Outcome.SUPERSEDED
    report.levels += judgement.rejudge_due()
    _log(report)
    return report


def _pull(config: SourceConfig, lease: Lease, report: RefreshReport) -> None:
    """Run the connector and keep each batch as it comes. Raises PullFailed, LeaseLost."""
    with reading() as session:
        targets = catalog.services.targets(session, judging.current().service_types)
    report.progress.targets = len(targets)
    connector = registry.connector(config.plugin)
    base_dir = settings.current().config.base_dir
    kept, limits = StoredAnswers(config.name), _limits(config)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with pulling.open_client(config, limits, probing=lease.probe, kept=kept) as client:
        report.client = client
        context = pulling.make_context(
            config, client, targets, clock.now(), cursor=lease.cursor, base_dir=base_dir, reconcile=lease.reconcile
        )
        begin = partial(pulling.pull, connector, context)
        patience = limits.total_seconds + OWN_WORK_SECONDS
        with contextlib.closing(apart.each(config.name, begin, patience, app.app_context)) as batches:
            for batch in batches:
                batch = _without_odd_events(batch)
                report.progress.add(batch, client.requests_made)
                _keep(config, lease, batch, kept, report)
    with transaction() as session:
        kept.save(session, clock.now())
        forget_unused(session, config.name, clock.now())


def _without_odd_events(batch: Batch) -> Batch:
    """Turn events of a kind that no system may report into faults: the connector errs, the rest is good."""
    odd = sorted({event.kind for event in batch.events} - OBSERVED_KINDS)
    if not odd:
        return batch
    faults = [PullFault(f"events of kind {kind}", "are of no kind that a source may report") for kind in odd]
    events = [event for event in batch.events if event.kind in OBSERVED_KINDS]
    return replace(batch, events=events, faults=[*batch.faults, *faults])


def _own_fault(error: Exception) -> PullFailed:
    """Tell a failure of ours as such, and end the run with it: a lease that nobody gives back would hide it."""
    return PullFailed(
        FailureKind.INTERNAL, f"the portal itself failed ({type(error).__name__}); its log has the details"
    )


def _limits(config: SourceConfig) -> Limits:
    """Return what a pull may cost: about its interval, so that a source that hangs is told before the next is due."""
    total = min(max(config.every, SHORTEST_PULL), LONGEST_PULL).total_seconds()
    return Limits(total_seconds=total, read_seconds=min(Limits.read_seconds, total / 2))


def _keep(config: SourceConfig, lease: Lease, batch: Batch, answers: StoredAnswers, report: RefreshReport) -> None:
    """Keep a batch, the cursor, and the answers that a later pull asks about again: all of it, or nothing."""
    with transaction() as session:
        now = clock.now()
        sources.save_progress(session, lease, report.progress, now)
        answers.save(session, now)
        kept = keep_and_judge(session, config, batch, settings.current().specs, now)
    report.rejected += kept.stored.rejected
    report.recorded += kept.recorded
    report.levels += kept.levels


@dataclass(frozen=True)
class Kept:
    """What came of a batch."""

    stored: facts.StoreReport
    recorded: int
    """Events that were new to the history."""
    levels: list[LevelChange]


def keep_and_judge(
    session: Session, config: SourceConfig, batch: Batch, specs: Mapping[str, FactSpec], now: datetime
) -> Kept:
    """Store a batch of a source, judge what it touches, and record what happened, within the caller's transaction.

    Of facts that `specs` does not declare none is stored.
    """
    serialise(session, JUDGING)
    stored = facts.store(session, config.name, batch.facts, specs, now)
    observed = {fact.ref for fact in batch.facts}
    touched = stored.changed | scorecard.awaiting_evidence(session, observed - stored.changed)
    touched |= dependents_of(session, judging.current(), stored.bearing)
    recorded = history.record(session, history.from_source(config.name, batch.events, config.simulated), now)
    return Kept(stored, recorded, judgement.judge(session, touched, now))


def _read_catalog(lease: Lease, report: RefreshReport, *, only_due: bool) -> None:
    """Read the locations, and let facts and history follow. Raises LeaseLost."""

    progress = report.progress
    interrupted = lease.cursor == catalog_refresh.READING

    def save() -> None:
        with transaction() as session:
            sources.save_progress(session, lease, progress, clock.now())

    def keep(read: IngestReport) -> None:
        faults = [PullFault(f"{fault.file}, document {fault.document}", _told(fault)) for fault in read.faults]
        progress.add(Batch(faults=faults), progress.requests + 1)
        save()

    progress.cursor = catalog_refresh.READING
    save()
    catalog_discovery.discover(only_due=True)
    reports = catalog_refresh.read_locations(keep, only_due=only_due, interrupted=interrupted)
    with reading() as session:
        changed = bool(catalog_refresh.vanished(session))
    changed = changed or any(read.changed_refs or read.removed_refs for read in reports)
    progress.cursor = lease.cursor
    if changed or catalog_refresh.is_due_again(lease.cursor, clock.now()):
        catalog_refresh.observe(reports, everything=interrupted)
        progress.cursor = clock.format_time(clock.now())
        save()
    progress.add(Batch(faults=catalog_refresh.import_support()), progress.requests)
    save()


def _told(fault: FoundFault) -> str:
    return f"{fault.path} {fault.message}".strip()


@contextlib.contextmanager
def _heartbeat(lease: Lease, report: RefreshReport) -> Iterator[None]:
    """Keep the lease while the block runs, however long it is silent: only a dead process lets it run out.

    Each beat shows how many requests were made, so that people see a long run go on.
    """
    stopped = threading.Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def beat() -> None:
        while not stopped.wait(lease.seconds / BEATS_A_LEASE):
            # A beat that fails (a locked database) is followed by others before the lease runs out.
            with contextlib.suppress(SQLAlchemyError, LeaseLost), app.app_context(), transaction() as session:
                sources.extend(session, lease, clock.now(), report.progress.targets, report.requests)

    thread = threading.Thread(target=beat, name=f"heartbeat-{lease.source}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def is_pulled(config: SourceConfig) -> bool:
    """Say whether a source is asked; to others systems post."""
    connector = registry.connectors().get(config.plugin)
    return connector is None or connector.is_pulled


def source_config(name: str) -> SourceConfig:
    """Return a source's configuration; raises NotFound."""
    for config in configured_sources(settings.current().config):
        if config.name == name:
            return config
    raise NotFound(f"No source {name} is configured; `portal sources list` shows those that are.")


def _log(report: RefreshReport) -> None:
    progress = report.progress
    details = {
        "source": report.source,
        "outcome": report.outcome,
        "requests": progress.requests,
        "facts": progress.facts,
        "events_new": report.recorded,
        "services_matched": len(progress.refs),
        "faults": progress.faults,
        "rejected": len(report.rejected),
        "levels_changed": len(report.levels),
        "failure": report.failure.message if report.failure else None,
    }
    level = logging.WARNING if report.failure else logging.INFO
    log.log(level, "source refreshed", extra={"portal": details})
