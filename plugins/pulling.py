"""Runs a connector: hands it what it needs, counts what it yields, and turns whatever it raises into PullFailed."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from plugins import annotating
from plugins.cleaning import cleaned
from plugins.contract import Batch, Connector, FailureKind, PullContext, PullFailed, PullFault, Target
from plugins.http_client import Limits, SourceClient
from plugins.transport.conditional import KeptAnswers
from plugins.transport.redaction import redact, shorten
from portal_backend.core.config import SourceConfig

SAMPLE_SIZE = 50

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """What one run has brought so far. Its numbers are written together with the batches that they count."""

    targets: int = 0
    requests: int = 0
    facts: int = 0
    events: int = 0
    faults: int = 0
    fault_sample: list[PullFault] = field(default_factory=list)
    refs: set[str] = field(default_factory=set)
    """Services about which a fact or an event came."""
    unmatched: set[str] = field(default_factory=set)
    cursor: str | None = None

    def add(self, batch: Batch, requests: int) -> None:
        """Count a batch; `requests` is the total that the client has made by now."""
        self.requests = requests
        self.facts += len(batch.facts)
        self.events += len(batch.events)
        self.faults += len(batch.faults)
        self.fault_sample += [_presentable(fault) for fault in batch.faults[: SAMPLE_SIZE - len(self.fault_sample)]]
        self.refs.update(fact.ref for fact in batch.facts)
        self.refs.update(event.ref for event in batch.events)
        self.unmatched.update(shorten(name, 200) for name in batch.unmatched)
        self.cursor = batch.cursor if batch.cursor is not None else self.cursor


def open_client(
    config: SourceConfig, limits: Limits | None = None, *, probing: bool = False, kept: KeptAnswers | None = None
) -> SourceClient:
    """Return the client of a source; its deadline starts now. When `probing`, nothing is repeated before an answer.

    `kept` holds answers of earlier pulls: the source is asked whether they still hold.
    """
    return SourceClient(config.url, config.auth, limits, probing=probing, kept=kept)


def make_context(
    config: SourceConfig,
    client: SourceClient,
    targets: Sequence[Target],
    now: datetime,
    *,
    cursor: str | None = None,
    base_dir: Path = Path(),
    reconcile: bool = False,
) -> PullContext:
    """Return what a connector is given; the source's options have been loaded with the configuration."""
    return PullContext(config.name, client, config.options, targets, now, cursor, base_dir, reconcile)


def pull(connector: Connector, context: PullContext) -> Iterator[Batch]:
    """Yield the connector's batches. Raises PullFailed, and nothing else that stems from the connector."""
    batches: Iterator[Batch] | None = None
    while True:
        try:
            batches = iter(connector.pull(context)) if batches is None else batches
            found = next(batches, None)
            batch = None if found is None else cleaned(found)
        except PullFailed as failure:
            raise _redacted(failure) from None
        except Exception as error:
            raise _unexpected(connector, context.source, error) from error
        if batch is None:
            return
        yield batch


def check(connector: Connector, context: PullContext) -> str:
    """Return what answered at the source. Raises PullFailed, and nothing else that stems from the connector.

    A source that answers while no service carries an annotation that its connector needs is misconfigured as well.
    """
    try:
        answered = redact(connector.check(context))
    except PullFailed as failure:
        raise _redacted(failure) from None
    except Exception as error:
        raise _unexpected(connector, context.source, error) from error
    if not context.targets and connector.is_pulled:
        return f"{answered}; the catalog holds no services yet (see `portal catalog locations`)"
    if context.targets and (untied := annotating.missing(connector.annotations, context.targets)):
        raise PullFailed(FailureKind.MISCONFIGURED, f"{answered}; but {untied}")
    return answered


def _presentable(fault: PullFault) -> PullFault:
    return PullFault(shorten(fault.scope), shorten(redact(fault.message), 600))


def _redacted(failure: PullFailed) -> PullFailed:
    """Return the failure with a message that can be stored: a foreign connector may have been careless."""
    return PullFailed(
        failure.kind,
        shorten(redact(failure.message), 1000),
        status=failure.status,
        retry_after_seconds=failure.retry_after_seconds,
    )


def _unexpected(connector: Connector, source: str, error: Exception) -> PullFailed:
    """An answer in a shape that the connector does not know, or a fault of its own: both need somebody to look."""
    log.exception("connector failed unexpectedly", extra={"portal": {"source": source, "connector": connector.name}})
    return PullFailed(
        FailureKind.BAD_ANSWER,
        shorten(redact(f"the connector {connector.name} could not read an answer: {type(error).__name__}: {error}")),
    )
