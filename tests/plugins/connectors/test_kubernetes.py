"""The Kubernetes connector against a server double that holds both sides to Kubernetes' own document."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.connectors.kubernetes import CONNECTOR
from plugins.connectors.kubernetes.selectors import of_object, parse
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.kubernetes import GOOD, Kubernetes
from tests.fakes.server import Fault, html

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
ID = "backstage.io/kubernetes-id"
OWN = {ID: "checkout"}
TARGET = Target(REF, "checkout", OWN)
STATEFUL = "/apis/apps/v1/statefulsets"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    monkeypatch.setenv("KUBERNETES_TOKEN", "fake-token")
    fake = Kubernetes(shared("specs", "kubernetes.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []


def context(fake: Kubernetes, targets=(TARGET,), **options: Any) -> PullContext:
    client = SourceClient(fake.url, SourceAuth(token=Secret("${KUBERNETES_TOKEN}")), Limits(attempts=1))
    return PullContext("k8s", client, CONNECTOR.options_schema().load(options), targets, NOW)


def pull(fake: Kubernetes, targets=(TARGET,), **options: Any) -> Batch:
    batches = list(CONNECTOR.pull(context(fake, targets, **options)))
    return Batch(
        facts=[fact for batch in batches for fact in batch.facts],
        faults=[fault for batch in batches for fault in batch.faults],
        unmatched=[name for batch in batches for name in batch.unmatched],
    )


def values(fake: Kubernetes, target: Target = TARGET) -> dict[str, Any]:
    return {fact.key: fact.value for fact in pull(fake, (target,)).facts}


def test_a_well_kept_service_shows_as_such(cluster):
    cluster.add_deployment(
        "checkout",
        ready=3,
        labels=OWN,
        pod={"serviceAccountName": "checkout", "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]},
    )  # fmt: skip
    cluster.add_autoscaler("checkout")
    cluster.add_budget("checkout", app="checkout")
    for number, zone in enumerate(("a", "b", "b")):
        cluster.add_node(f"n{number}", zone)
        cluster.add_pod(f"p{number}", "checkout", f"n{number}")
    assert values(cluster) == {
        "runtime.replicas": 3,
        "runtime.zones": 2,
        "runtime.resources.set": True,
        "runtime.probes.set": True,
        "runtime.images.pinned": True,
        "runtime.spread.set": True,
        "runtime.service_account.own": True,
        "runtime.autoscaler.enabled": True,
        "runtime.disruption_budget.set": True,
    }


def test_one_workload_that_lacks_something_decides_for_the_service(cluster):
    cluster.add_deployment("web", ready=2, labels=OWN)
    cluster.add_deployment("jobs", ready=1, labels=OWN, container={}, path=STATEFUL)
    cluster.add_autoscaler("web")
    cluster.add_budget("web", app="web")
    found = values(cluster)
    assert found["runtime.replicas"] == 3
    for key in ("resources.set", "probes.set", "autoscaler.enabled", "disruption_budget.set"):
        assert found[f"runtime.{key}"] is False, key


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("registry.example:5000/app:1.2", True),
        ("registry.example:5000/app", False),
        ("app:latest", False),
        ("app@sha256:" + "0" * 64, True),
        ("app:latest@sha256:" + "0" * 64, True),
        ("app", False),
    ],
)
def test_an_image_is_pinned_by_a_tag_or_a_digest(cluster, image, pinned):
    cluster.add_deployment("checkout", labels=OWN, container={**GOOD, "image": image})
    assert values(cluster)["runtime.images.pinned"] is pinned


def test_an_autoscaler_that_may_not_add_anything_is_none(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    cluster.add_autoscaler("checkout", low=3, high=3)
    assert values(cluster)["runtime.autoscaler.enabled"] is False


def test_pods_that_are_not_ready_or_belong_to_others_add_no_zone(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    for name, zone in (("n1", "a"), ("n2", "b"), ("n3", "c")):
        cluster.add_node(name, zone)
    cluster.add_pod("p1", "checkout", "n1")
    cluster.add_pod("p2", "checkout", "n2", ready=False)
    cluster.add_pod("p3", "search", "n3")
    cluster.add_pod("p4", "checkout", "n3", namespace="elsewhere")
    assert values(cluster)["runtime.zones"] == 1


def test_zones_that_no_node_tells_are_unknown_and_not_zero(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    cluster.add_node("n1", None)
    cluster.add_pod("p1", "checkout", "n1")
    assert "runtime.zones" not in values(cluster)


def test_a_selector_wins_over_the_id_and_a_namespace_narrows_it(cluster):
    cluster.add_deployment("web", ready=1, labels={"app": "checkout", "tier": "web", **OWN})
    cluster.add_deployment("api", ready=2, labels={"app": "checkout", "tier": "api"})
    cluster.add_deployment("canary", ready=4, labels={"app": "checkout", "tier": "api", "canary": "yes"})
    cluster.add_deployment("api", ready=8, labels={"app": "checkout", "tier": "api"}, namespace="staging")
    selector = {"backstage.io/kubernetes-label-selector": "app=checkout,tier in (web, api),!canary", **OWN}
    assert values(cluster, Target(REF, "checkout", selector))["runtime.replicas"] == 11
    narrowed = {**selector, "backstage.io/kubernetes-namespace": "shop"}
    assert values(cluster, Target(REF, "checkout", narrowed))["runtime.replicas"] == 3


def test_what_may_not_be_listed_stays_unknown_and_is_told(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    cluster.faults.append(Fault(403, "{}", path="/api/v1/nodes"))
    batch = pull(cluster)
    assert {fact.key for fact in batch.facts} >= {"runtime.replicas", "runtime.autoscaler.enabled"}
    assert "runtime.zones" not in {fact.key for fact in batch.facts}
    assert [fault.scope for fault in batch.faults] == ["api/v1/nodes"]


def test_without_the_right_to_list_workloads_the_pull_fails_as_such(cluster):
    cluster.faults.append(Fault(403, "{}"))
    with pytest.raises(PullFailed) as failed:
        pull(cluster)
    assert failed.value.kind is FailureKind.PERMISSION


def test_lists_are_read_page_by_page_for_the_whole_cluster(cluster):
    cluster.page_limit = 10
    targets = []
    for number in range(35):
        cluster.add_deployment(f"s{number}", labels={ID: f"s{number}"})
        targets.append(Target(f"component:default/s{number}", f"s{number}", {ID: f"s{number}"}))
    batch = pull(cluster, tuple(targets))
    assert len({fact.ref for fact in batch.facts}) == 35
    assert cluster.paths().count("/apis/apps/v1/deployments") == 4
    assert len(cluster.requests) == 4 + 5


def test_a_continuation_that_expired_begins_the_list_again(cluster):
    cluster.page_limit, cluster.expired = 1, 1
    cluster.add_deployment("a", ready=1, labels=OWN)
    cluster.add_deployment("b", ready=1, labels=OWN)
    assert values(cluster)["runtime.replicas"] == 2
    cluster.expired = 99
    with pytest.raises(PullFailed):
        pull(cluster)


def test_pages_that_never_end_are_told(cluster):
    for token in ("a", "b", "a", "b"):
        body = json.dumps({"items": [], "metadata": {"continue": token}})
        cluster.faults.append(Fault(200, body, path="/apis/apps/v1/deployments"))
    with pytest.raises(PullFailed, match="answers the same page again and again"):
        values(cluster)
    assert cluster.paths().count("/apis/apps/v1/deployments") == 3


def test_workloads_of_no_service_are_shown_but_not_those_of_the_cluster_itself(cluster):
    cluster.add_deployment("lonely")
    cluster.add_deployment("dns", namespace="kube-system")
    assert pull(cluster).unmatched == ["shop/lonely"]


def test_a_selector_that_is_none_is_a_fault_of_that_service_alone(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    wrong = Target("component:default/wrong", "wrong", {"backstage.io/kubernetes-label-selector": "app in ["})
    batch = pull(cluster, (TARGET, wrong))
    assert {fact.ref for fact in batch.facts} == {REF}
    assert "is no label selector" in batch.faults[0].message


def test_the_check_says_how_many_were_found(cluster):
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(cluster))
    assert failed.value.kind is FailureKind.MISCONFIGURED
    cluster.add_deployment("checkout", labels=OWN)
    assert "1 of 1 annotated services" in CONNECTOR.check(context(cluster))


@pytest.mark.parametrize("fault", [html(), Fault(200, "[]"), Fault(200, "{}"), Fault(200, '{"items": 5}')])
def test_what_is_no_list_is_a_bad_answer(cluster, fault):
    cluster.faults.append(fault)
    with pytest.raises(PullFailed) as failed:
        pull(cluster)
    assert failed.value.kind is FailureKind.BAD_ANSWER


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("app=a", {"app": "a"}, True),
        ("app==a, tier!=web", {"app": "a"}, True),
        ("app notin (a,b)", {}, True),
        ("app notin (a, b)", {"app": "b"}, False),
        ("example.com/app", {"example.com/app": ""}, True),
        ("! app", {}, True),
        ("app=", {"app": ""}, True),
        ("", {"app": "a"}, False),
    ],
)
def test_selectors_are_read_as_kubectl_reads_them(text, labels, expected):
    assert parse(text)(labels) is expected


def test_a_missing_selector_selects_nothing_and_an_empty_one_everything():
    assert not of_object(None)({"app": "a"})
    assert of_object({})({"app": "a"})
    assert of_object({"matchExpressions": [{"key": "app", "operator": "Exists"}]})({"app": "a"})
    with pytest.raises(ValueError, match="no operator"):
        of_object({"matchExpressions": [{"key": "app", "operator": "Like"}]})


BACKUPS = "app.kubernetes.io/component=backup"


def add_backup(cluster: Kubernetes, name: str, succeeded: str | None, **labels: str) -> None:
    spec = {
        "schedule": "0 3 * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "dump", "image": "dump:1"}]}}}},
    }
    status = {"lastSuccessfulTime": succeeded} if succeeded else {}
    cluster.add("/apis/batch/v1/cronjobs", name, labels={**OWN, **labels}, spec=spec, status=status)


@pytest.mark.parametrize(
    ("succeeded", "told"),
    [
        (["2026-11-22T03:01:00Z"], "2026-11-22T03:01:00Z"),
        (["2026-11-22T03:01:00Z", "2026-11-19T03:01:00Z"], "2026-11-19T03:01:00Z"),
        (["2026-11-22T03:01:00Z", None], None),
        ([], None),
    ],
)
def test_the_backup_that_succeeded_longest_ago_counts(cluster, succeeded, told):
    cluster.add_deployment("checkout", labels=OWN)
    add_backup(cluster, "cleaning", "2026-11-01T00:00:00Z")
    for number, at in enumerate(succeeded):
        add_backup(cluster, f"backup-{number}", at, **{"app.kubernetes.io/component": "backup"})
    found = {fact.key: fact.value for fact in pull(cluster, backup_selector=BACKUPS).facts}
    assert found.get("data.backup.last_success_at") == told


def test_backups_are_looked_for_only_where_they_are_named(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    add_backup(cluster, "backup", "2026-11-22T03:01:00Z", **{"app.kubernetes.io/component": "backup"})
    assert "data.backup.last_success_at" not in values(cluster)
    assert "/apis/batch/v1/cronjobs" not in cluster.paths()
    cluster.faults.append(Fault(403, "{}", path="/apis/batch/v1/cronjobs"))
    batch = pull(cluster, backup_selector=BACKUPS)
    assert [fault.scope for fault in batch.faults] == ["apis/batch/v1/cronjobs"]
    assert "runtime.replicas" in {fact.key for fact in batch.facts}


ROLLOUTS, CANARIES = "/apis/argoproj.io/v1alpha1/rollouts", "/apis/flagger.app/v1beta1/canaries"


def released(fake: Kubernetes, **options: Any) -> dict[str, Any]:
    options.setdefault("progressive_delivery", ["argo-rollouts", "flagger"])
    return {fact.key: fact.value for fact in pull(fake, **options).facts}


def argo(*weights: int, **canary: Any) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"setWeight": weight} for weight in weights]
    return {"canary": {"steps": [*steps, {"pause": {}}], **canary}}


@pytest.mark.parametrize(
    ("strategy", "canary", "step"),
    [
        (argo(20, 40, 60, 80), True, 20),
        (argo(5, 50), True, 50),
        (argo(100, 500, trafficRouting={"maxTrafficWeight": 1000}), True, 50),
        (argo(), False, None),
        ({"blueGreen": {"activeService": "checkout"}}, False, None),
    ],
)
def test_a_rollout_is_a_workload_and_tells_its_steps(cluster, strategy, canary, step):
    made = cluster.add_deployment("checkout", ready=3, path=ROLLOUTS, labels=OWN)
    made["spec"]["strategy"] = strategy
    found = released(cluster)
    assert (found["deploys.canary"], found.get("deploys.max_step_pct_30d")) == (canary, step)
    assert (found["runtime.replicas"], found["runtime.resources.set"]) == (3, True)


def test_a_rollout_that_takes_a_deployments_template_stands_in_its_place(cluster):
    cluster.add_deployment("checkout", ready=0, labels=OWN)
    spec = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}, "strategy": argo(25)}
    cluster.add(ROLLOUTS, "checkout", spec=spec, status={"readyReplicas": 4})
    found = released(cluster)
    assert (found["runtime.replicas"], found["runtime.probes.set"]) == (4, True)
    assert (found["deploys.canary"], found["deploys.max_step_pct_30d"]) == (True, 75)


@pytest.mark.parametrize(
    ("spec", "canary", "step"),
    [
        ({"analysis": {"stepWeight": 5, "maxWeight": 50}}, True, 50),
        ({"analysis": {"stepWeight": 10, "maxWeight": 50, "stepWeightPromotion": 20}}, True, 20),
        ({"analysis": {"stepWeights": [1, 20, 80]}}, True, 60),
        ({"analysis": {"stepWeight": 25}}, True, 25),
        ({"analysis": {"iterations": 10}}, False, None),
        ({"analysis": {"stepWeight": 10}, "skipAnalysis": True}, False, None),
    ],
)
def test_what_flagger_runs_counts_and_its_weights_are_steps(cluster, spec, canary, step):
    cluster.add_deployment("checkout", ready=0, labels=OWN)
    cluster.add_deployment("checkout-primary", ready=3, labels=OWN)
    cluster.add_pod("p1", "checkout-primary", "node-a")
    cluster.add_node("node-a", "a")
    cluster.add(CANARIES, "checkout", spec={"targetRef": {"kind": "Deployment", "name": "checkout"}, **spec})
    found = released(cluster)
    assert (found["deploys.canary"], found.get("deploys.max_step_pct_30d")) == (canary, step)
    assert (found["runtime.replicas"], found["runtime.zones"]) == (3, 1)


def test_a_release_without_steps_is_told_only_where_those_with_steps_are_looked_for(cluster):
    cluster.add_deployment("checkout", labels=OWN)
    assert released(cluster)["deploys.canary"] is False
    assert "deploys.canary" not in released(cluster, progressive_delivery=[])
    cluster.faults.append(Fault(404, "404 page not found", path=ROLLOUTS))
    batch = pull(cluster, progressive_delivery=["argo-rollouts"])
    assert "deploys.canary" not in {fact.key for fact in batch.facts}
    assert [fault.scope for fault in batch.faults] == [ROLLOUTS[1:]]


def test_a_pods_resources_are_its_containers(cluster):
    both = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    cluster.add_deployment("checkout", labels=OWN, container={}, pod={"resources": both})
    assert values(cluster)["runtime.resources.set"] is True


def test_the_role_on_the_page_allows_just_what_is_listed(cluster):
    page = (Path(__file__).parents[3] / "docs" / "connectors" / "kubernetes.md").read_text()
    role = next(yaml.safe_load_all(re.search(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)[1]))
    allowed = {(group, kind) for rule in role["rules"] for group in rule["apiGroups"] for kind in rule["resources"]}
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    cluster.add_deployment("checkout", labels=OWN)
    pull(cluster, backup_selector="app=backup", progressive_delivery=["argo-rollouts", "flagger"])
    asked = [path.split("/") for path in cluster.paths()]
    assert {(parts[2] if parts[1] == "apis" else "", parts[-1]) for parts in asked} == allowed
