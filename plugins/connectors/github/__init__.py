"""GitHub: how a repository is protected, tested, owned, and how its deployments go."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

from marshmallow import Schema, fields, validate

from plugins import deployments, in_turn
from plugins.connectors.github import deploys, repository
from plugins.connectors.github.api import HEADERS, Repository
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
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
    *deployments.FACTS,
)  # fmt: skip


class GitHubConnector(Connector):
    """Reads github.com or a GitHub Enterprise Server."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub"
    facts = FACTS
    events = deployments.EVENTS
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
        memory = in_turn.Memory.loaded(context.cursor)
        memory.keep(by_slug)
        yield Batch(faults=faults, cursor=memory.dumped())

        def read(slug: str, refs: Sequence[str]) -> Batch:
            return _read(context, slug, refs, environments, memory)

        yield from in_turn.pull(context, by_slug, memory, options["requests_per_run"], read)


def _read(
    context: PullContext, slug: str, refs: Sequence[str], environments: Sequence[str], memory: in_turn.Memory
) -> Batch:
    """Read one repository for the services in it."""
    source = Repository(context.client, slug)
    about = source.about()
    values = repository.read(source, str(about.get("default_branch") or "main"), context.now)
    found = deploys.read(source, environments, memory.known.get(slug, {}), context.now)
    memory.known[slug] = {one.id: one for one in found}
    values |= deployments.facts_of(found)
    link = f"{about.get('html_url') or ''}/deployments" if about.get("html_url") else ""
    return Batch(
        facts=[Fact(ref, key, value, context.now) for ref in refs for key, value in values.items()],
        events=[event for ref in refs for event in deployments.events_of(ref, slug, link, found)],
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


CONNECTOR = GitHubConnector()
