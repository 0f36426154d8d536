"""GitLab: how a project is protected, tested, owned, and how its deployments go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from marshmallow import fields

from plugins import deployments, in_turn, parts, repositories, repository_stories
from plugins.connectors.gitlab import files, project, vulnerabilities
from plugins.connectors.gitlab.api import Project, version
from plugins.connectors.gitlab.shelf import Shelf
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    FactSpec,
    FactType,
    PullContext,
    PullFault,
    Target,
)
from plugins.repositories import spec
from plugins.repository_files import entries
from plugins.repository_files.reading import Files

SLUG, ID = "gitlab.com/project-slug", "gitlab.com/project-id"


class OptionsSchema(repositories.OptionsSchema):
    """Which deployments count, and what a run may cost."""

    requests_per_run = repositories.requests_per_run(usual=2000, most=20000)
    vulnerabilities = fields.Boolean(
        load_default=False,
        metadata={"description": "Read what dependency and container scanning found: two requests for each project."},
    )
    files = entries.option(lambda: {spec.key for spec in FACTS})


FACTS: tuple[FactSpec, ...] = (
    *repositories.FACTS,
    repositories.VULNERABLE,
    spec("repo.checks_required", FactType.BOOLEAN, "", "A change needs a pipeline that succeeded."),
    spec("ci.enabled", FactType.BOOLEAN, "", "A pipeline has run on the default branch."),
    spec("ci.tests_last_at", FactType.DATETIME, "", "When a pipeline on the default branch last succeeded."),
    spec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the newest 100 pipelines of 30 days."),
    spec("releases.last_at", FactType.DATETIME, "", "When the last release was released."),
)


class GitLabConnector(Connector):
    """Reads gitlab.com or a GitLab of one's own."""

    name: ClassVar[str] = "gitlab"
    title: ClassVar[str] = "GitLab"
    facts = FACTS
    events = repositories.EVENTS
    annotations = (
        AnnotationSpec(SLUG, "The project, `group/subgroup/project`.", "shop/backend/checkout", needed=True),
        AnnotationSpec(ID, "The project's number; used where there is no path.", "4711", needed=True),
        entries.LOCATION,
    )
    permissions = (
        "a token with the scope read_api; protected branches are shown to developers of the project",
        "with files: reporter of private projects",
        "with vulnerabilities: developer of the projects, whose edition is Ultimate",
    )
    options_schema = OptionsSchema
    declaring_option = "files"

    def check(self, context: PullContext) -> str:
        """Ask for the version and for all that is read of one project; raises PullFailed."""
        number = version(context.client)
        names = sorted(_projects(context.targets))
        hidden: list[PullFault] = []
        if names:
            unseen = "GitLab answers, but the token sees no project"
            hidden = repositories.hidden_of(names[0], partial(_hidden, context, names[0]), unseen)
        answered = f"GitLab {number} answers; {len(names)} projects are named by {SLUG} or {ID}"
        return parts.checked(answered, hidden)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read projects, those first that have waited longest, until the run has cost what it may."""
        names = _projects(context.targets)
        found = files.of(context, names)
        greet = partial(version, context.client)
        yield from repositories.pull(context, names, partial(_read, context, found), greet, ahead=found.look)

    def declared(self, options: Mapping[str, Any]) -> list[FactSpec]:
        """Return the facts that a source reads out of files."""
        return entries.declared(options)


def _read(
    context: PullContext,
    shown: Files,
    name: str,
    refs: Sequence[str],
    environments: Sequence[str],
    memory: in_turn.Memory,
) -> Batch:
    """Read one project for the services in it."""
    source = Project(context.client, name)
    about = source.about()
    hidden: list[PullFault] = []
    known = memory.known.get(name, {})
    found = parts.part(
        "deployments", lambda: project.deployments(source, environments, known, context.now, hidden), hidden
    )
    if found is not None:
        memory.known[name] = {one.id: one for one in found}
    branch = _branch(about)
    values = project.settings(source, about, branch, context.now, hidden)
    path = str(about.get("path_with_namespace") or name)
    if context.options["vulnerabilities"]:
        ask = partial(vulnerabilities.read, source, path, context.now)
        values |= parts.part("vulnerabilities", ask, hidden) or {}
    link = f"{about['web_url']}/-/deployments" if about.get("web_url") else ""
    faults = [replace(fault, scope=f"{path}: {fault.scope}") for fault in hidden]
    shelf = Shelf(source, branch, str(about.get("web_url") or ""))
    stories = repository_stories.read(shelf, context, memory, name, refs, faults)
    batch = repositories.batch(refs, values, found, path, link, context.now, faults, stories)
    return shown.with_facts(batch, name, context.now)


def _hidden(context: PullContext, name: str) -> list[PullFault]:
    """Ask once for each kind of thing that is read of a project; return what is kept from the token."""
    source = Project(context.client, name)
    about, faults = source.about(), list[PullFault]()
    project.settings(source, about, _branch(about), context.now, faults)
    parts.part("deployments", lambda: next(source.deployments(context.now - deployments.WINDOW), None), faults)
    parts.part("tiers of environments", source.production_environments, faults)
    if context.options["vulnerabilities"]:
        parts.part("vulnerabilities", source.may_list_vulnerabilities, faults)
    parts.part("files", partial(files.of(context, {name: []}).try_one, name), faults)
    return faults


def _branch(about: Mapping[str, Any]) -> str:
    """Return the default branch; empty where an empty project has none."""
    return "" if about.get("empty_repo") else str(about.get("default_branch") or "main")


def _projects(targets: Sequence[Target]) -> dict[str, list[str]]:
    """Return the services of each project, by its path or number."""
    found: dict[str, list[str]] = {}
    for target in targets:
        name = target.annotations.get(SLUG, "").strip().strip("/") or target.annotations.get(ID, "").strip()
        if name:
            found.setdefault(name, []).append(target.ref)
    return found


CONNECTOR = GitLabConnector()
