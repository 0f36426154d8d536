"""A repository, and what the tests of the GitHub connector do with a pull of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from plugins.connectors.github import CONNECTOR
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.fakes.github import GitHub
from tests.plugins.connectors.reading import joined

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REF, SLUG = "component:default/checkout", "acme/checkout"
TARGET = Target(REF, "checkout", {"github.com/project-slug": SLUG})


def context(fake: GitHub, targets=(TARGET,), cursor: str | None = None, now=NOW, **options: Any) -> PullContext:
    client = SourceClient(fake.url, SourceAuth(token=Secret("${GITHUB_TOKEN}")), Limits(attempts=1))
    return PullContext("github", client, CONNECTOR.options_schema().load(options), targets, now, cursor)


def pull(fake: GitHub, **parts: Any) -> Batch:
    return joined(CONNECTOR, context(fake, **parts))


def values(fake: GitHub, **parts: Any) -> dict[str, Any]:
    return {fact.key: fact.value for fact in pull(fake, **parts).facts if fact.ref == REF}
