"""Kubernetes: how many of a service run, where, and how they are looked after."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from marshmallow import Schema, ValidationError, fields, validate

from plugins.connectors.kubernetes import progressive, workloads
from plugins.connectors.kubernetes.labelled import Labelled, Selectors
from plugins.connectors.kubernetes.listing import Resource, listed, may_list
from plugins.connectors.kubernetes.selectors import Requirement, Selector, of_object, parse
from plugins.connectors.kubernetes.workloads import Cluster, labels_of, place, zones_of_pods
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
    Target,
)
from plugins.grouping import in_groups
from plugins.moments import moment, rfc3339
from plugins.parts import checked, part

ID = "backstage.io/kubernetes-id"
SELECTOR = "backstage.io/kubernetes-label-selector"
NAMESPACE = "backstage.io/kubernetes-namespace"
SERVICES_PER_BATCH = 500
HOUR, HOURS_72 = timedelta(hours=1), timedelta(hours=72)

DEPLOYMENTS, STATEFUL_SETS = "apis/apps/v1/deployments", "apis/apps/v1/statefulsets"
AUTOSCALERS, BUDGETS = "apis/autoscaling/v2/horizontalpodautoscalers", "apis/policy/v1/poddisruptionbudgets"
PODS, NODES = "api/v1/pods", "api/v1/nodes"
CRON_JOBS = "apis/batch/v1/cronjobs"


def _is_selector(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class OptionsSchema(Schema):
    """How objects name their service."""

    id_label = fields.String(
        load_default=ID,
        validate=validate.Length(min=1),
        metadata={"description": "Label that holds what the annotation of the same purpose says."},
    )
    backup_selector = fields.String(
        load_default="",
        validate=_is_selector,
        metadata={
            "description": "Label selector of the CronJobs that back data up: `app.kubernetes.io/component=backup`. "
            "Without it none is looked for."
        },
    )
    progressive_delivery = fields.List(
        fields.String(validate=validate.OneOf(list(progressive.PATHS))),
        load_default=list,
        metadata={
            "description": "Controllers that release services in steps in this cluster: `argo-rollouts`, `flagger`. "
            "Without one nothing is known of canaries, and Rollouts are not looked at."
        },
    )


def _flag(key: str, description: str) -> FactSpec:
    return FactSpec(key, FactType.BOOLEAN, "", description, HOURS_72)


FACTS = (
    FactSpec("runtime.replicas", FactType.INTEGER, "count", "Ready replicas of its workloads.", HOUR),
    FactSpec("runtime.zones", FactType.INTEGER, "count", "Zones in which a ready pod of it runs.", HOUR),
    _flag("runtime.resources.set", "Every container has requests and limits for CPU and memory."),
    _flag("runtime.probes.set", "Every workload's pods have a readiness and a liveness probe."),
    _flag("runtime.autoscaler.enabled", "Every workload has an autoscaler that may add replicas."),
    _flag("runtime.disruption_budget.set", "Every workload's pods are covered by a disruption budget."),
    _flag("runtime.images.pinned", "Every image is named by a digest, or by a tag other than `latest`."),
    _flag("runtime.spread.set", "Every workload asks for its pods to be spread out."),
    _flag("runtime.service_account.own", "Every workload runs under a service account other than `default`."),
    _flag("deploys.canary", "Releases of every workload go through a canary, by Argo Rollouts or Flagger."),
    FactSpec(
        "deploys.max_step_pct_30d", FactType.NUMBER, "",
        "The most percent of traffic that are moved at once, as these releases are specified now.", HOURS_72,
    ),
    FactSpec(
        "data.backup.last_success_at", FactType.DATETIME, "",
        "When the CronJobs of `backup_selector` last succeeded; of several, the one that did longest ago.", HOURS_72,
    ),
)  # fmt: skip


class KubernetesConnector(Connector):
    """Reads one cluster."""

    name: ClassVar[str] = "kubernetes"
    title: ClassVar[str] = "Kubernetes"
    facts = FACTS
    annotations = (
        AnnotationSpec(
            ID,
            "Value of the label of the same name on the service's Deployments and StatefulSets.",
            "checkout",
            needed=True,
        ),
        AnnotationSpec(
            SELECTOR,
            "Label selector for them, `app=checkout,tier in (web,api)`; wins over the id.",
            "app=checkout",
            needed=True,
        ),
        AnnotationSpec(NAMESPACE, "The only namespace that is looked in.", "shop"),
    )
    permissions = (
        "list deployments and statefulsets (apps), horizontalpodautoscalers (autoscaling), poddisruptionbudgets "
        "(policy), pods and nodes, in all namespaces; with backup_selector cronjobs (batch) too",
        "with progressive_delivery: list rollouts (argoproj.io) or canaries (flagger.app) in all namespaces",
    )
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """List the workloads, and try the other lists; raises PullFailed when no service has a workload."""
        hidden: list[PullFault] = []
        listed_now, _ = _released(context, _workloads(context), hidden)
        backups = [CRON_JOBS] if context.options["backup_selector"] else []
        for path in (AUTOSCALERS, BUDGETS, PODS, NODES, *backups):
            part(path, partial(may_list, context.client, path), hidden)
        found, faults = _matched(context, listed_now)
        claiming = [target for target in context.targets if _claims(target)]
        if claiming and not found:
            hint = faults[0].message if faults else f"no workload fits the annotations {ID} or {SELECTOR}"
            raise PullFailed(FailureKind.MISCONFIGURED, f"the cluster answers, but {hint}")
        answered = f"the cluster answers; {len(found)} of {len(claiming)} annotated services have a workload in it"
        return checked(answered, hidden)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """List each kind once for the whole cluster, and yield what that says of each service."""
        faults: list[PullFault] = []
        cluster = _read(context, faults)
        backups = _backups(context, faults)
        found, unread = _matched(context, cluster.workloads)
        claimed = {place(workload) for chosen in found.values() for workload in chosen}
        unmatched = sorted(
            f"{namespace}/{name}"
            for namespace, kind, name in (place(workload) for workload in cluster.workloads)
            if (namespace, kind, name) not in claimed and not namespace.startswith("kube-")
        )
        yield Batch(faults=[*faults, *unread], unmatched=unmatched)
        for refs in in_groups(sorted({*found, *backups}), SERVICES_PER_BATCH):
            yield Batch(
                facts=[
                    Fact(ref, key, value, context.now)
                    for ref in refs
                    for key, value in _facts(found.get(ref, ()), cluster, backups.get(ref)).items()
                ]
            )


def _facts(chosen: Sequence[Resource], cluster: Cluster, backed_up_at: datetime | None) -> dict[str, FactValue]:
    found = workloads.facts_of(chosen, cluster) if chosen else {}
    if chosen and cluster.releases_known:
        found |= progressive.facts_of(chosen)
    return {**found, **({"data.backup.last_success_at": rfc3339(backed_up_at)} if backed_up_at else {})}


def _backups(context: PullContext, faults: list[PullFault]) -> dict[str, datetime]:
    """Return when each service's data was last backed up; nothing of one of whose backups none ever succeeded."""
    selector = context.options["backup_selector"]
    if not selector:
        return {}
    selects = parse(selector)
    jobs = [job for job in _part(context, CRON_JOBS, faults) or [] if selects(labels_of(job))]
    found: dict[str, datetime] = {}
    for ref, own in _matched(context, jobs)[0].items():
        ended = [moment((job.get("status") or {}).get("lastSuccessfulTime")) for job in own]
        known = [at for at in ended if at and at <= context.now]
        if len(known) == len(own):
            found[ref] = min(known)
    return found


def _workloads(context: PullContext) -> list[Resource]:
    """Return Deployments and StatefulSets; the items of a list do not say their kind themselves."""
    return [
        {**resource, "kind": kind}
        for path, kind in ((DEPLOYMENTS, "Deployment"), (STATEFUL_SETS, "StatefulSet"))
        for resource in listed(context.client, path)
    ]


def _released(context: PullContext, found: list[Resource], faults: list[PullFault]) -> tuple[list[Resource], bool]:
    """Return the workloads as their releases make them, and whether all that is known of releases could be had."""
    asked = context.options["progressive_delivery"]
    complete = bool(asked)
    for controller, merge in (
        (progressive.ARGO_ROLLOUTS, progressive.with_rollouts),
        (progressive.FLAGGER, progressive.with_canaries),
    ):
        objects = _part(context, progressive.PATHS[controller], faults) if controller in asked else []
        found, complete = merge(found, objects or []), complete and objects is not None
    return found, complete


def _read(context: PullContext, faults: list[PullFault]) -> Cluster:
    """List everything. Without workloads there is nothing to tell (raises PullFailed); the rest may be missing."""
    found, releases_known = _released(context, _workloads(context), faults)
    cluster = Cluster(found, releases_known=releases_known)
    autoscalers, budgets = _part(context, AUTOSCALERS, faults), _part(context, BUDGETS, faults)
    nodes, pods = _part(context, NODES, faults), _part(context, PODS, faults)
    if autoscalers is not None:
        cluster.autoscalers = {_scaled(one): one for one in autoscalers}
    if budgets is not None:
        cluster.budgets = _by_namespace(budgets, faults)
    if nodes is not None and pods is not None:
        cluster.zones = zones_of_pods(pods, nodes)
    return cluster


def _part(context: PullContext, path: str, faults: list[PullFault]) -> list[Resource] | None:
    return part(path, partial(listed, context.client, path), faults)


def _scaled(autoscaler: Resource) -> tuple[str, str, str]:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    return place(autoscaler)[0], str(target.get("kind") or ""), str(target.get("name") or "")


def _by_namespace(budgets: Sequence[Resource], faults: list[PullFault]) -> dict[str, Selectors]:
    found: dict[str, list[Selector]] = {}
    for budget in budgets:
        namespace, _, name = place(budget)
        try:
            found.setdefault(namespace, []).append(of_object((budget.get("spec") or {}).get("selector")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append(PullFault(f"disruption budget {namespace}/{name}", f"cannot be read: {error}"))
    return {namespace: Selectors(own) for namespace, own in found.items()}


def _claims(target: Target) -> bool:
    return any(target.annotations.get(key, "").strip() for key in (ID, SELECTOR))


def _matched(context: PullContext, found: Sequence[Resource]) -> tuple[dict[str, list[Resource]], list[PullFault]]:
    """Return the workloads of each service that has any, and what keeps others from being looked for."""
    labelled = Labelled((labels_of(workload), workload) for workload in found)
    matched: dict[str, list[Resource]] = {}
    faults: list[PullFault] = []
    for target in context.targets:
        try:
            chosen = _chosen(target, labelled, context.options["id_label"])
        except ValueError as error:
            faults.append(PullFault(target.ref, f"{SELECTOR}: {error}"))
            continue
        if chosen:
            matched[target.ref] = chosen
    return matched, faults


def _chosen(target: Target, found: Labelled[Resource], id_label: str) -> list[Resource]:
    selector = target.annotations.get(SELECTOR, "").strip()
    namespace = target.annotations.get(NAMESPACE, "").strip()
    own_id = target.annotations.get(ID, "").strip()
    if not selector and not own_id:
        return []
    selects = parse(selector) if selector else Selector((Requirement("In", id_label, (own_id,)),))
    return [workload for workload in found.selected(selects) if not namespace or place(workload)[0] == namespace]


CONNECTOR = KubernetesConnector()
