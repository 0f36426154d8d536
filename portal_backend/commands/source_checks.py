"""What `portal sources check` tries, and what it says of a source that it cannot read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from plugins import apart, pulling, registry
from plugins.contract import FailureKind, PullFailed, Target
from plugins.http_client import Limits
from portal_backend.core import clock
from portal_backend.core.config import Config, SourceConfig

CHECK_LIMITS = Limits(read_seconds=20, total_seconds=30, attempts=2)
"""Somebody is waiting for the answer."""
CHECK_SECONDS = CHECK_LIMITS.total_seconds + 10
"""What a check may take together with the connector's own work; one that blocks is given up then."""


@dataclass(frozen=True)
class Finding:
    """What a check of one source found."""

    name: str
    ok: bool
    kind: str | None
    """What is wrong, in one word; None when nothing is."""
    message: str
    """What answered, or what is wrong."""
    remedy: str | None
    """Who has to do what about it."""


REMEDIES = {
    "unreachable": "address or network: check url, and that this machine may reach it",
    "timeout": "address or load: check url, and how busy the source is",
    "credentials": "credentials: check auth, and that the secret is set and still valid",
    "permission": "permission: grant the credentials what the connector needs: {permissions}",
    "rate_limited": "wait, or raise every",
    "bad_answer": "address or options: check that url is the root of the API, not a sign-in page or another product",
    "internal": "the portal: look at its log",
    "misconfigured": "configuration: correct the source in portal.yaml, or the annotations in the catalog",
}
NOT_FOUND = "address: correct url in portal.yaml; it is the root of the API, without the path of a page"
BLOCKED = "the connector: it has to ask by context.client, which keeps time-outs; tell whoever wrote it"
BROKEN = "the source: it is there and fails; its own log says why"


def check_source(config: Config, source: SourceConfig, targets: Sequence[Target]) -> Finding:
    """Try one source; a fault of the source is a finding, never an error."""
    permissions = ""
    try:
        connector = registry.connector(source.plugin)
        permissions = "; ".join(connector.permissions)
        with pulling.open_client(source, CHECK_LIMITS) as client:
            context = pulling.make_context(source, client, targets, clock.now(), base_dir=config.base_dir)
            answered = apart.one(source.name, partial(pulling.check, connector, context), CHECK_SECONDS)
            return Finding(source.name, True, None, answered, None)
    except PullFailed as failure:
        remedy = _remedy(failure).format(permissions=permissions)
        return Finding(source.name, False, str(failure.kind), failure.message, remedy)


def _remedy(failure: PullFailed) -> str:
    """Return who has to do what; a status tells it better than the kind that it stands for."""
    if isinstance(failure, apart.Blocked):
        return BLOCKED
    if failure.kind is FailureKind.MISCONFIGURED and failure.status is not None:
        return NOT_FOUND
    if failure.kind is FailureKind.BAD_ANSWER and failure.status is not None and failure.status >= 500:
        return BROKEN
    return REMEDIES[failure.kind]
