"""Argo CD: deploys, rollbacks and failed syncs as events; how a service is deployed as facts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from plugins.connectors.argocd.applications import (
    APP_NAME,
    APP_NAMESPACE,
    APP_SELECTOR,
    Application,
    is_claiming,
    join,
    read_applications,
)
from plugins.connectors.argocd.deploys import Memory, Record, count, events, recall
from plugins.connectors.argocd.facts import SPECS, observe
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Event,
    EventSpec,
    Fact,
    FailureKind,
    PullContext,
    PullFailed,
)
from plugins.grouping import in_groups

APPLICATIONS_PATH = "api/v1/applications"
NAME_FIELDS = "items.metadata.name,items.metadata.namespace,items.metadata.labels"
SERVICES_PER_BATCH = 500

_EMPTY_LIST = (
    "Argo CD lists no application: the token's role needs `applications, get` (it answers an empty list instead of a "
    "refusal), or the options projects and selector leave nothing"
)


class OptionsSchema(Schema):
    """Which applications are read."""

    projects = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=list,
        metadata={"description": "Only these projects, one request for each; all in one request when empty."},
    )
    selector = fields.String(
        load_default="", metadata={"description": "Only applications with these labels, as in kubectl: team=shop."}
    )
    ui_url = fields.Url(
        load_default="",
        require_tld=False,
        metadata={"description": "Where people open Argo CD; events link to it."},
    )


class ArgoCdConnector(Connector):
    """Reads the applications of one Argo CD."""

    name: ClassVar[str] = "argocd"
    title: ClassVar[str] = "Argo CD"
    facts = SPECS
    events = (
        EventSpec("deploy.finished", "A sync of the whole application succeeded."),
        EventSpec("deploy.rolled_back", "A deploy put out again what an earlier one had put out."),
        EventSpec("deploy.failed", "A sync ended as Failed or Error."),
    )
    annotations = (
        AnnotationSpec(APP_NAME, "Name of the service's application.", "checkout", needed=True),
        AnnotationSpec(
            APP_SELECTOR,
            "Labels of the service's applications: `app=shop,tier=web`. Not beside app-name.",
            "app=checkout",
            needed=True,
        ),
        AnnotationSpec(APP_NAMESPACE, "Only applications of this namespace.", "team-payments"),
    )
    permissions = ("applications, get",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """List the names that the token sees."""
        items = _list(context, only=NAME_FIELDS)
        if not items:
            raise PullFailed(FailureKind.PERMISSION, _EMPTY_LIST)
        joined, unfound = join(context.targets, read_applications(items).applications)
        claiming = sum(1 for target in context.targets if is_claiming(target))
        if unfound and not joined:
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"Argo CD lists {len(items)} applications, and none of the {claiming} services that name some found "
                f"theirs; the first, {unfound[0].scope}: {unfound[0].message}",
            )
        return (
            f"Argo CD lists {len(items)} applications; {claiming} services carry {APP_NAME} or {APP_SELECTOR}, "
            f"{len(joined)} of them found theirs"
        )

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Read all applications at once and yield the facts and new events of the services that claim them."""
        items = _list(context)
        if not items and any(is_claiming(target) for target in context.targets):
            raise PullFailed(FailureKind.PERMISSION, _EMPTY_LIST)
        reading = read_applications(items)
        joined, unfound = join(context.targets, reading.applications)
        refs_of = _refs_by_key(joined)
        memory = Memory.loaded(context.cursor)
        records = {
            application.key: recall(application, memory.records.get(application.key), context.now)
            for application in reading.applications
            if application.key in refs_of
        }
        yield from _services(context, joined, records)
        memory.update(records, refs_of, context.now)
        unmatched = sorted(a.title for a in reading.applications if a.key not in refs_of)
        yield Batch(faults=[*reading.faults, *unfound], unmatched=unmatched, cursor=memory.dumped())


def _list(context: PullContext, only: str = "") -> list[Any]:
    """Return the items of the list call: one request, or one for each configured project.

    The call can be narrowed by `fields`, but the server then drops what stands on no list of its own, the history and
    the uid among it. So the pull reads whole applications; `projects` bounds the size of an answer.
    """
    fixed = [("fields", only)] if only else []
    if context.options["selector"]:
        fixed.append(("selector", context.options["selector"]))
    items: list[Any] = []
    for project in context.options["projects"] or [None]:
        answer = context.client.get_json(APPLICATIONS_PATH, [*fixed, *([("projects", project)] if project else [])])
        if not _is_list(answer):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{APPLICATIONS_PATH} answered no list of applications")
        items += answer.get("items") or []
    return items


def _is_list(answer: object) -> bool:
    """Say whether it is Argo CD's list, whose `items` are null, or dropped with `fields`, where there are none."""
    if not isinstance(answer, dict) or (answer and not answer.keys() & {"items", "metadata"}):
        return False
    return isinstance(answer.get("items"), list | None)


def _refs_by_key(joined: Mapping[str, Sequence[Application]]) -> dict[str, list[str]]:
    refs_of: dict[str, list[str]] = defaultdict(list)
    for ref, applications in joined.items():
        for application in applications:
            refs_of[application.key].append(ref)
    return refs_of


def _services(
    context: PullContext, joined: Mapping[str, Sequence[Application]], records: Mapping[str, Record]
) -> Iterator[Batch]:
    """Yield facts and events, some hundred services to a batch."""
    counts = {key: count(record, context.now) for key, record in records.items()}
    for group in in_groups(joined.items(), SERVICES_PER_BATCH):
        found_facts: list[Fact] = []
        found_events: list[Event] = []
        for ref, applications in group:
            complete = all(a.keeps_history for a in applications)
            known = [counts[a.key] for a in applications] if complete else []
            found_facts += observe(ref, applications, known, context.now)
            for application in applications:
                found_events += events(application, records[application.key], ref, _link(context, application))
        yield Batch(facts=found_facts, events=found_events)


def _link(context: PullContext, application: Application) -> str:
    base = context.options["ui_url"].rstrip("/")
    return f"{base}/applications/{application.title}" if base else ""


CONNECTOR = ArgoCdConnector()
