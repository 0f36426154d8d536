"""GitLab: how a project is protected, tested, owned, and how its deployments go."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

from marshmallow import Schema, fields, validate

from plugins import deployments, in_turn
from plugins.connectors.gitlab import project
from plugins.connectors.gitlab.api import Project
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

SLUG, ID = "gitlab.com/project-slug", "gitlab.com/project-id"
HOURS_72 = timedelta(hours=72)


class OptionsSchema(Schema):
    """Which deployments count, and what a run may cost."""

    environments = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=lambda: ["production", "prod"],
        metadata={"description": "Environments that are production; one of that tier is in any case."},
    )
    requests_per_run = fields.Integer(
        load_default=2000,
        validate=validate.Range(10, 20000),
        metadata={"description": "What is left over comes first in the next run."},
    )


def _spec(key: str, kind: FactType, unit: str, description: str) -> FactSpec:
    return FactSpec(key, kind, unit, description, HOURS_72)


FACTS = (
    _spec("repo.branch.protected", FactType.BOOLEAN, "", "The default branch is protected."),
    _spec("repo.reviews_required", FactType.BOOLEAN, "", "A change needs another person's approval."),
    _spec("repo.checks_required", FactType.BOOLEAN, "", "A change needs a pipeline that succeeded."),
    _spec("repo.codeowners.present", FactType.BOOLEAN, "", "There is a CODEOWNERS file."),
    _spec("ci.enabled", FactType.BOOLEAN, "", "A pipeline has run on the default branch."),
    _spec("ci.tests_last_at", FactType.DATETIME, "", "When a pipeline on the default branch last succeeded."),
    _spec("ci.success_ratio_30d", FactType.NUMBER, "ratio", "Successes among the newest 100 pipelines of 30 days."),
    _spec("releases.last_at", FactType.DATETIME, "", "When the last release was released."),
    *deployments.FACTS,
)


class GitLabConnector(Connector):
    """Reads gitlab.com or a GitLab of one's own."""

    name: ClassVar[str] = "gitlab"
    title: ClassVar[str] = "GitLab"
    facts = FACTS
    events = deployments.EVENTS
    annotations = (
        AnnotationSpec(SLUG, "The project, `group/subgroup/project`."),
        AnnotationSpec(ID, "The project's number; used where there is no path."),
    )
    permissions = ("a token with the scope read_api; protected branches are shown to developers of the project",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Ask for the version and one project; raises PullFailed."""
        answer = context.client.get_json("api/v4/version")
        if not isinstance(answer, dict) or "version" not in answer:
            raise PullFailed(FailureKind.BAD_ANSWER, "api/v4/version answered no version of a GitLab")
        names = sorted(_projects(context.targets))
        if names:
            try:
                Project(context.client, names[0]).about()
            except PullFailed as failure:
                if failure.status == 404:
                    message = f"GitLab answers, but the token sees no project {names[0]}: see its name and rights"
                    raise PullFailed(FailureKind.PERMISSION, message) from None
                raise
        return f"GitLab {answer['version']} answers; {len(names)} projects are named by {SLUG} or {ID}"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read projects, those first that have waited longest, until the run has cost what it may."""
        options = OptionsSchema().load(context.options)
        environments = [name.lower() for name in options["environments"]]
        named = _projects(context.targets)
        memory = in_turn.Memory.loaded(context.cursor)
        memory.keep(named)
        yield Batch(cursor=memory.dumped())

        def read(name: str, refs: Sequence[str]) -> Batch:
            return _read(context, name, refs, environments, memory)

        yield from in_turn.pull(context, named, memory, options["requests_per_run"], read)


def _read(
    context: PullContext, name: str, refs: Sequence[str], environments: Sequence[str], memory: in_turn.Memory
) -> Batch:
    """Read one project for the services in it."""
    source = Project(context.client, name)
    about = source.about()
    found = project.deployments(source, environments, memory.known.get(name, {}), context.now)
    memory.known[name] = {one.id: one for one in found}
    faults: list[PullFault] = []
    values = {
        **project.settings(source, about, str(about.get("default_branch") or "main"), context.now, faults),
        **deployments.facts_of(found),
    }
    path = str(about.get("path_with_namespace") or name)
    link = f"{about['web_url']}/-/deployments" if about.get("web_url") else ""
    return Batch(
        facts=[Fact(ref, key, value, context.now) for ref in refs for key, value in values.items()],
        events=[event for ref in refs for event in deployments.events_of(ref, path, link, found)],
        faults=[PullFault(f"{path}: {fault.scope}", fault.message) for fault in faults],
    )


def _projects(targets: Sequence[Target]) -> dict[str, list[str]]:
    """Return the services of each project, by its path or number."""
    found: dict[str, list[str]] = {}
    for target in targets:
        name = target.annotations.get(SLUG, "").strip().strip("/") or target.annotations.get(ID, "").strip()
        if name:
            found.setdefault(name, []).append(target.ref)
    return found


CONNECTOR = GitLabConnector()
