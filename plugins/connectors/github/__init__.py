"""GitHub: how a repository is protected, tested, owned, and how its deployments go."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from plugins.connectors.github import deploys, repository
from plugins.connectors.github.api import HEADERS, Repository
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    EventSpec,
    Fact,
    FactSpec,
    FactType,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)

SLUG = "github.com/project-slug"
HOURS_72 = timedelta(hours=72)
REPOSITORIES_PER_BATCH = 20
_OF_ONE = frozenset({FailureKind.PERMISSION, FailureKind.MISCONFIGURED, FailureKind.BAD_ANSWER})
"""Failures that concern one repository; with any other the next would fail too."""


class OptionsSchema(Schema):
    """Which deployments count, and what a run may cost."""

    environments = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=lambda: ["production", "prod"],
        metadata={"description": "Environments that are production; one that GitHub marks as such is in any case."},
    )
    requests_per_run = fields.Integer(
        load_default=1500,
        validate=validate.Range(10, 15000),
        metadata={"description": "GitHub allows 5,000 an hour; what is left over comes first in the next run."},
    )


def _spec(key: str, kind: FactType, unit: str, description: str) -> FactSpec:
    return FactSpec(key, kind, unit, description, HOURS_72)


FACTS = (
    _spec("repo.branch.protected", FactType.BOOLEAN, "", "The default branch is protected."),
    _spec("repo.reviews_required", FactType.BOOLEAN, "", "A change needs another person's approval."),
    _spec("repo.checks_required", FactType.BOOLEAN, "", "A change needs passing status checks."),
    _spec("repo.codeowners.present", FactType.BOOLEAN, "", "There is a CODEOWNERS file."),
    _spec("repo.codeowners.valid", FactType.BOOLEAN, "", "There is one, and it has no errors."),
    _spec("ci.enabled", FactType.BOOLEAN, "", "A workflow of GitHub Actions is active."),
    _spec("ci.tests_last_at", FactType.DATETIME, "", "When a run on the default branch last succeeded."),
    _spec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the newest 100 finished runs of 30 days."),
    _spec("releases.last_at", FactType.DATETIME, "", "When the latest release was published."),
    _spec("deploys.count_30d", FactType.INTEGER, "count", "Deployments to production that succeeded within 30 days."),
    _spec("deploys.failed_30d", FactType.INTEGER, "count", "Those that failed."),
    _spec("deploys.rolled_back_30d", FactType.INTEGER, "count", "Deployments that the next one took back."),
    _spec(
        "deploys.change_failure_rate_30d", FactType.NUMBER, "ratio",
        "Share of the deployments of 30 days that failed or were taken back by the next.",
    ),
    _spec("deploys.automated_ratio_30d", FactType.NUMBER, "ratio", "Share of the deployments that a bot created."),
    _spec("deploys.last_at", FactType.DATETIME, "", "When one last succeeded."),
    _spec("deploys.rollback.last_at", FactType.DATETIME, "", "When one last put out again what had been out before."),
    _spec(
        "deploys.lead_time_median_30d", FactType.NUMBER, "seconds",
        "Median over the deployments of 30 days of the median time from their commits to them.",
    ),
)  # fmt: skip


class GitHubConnector(Connector):
    """Reads github.com or a GitHub Enterprise Server."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub"
    facts = FACTS
    events = (
        EventSpec("deploy.finished", "A deployment to production succeeded."),
        EventSpec("deploy.failed", "A deployment to production failed."),
        EventSpec("deploy.rolled_back", "A deployment put out again what had been out before."),
    )
    annotations = (AnnotationSpec(SLUG, "The repository, `organisation/repository`."),)
    permissions = (
        "a fine-grained token or a GitHub App with read access to metadata, contents, actions, deployments; "
        "administration (read) shows classic branch protection too",
    )
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Ask for the rate limit and one repository; raises PullFailed."""
        slugs = sorted(_by_slug(context.targets)[0])
        limit = context.client.get_json("rate_limit", headers=HEADERS)
        left = ((limit.get("resources") or {}).get("core") or {}).get("remaining") if isinstance(limit, dict) else None
        if not slugs:
            return f"GitHub answers ({left} requests left); no service carries {SLUG}"
        try:
            Repository(context.client, slugs[0]).about()
        except PullFailed as failure:
            if failure.status == 404:
                message = f"GitHub answers, but the token sees no repository {slugs[0]}: see its name and rights"
                raise PullFailed(FailureKind.PERMISSION, message) from None
            raise
        return f"GitHub answers ({left} requests left); {len(slugs)} repositories are named by {SLUG}"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read repositories, those first that have waited longest, until the run has cost what it may."""
        options = OptionsSchema().load(context.options)
        environments = [name.lower() for name in options["environments"]]
        by_slug, faults = _by_slug(context.targets)
        memory = _Memory.loaded(context.cursor)
        memory.keep(by_slug)
        yield Batch(faults=faults, cursor=memory.dumped())
        waiting = sorted(by_slug, key=lambda slug: (memory.read_at.get(slug, ""), slug))
        failures: list[PullFailed] = []
        for start in range(0, len(waiting), REPOSITORIES_PER_BATCH):
            batches: list[Batch] = []
            for slug in waiting[start : start + REPOSITORIES_PER_BATCH]:
                if batches and context.client.requests_made >= options["requests_per_run"]:
                    break
                batches.append(_try(context, slug, by_slug[slug], environments, memory, failures))
                memory.read_at[slug] = context.now.isoformat()
            yield _joined(batches, memory.dumped())
            if context.client.requests_made >= options["requests_per_run"]:
                break
        if failures and len(failures) == len(waiting):
            raise failures[0]


def _try(
    context: PullContext,
    slug: str,
    refs: Sequence[str],
    environments: Sequence[str],
    memory: "_Memory",
    failures: list[PullFailed],
) -> Batch:
    """Read one repository; a failure that concerns it alone becomes a fault. Raises PullFailed for any other."""
    try:
        return _read(context, slug, refs, environments, memory)
    except PullFailed as failure:
        if failure.kind not in _OF_ONE:
            raise
        failures.append(failure)
        reason = "it is gone, or the token may not see it" if failure.status == 404 else failure.message
        return Batch(faults=[PullFault(f"repository {slug}", reason)])


def _read(
    context: PullContext, slug: str, refs: Sequence[str], environments: Sequence[str], memory: "_Memory"
) -> Batch:
    """Read one repository for the services in it."""
    source = Repository(context.client, slug)
    about = source.about()
    values = repository.read(source, str(about.get("default_branch") or "main"), context.now)
    found = deploys.read(source, environments, memory.deployments.get(slug, {}), context.now)
    memory.deployments[slug] = {one.id: one for one in found}
    values |= deploys.facts_of(found)
    link = f"{about.get('html_url') or ''}/deployments" if about.get("html_url") else ""
    return Batch(
        facts=[Fact(ref, key, value, context.now) for ref in refs for key, value in values.items()],
        events=[event for ref in refs for event in deploys.events_of(ref, slug, link, found)],
    )


def _joined(batches: Sequence[Batch], cursor: str) -> Batch:
    return Batch(
        facts=[fact for batch in batches for fact in batch.facts],
        events=[event for batch in batches for event in batch.events],
        faults=[fault for batch in batches for fault in batch.faults],
        cursor=cursor,
    )


def _by_slug(targets: Sequence[Target]) -> tuple[dict[str, list[str]], list[PullFault]]:
    """Return the services of each repository; several may live in one."""
    found: dict[str, list[str]] = {}
    faults = []
    for target in targets:
        slug = target.annotations.get(SLUG, "").strip()
        parts = slug.split("/")
        if len(parts) == 2 and all(part and part.strip(".") and " " not in part for part in parts):
            found.setdefault(slug, []).append(target.ref)
        elif slug:
            faults.append(PullFault(target.ref, f"{SLUG} is {slug!r}; write organisation/repository"))
    return found, faults


@dataclass
class _Memory:
    """The cursor: when each repository was last read, and its deployments of 30 days."""

    read_at: dict[str, str] = field(default_factory=dict)
    deployments: dict[str, Mapping[int, deploys.Deployment]] = field(default_factory=dict)

    @classmethod
    def loaded(cls, cursor: str | None) -> "_Memory":
        """Read a cursor; one that cannot be read is as good as none."""
        try:
            stored: dict[str, Any] = json.loads(cursor or "{}")
            known: dict[str, Mapping[int, deploys.Deployment]] = {}
            known = {slug: deploys.remembered(rows) for slug, rows in stored.get("deployments", {}).items()}
            return cls({str(slug): str(at) for slug, at in stored.get("read_at", {}).items()}, known)
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def keep(self, slugs: Mapping[str, Sequence[str]]) -> None:
        """Forget repositories that no service names any more."""
        self.read_at = {slug: at for slug, at in self.read_at.items() if slug in slugs}
        self.deployments = {slug: known for slug, known in self.deployments.items() if slug in slugs}

    def dumped(self) -> str:
        """Return the cursor as text."""
        rows = {slug: [one.stored() for one in known.values()] for slug, known in self.deployments.items()}
        return json.dumps({"read_at": self.read_at, "deployments": rows}, separators=(",", ":"))


CONNECTOR = GitHubConnector()
