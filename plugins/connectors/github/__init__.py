"""GitHub: how a repository is protected, tested, owned, and how its deployments go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from marshmallow import fields

from plugins import in_turn, parts, repositories, repository_stories
from plugins.connectors.github import deploys, files, repository, scanning, vulnerabilities
from plugins.connectors.github.api import Repository, requests_left
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    FactSpec,
    FactType,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)
from plugins.repositories import spec
from plugins.repository_files import entries
from plugins.repository_files.reading import Files

SLUG = "github.com/project-slug"


class OptionsSchema(repositories.OptionsSchema):
    """Which deployments count, and what a run may cost: GitHub allows 5,000 requests an hour."""

    requests_per_run = repositories.requests_per_run(usual=1500, most=15000)
    vulnerabilities = fields.Boolean(
        load_default=False,
        metadata={"description": "Read Dependabot's alerts, by organisation: see the permissions."},
    )
    code_scanning = fields.Boolean(
        load_default=False,
        metadata={"description": "Read the findings of code scanning: one request for each repository."},
    )
    files = entries.option(lambda: {spec.key for spec in FACTS})


FACTS: tuple[FactSpec, ...] = (
    *repositories.FACTS,
    repositories.VULNERABLE,
    scanning.CRITICAL,
    spec("repo.checks_required", FactType.BOOLEAN, "", "A change needs passing status checks."),
    spec("repo.codeowners.valid", FactType.BOOLEAN, "", "There is a CODEOWNERS file, and it has no errors."),
    spec("ci.enabled", FactType.BOOLEAN, "", "A workflow of GitHub Actions is active."),
    spec("ci.tests_last_at", FactType.DATETIME, "", "When a run on the default branch last succeeded."),
    spec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the newest 100 finished runs of 30 days."),
    spec("releases.last_at", FactType.DATETIME, "", "When the latest release was published."),
)


class GitHubConnector(Connector):
    """Reads github.com or a GitHub Enterprise Server."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub"
    facts = FACTS
    events = repositories.EVENTS
    annotations = (
        AnnotationSpec(SLUG, "The repository, `organisation/repository`.", "acme/checkout", needed=True),
        entries.LOCATION,
    )
    permissions = (
        "a fine-grained token or a GitHub App with read access to metadata, contents, actions, deployments; "
        "administration (read) shows classic branch protection too",
        "with vulnerabilities: Dependabot alerts (read) of the organisation, and administration (read) of its "
        "repositories, which tells whether Dependabot watches one without alerts",
        "with code_scanning: code scanning alerts (read) of the repositories",
    )
    options_schema = OptionsSchema
    declaring_option = "files"

    def check(self, context: PullContext) -> str:
        """Ask for the rate limit and for all that is read of one repository; raises PullFailed."""
        by_slug, faults = _by_slug(context.targets)
        slugs = sorted(by_slug)
        left = requests_left(context.client)
        if faults and not slugs:
            message = f"GitHub answers, but no service names a repository; {faults[0].scope}: {faults[0].message}"
            raise PullFailed(FailureKind.MISCONFIGURED, message)
        hidden: list[PullFault] = []
        if slugs:
            unseen = "GitHub answers, but the token sees no repository"
            hidden = repositories.hidden_of(slugs[0], partial(_hidden, context, slugs[0]), unseen)
        return parts.checked(f"GitHub answers ({left}); {len(slugs)} repositories are named by {SLUG}", hidden)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read repositories, those first that have waited longest, until the run has cost what it may."""
        by_slug, faults = _by_slug(context.targets)
        found = files.of(context, by_slug)
        greet = partial(requests_left, context.client)
        yield from repositories.pull(context, by_slug, partial(_read, context, found), greet, faults, found.look)
        if context.options["vulnerabilities"]:
            yield from vulnerabilities.read(context, by_slug)

    def declared(self, options: Mapping[str, Any]) -> list[FactSpec]:
        """Return the facts that a source reads out of files."""
        return entries.declared(options)


def _read(
    context: PullContext,
    shown: Files,
    slug: str,
    refs: Sequence[str],
    environments: Sequence[str],
    memory: in_turn.Memory,
) -> Batch:
    """Read one repository for the services in it."""
    source = Repository(context.client, slug)
    about = source.about()
    faults: list[PullFault] = []
    values = repository.read(source, str(about.get("default_branch") or "main"), context.now, faults)
    if context.options["code_scanning"]:
        values |= parts.part("code scanning", partial(scanning.read, source, context.now), faults) or {}
    known = memory.known.get(slug, {})
    if slug in memory.anew:
        known = deploys.settled(known)
    found = parts.part("deployments", lambda: deploys.read(source, environments, known, context.now, faults), faults)
    if found is not None:
        memory.known[slug] = {one.id: one for one in found}
    faults = [replace(fault, scope=f"{slug}: {fault.scope}") for fault in faults]
    link = f"{about.get('html_url') or ''}/deployments" if about.get("html_url") else ""
    stories = repository_stories.read(source, context, memory, slug, refs, faults)
    batch = repositories.batch(refs, values, found, slug, link, context.now, faults, stories)
    return shown.with_facts(batch, slug, context.now)


def _hidden(context: PullContext, slug: str) -> list[PullFault]:
    """Ask once for each kind of thing that is read of a repository; return what is kept from the token."""
    source = Repository(context.client, slug)
    about, faults = source.about(), list[PullFault]()
    repository.read(source, str(about.get("default_branch") or "main"), context.now, faults)
    parts.part("deployments", lambda: next(source.deployments(), None), faults)
    if context.options["code_scanning"]:
        parts.part("code scanning", partial(scanning.read, source, context.now), faults)
    if context.options["vulnerabilities"]:
        parts.part("Dependabot alerts", partial(vulnerabilities.may_list, context.client, slug), faults)
    parts.part("files", partial(files.of(context, {slug: []}).try_one, slug), faults)
    return faults


def _by_slug(targets: Sequence[Target]) -> tuple[dict[str, list[str]], list[PullFault]]:
    """Return the services of each repository; several may live in one."""
    found: dict[str, list[str]] = {}
    faults = []
    for target in targets:
        slug = target.annotations.get(SLUG, "").strip()
        names = slug.split("/")
        if len(names) == 2 and all(name.strip(".") and " " not in name for name in names):
            found.setdefault(slug, []).append(target.ref)
        elif slug:
            faults.append(PullFault(target.ref, f"{SLUG} is {slug!r}; write organisation/repository"))
    return found, faults


CONNECTOR = GitHubConnector()
