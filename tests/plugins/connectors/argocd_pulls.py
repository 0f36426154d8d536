"""What the tests of the Argo CD connector have in common."""

from datetime import UTC, datetime, timedelta
from typing import Any

from plugins.connectors.argocd import CONNECTOR
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.fakes.argocd import ArgoCd

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
TARGET = Target(REF, "checkout", {"argocd/app-name": "checkout"})


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def context(fake: ArgoCd, targets=(TARGET,), options=None, **parts: Any) -> PullContext:
    auth = SourceAuth(token=Secret("${ARGOCD_TOKEN}"))
    limits = parts.pop("limits", Limits(attempts=1))
    return PullContext(
        source="argocd",
        client=SourceClient(fake.url, auth, limits),
        options=CONNECTOR.options_schema().load(options or {}),
        targets=targets,
        **({"now": NOW} | parts),
    )


def pull(fake: ArgoCd, targets=(TARGET,), options=None, **parts: Any) -> Batch:
    """Pull everything and return it as one batch."""
    batches = list(CONNECTOR.pull(context(fake, targets, options, **parts)))
    assert [b.cursor for b in batches[:-1]] == [None] * (len(batches) - 1), "the cursor comes last: a kill repeats all"
    return Batch(
        facts=[f for b in batches for f in b.facts],
        events=[e for b in batches for e in b.events],
        faults=[f for b in batches for f in b.faults],
        unmatched=[u for b in batches for u in b.unmatched],
        cursor=batches[-1].cursor,
    )


def values(batch: Batch, ref: str = REF) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}
