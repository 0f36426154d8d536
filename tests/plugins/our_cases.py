"""Our connectors' cases for the conformance kit: each with good answers of its system, from the server doubles."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from plugins.conformance import Case
from plugins.connectors import alertmanager, argocd, buildbot, github, gitlab, grafana, kubernetes, openslo, pagerduty
from plugins.connectors import prometheus as prometheus_connector
from plugins.connectors.prometheus.options import Options
from plugins.contract import (
    Target,
)
from tests.conftest import shared
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.argocd import ArgoCd
from tests.fakes.github import GitHub
from tests.fakes.gitlab import GitLab
from tests.fakes.grafana import Grafana
from tests.fakes.kubernetes import Kubernetes
from tests.fakes.pagerduty import PagerDuty
from tests.fakes.prometheus import Prometheus
from tests.fakes.server import Fake
from tests.plugins.connectors.openslo_files import slo

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHECKOUT, SEARCH = "component:default/checkout", "component:default/search"
PACKAGE = '{"engines": {"node": ">=20"}}'
FILES = [
    {"fact": "repo.file.dockerfile_pinned", "path": "Dockerfile", "matches": "^FROM .+@sha256:"},
    {"fact": "repo.file.node", "path": "package.json", "value": "/engines/node"},
]
SHAS = ("a" * 40, "b" * 40, "c" * 40)


def pair(key: str, checkout: str, search: str) -> tuple[Target, Target]:
    return Target(CHECKOUT, "checkout", {key: checkout}), Target(SEARCH, "search", {key: search})


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@contextmanager
def keeping_the_contract(fake: Fake) -> Iterator[None]:
    """Run a fake, and see at its end that no question and no answer broke the vendor's document."""
    with fake.running():
        yield
    assert fake.problems == []


@contextmanager
def argocd_case() -> Iterator[Case]:
    fake = ArgoCd(shared("specs", "argocd.openapi.json"))
    for name in ("checkout", "search"):
        fake.add(name)
        for number, sha in enumerate(SHAS):
            fake.sync(name, sha, NOW - (5 - number) * DAY)
    with keeping_the_contract(fake):
        yield Case(
            argocd.CONNECTOR,
            pair("argocd/app-name", "checkout", "search"),
            {(CHECKOUT, "deploys.count_30d"): 3, (SEARCH, "deploys.count_30d"): 3},
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
        )


@contextmanager
def github_case() -> Iterator[Case]:
    fake = GitHub(shared("specs", "github.openapi.json"))
    for slug in ("acme/checkout", "acme/search"):
        fake.add(
            slug,
            protected=True,
            rules=[{"type": "pull_request", "parameters": {"required_approving_review_count": 1}}],
            protection={"required_status_checks": {"contexts": ["test"]}},
            codeowners=[],
            workflows=["active"],
            runs=[
                {"id": 1, "conclusion": "success", "updated_at": written(NOW - DAY)},
                {"id": 2, "conclusion": "failure", "updated_at": written(NOW - 2 * DAY)},
            ],
            commits={f"{SHAS[0]}...{SHAS[1]}": [NOW - 4 * DAY - HOUR]},
            release=NOW - 3 * DAY,
            files={"Dockerfile": (f"FROM node@sha256:{SHAS[0]}", NOW), "package.json": (PACKAGE, NOW)},
        )
        fake.deploy(slug, NOW - 5 * DAY, SHAS[0], "success")
        fake.deploy(slug, NOW - 4 * DAY, SHAS[1], "success")
        fake.finding(slug, NOW - 40 * DAY)
        fake.finding(slug, NOW - 50 * DAY)
        fake.finding(slug, NOW - 60 * DAY)
    with keeping_the_contract(fake):
        yield Case(
            github.CONNECTOR,
            pair("github.com/project-slug", "acme/checkout", "acme/search"),
            {
                (CHECKOUT, "repo.branch.protected"): True,
                (CHECKOUT, "ci.success_ratio_30d"): 0.5,
                (SEARCH, "deploys.count_30d"): 2,
                (SEARCH, "code.vuln.critical_over_30d"): 3,
                (CHECKOUT, "repo.file.dockerfile_pinned"): True,
                (SEARCH, "repo.file.node"): ">=20",
            },
            options={"code_scanning": True, "files": FILES},
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
            own_paths={CHECKOUT: "/repos/acme/checkout"},
        )


@contextmanager
def gitlab_case() -> Iterator[Case]:
    fake = GitLab(shared("specs", "gitlab.openapi.json"))
    for path in ("acme/checkout", "acme/search"):
        pipelines = [
            {"id": number, "status": status, "updated_at": written(NOW - number * DAY)}
            for number, status in enumerate(("success", "failed"), 1)
        ]
        texts = {"Dockerfile": (f"FROM node@sha256:{SHAS[0]}", NOW), "package.json": (PACKAGE, NOW)}
        fake.add(path, protected=["main"], files=["CODEOWNERS"], pipelines=pipelines, texts=texts)
        fake.deploy(path, NOW - 5 * DAY, SHAS[0])
        fake.deploy(path, NOW - 4 * DAY, SHAS[1], "failed")
        fake.scanners[path] = ["DEPENDENCY_SCANNING"]
        fake.vulnerability(path, NOW - 40 * DAY)
        fake.vulnerability(path, NOW - 50 * DAY)
    with keeping_the_contract(fake):
        yield Case(
            gitlab.CONNECTOR,
            pair("gitlab.com/project-slug", "acme/checkout", "acme/search"),
            {
                (CHECKOUT, "repo.branch.protected"): True,
                (CHECKOUT, "deploys.failed_30d"): 1,
                (SEARCH, "ci.success_ratio_30d"): 0.5,
                (SEARCH, "deps.vuln.critical_over_30d"): 2,
                (CHECKOUT, "repo.file.dockerfile_pinned"): True,
                (SEARCH, "repo.file.node"): ">=20",
            },
            options={"vulnerabilities": True, "files": FILES},
            upstream=fake.url,
            secret=fake.token,
            auth_header="PRIVATE-TOKEN",
            now=NOW,
            own_paths={CHECKOUT: "/api/v4/projects/acme%2Fcheckout"},
        )


@contextmanager
def grafana_case() -> Iterator[Case]:
    fake = Grafana(shared("specs", "grafana.openapi.json"))
    for uid, name in (("u1", "checkout"), ("u2", "search")):
        query = [{"refId": "A", "expr": f"rate({name}_{uid}_total[5m])"}]
        panel = {"type": "timeseries", "datasource": {"type": "prometheus", "uid": "p"}, "targets": query}
        fake.save(uid, f"{name} {uid}", NOW - DAY, tags=[name], panels=[panel])
    asked = {"kind": "DataQuery", "group": "prometheus", "spec": {"expr": "rate(checkout_u3_total[5m])"}}
    queries = [{"kind": "PanelQuery", "spec": {"query": asked, "refId": "A", "hidden": False}}]
    panel = {"kind": "Panel", "spec": {"id": 1, "data": {"kind": "QueryGroup", "spec": {"queries": queries}}}}
    fake.save_v2("u3", "checkout u3", NOW - DAY, tags=["checkout"], elements={"panel-1": panel})
    with keeping_the_contract(fake):
        yield Case(
            grafana.CONNECTOR,
            pair("grafana/dashboard-selector", "checkout", "search"),
            {
                (CHECKOUT, "dashboard.metrics"): ["checkout_u1_total", "checkout_u3_total"],
                (SEARCH, "dashboard.count"): 1,
            },
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
            own_paths={SEARCH: "/api/dashboards/uid/u2"},
        )


@contextmanager
def kubernetes_case() -> Iterator[Case]:
    fake = Kubernetes(shared("specs", "kubernetes.openapi.json"))
    for zone in ("a", "b"):
        fake.add_node(f"node-{zone}", zone)
    for name in ("checkout", "search"):
        fake.add_deployment(name, ready=2, labels={"backstage.io/kubernetes-id": name})
        for zone in ("a", "b"):
            fake.add_pod(f"{name}-{zone}", name, f"node-{zone}")
        fake.add_autoscaler(name)
        fake.add_budget(name, app=name)
    with keeping_the_contract(fake):
        yield Case(
            kubernetes.CONNECTOR,
            pair("backstage.io/kubernetes-id", "checkout", "search"),
            {(CHECKOUT, "runtime.zones"): 2, (SEARCH, "runtime.disruption_budget.set"): True},
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
        )


@contextmanager
def pagerduty_case() -> Iterator[Case]:
    fake = PagerDuty(shared("specs", "pagerduty.openapi.json"))
    fake.add_schedule("S1", "ann", "ben")
    fake.add_policy("E1", [("schedule", "S1")], [("user", "boss")])
    fake.add_policy("E2", [("user", "eve")])
    fake.add_service("PCHECK", "E1")
    fake.add_service("PSEARCH", "E2")
    fake.add_oncall("E1", "ann", NOW - 2 * DAY, NOW + 3 * DAY)
    fake.add_incident("I1", "PCHECK", NOW - 20 * DAY, NOW - 20 * DAY + HOUR, priority="P1")
    fake.add_incident("I2", "PCHECK", NOW - HOUR)
    with keeping_the_contract(fake):
        yield Case(
            pagerduty.CONNECTOR,
            pair("pagerduty.com/service-id", "PCHECK", "PSEARCH"),
            {(CHECKOUT, "oncall.members"): 2, (CHECKOUT, "incidents.open"): 1, (SEARCH, "oncall.members"): 1},
            upstream=fake.url,
            secret=f"Token token={fake.token}",
            auth_header="Authorization",
            expected_events=[f"{event}:{CHECKOUT}" for event in ("I1:opened", "I1:resolved", "I2:opened")],
            now=NOW,
        )


@contextmanager
def alertmanager_case() -> Iterator[Case]:
    fake = Alertmanager(shared("specs", "alertmanager.openapi.json"), NOW)
    fake.fire({"alertname": "Burn", "service": "checkout", "severity": "page"})
    hidden_by = fake.silence(2, {"name": "service", "value": "search", "isEqual": True})
    fake.fire({"alertname": "Slow", "service": "search", "severity": "info"}, silenced_by=(hidden_by,))
    with keeping_the_contract(fake):
        yield Case(
            alertmanager.CONNECTOR,
            pair("sre.portal/prometheus-service", "checkout", "search"),
            {
                (CHECKOUT, "alerts.firing.paging"): 1,
                (CHECKOUT, "alerts.paging.receivers"): ["pager"],
                (SEARCH, "alerts.muted.count"): 1,
                (SEARCH, "alerts.silences.longest_days"): 2.0,
            },
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
        )


@contextmanager
def buildbot_case() -> Iterator[Case]:
    names = ("deploy-checkout", "test-checkout", "deploy-search", "test-search")
    builds = [
        {
            "buildid": 10 * builder + number,
            "builderid": builder,
            "results": results,
            "complete_at": int((NOW - (5 - number) * DAY).timestamp()),
            "properties": {"revision": [SHAS[number], "Force"], "owner": ["ann", "Force Build Form"]},
        }
        for builder in range(1, 5)
        for number, results in enumerate((0, 0, 2))
    ]
    targets = [
        Target(f"component:default/{name}", name, {buildbot.DEPLOYS: f"deploy-{name}", buildbot.TESTS: f"test-{name}"})
        for name in ("checkout", "search")
    ]
    yield Case(
        buildbot.CONNECTOR,
        targets,
        {(CHECKOUT, "deploys.count_30d"): 2, (CHECKOUT, "deploys.failed_30d"): 1, (SEARCH, "ci.enabled"): True},
        answers={
            "/api/v2/builders": {"builders": [{"builderid": n, "name": name} for n, name in enumerate(names, 1)]},
            "/api/v2/builds": {"builds": builds},
        },
        now=NOW,
    )


@contextmanager
def prometheus_case() -> Iterator[Case]:
    """The answers of one that knows two services; tests/plugins/connectors asks a real one."""
    fake = Prometheus(shared("specs", "prometheus.openapi.json"), NOW)
    vectors = {
        "services": {"checkout": "2", "search": "1"},
        "slo.availability.actual_28d": {"checkout": "0.999", "search": "0.95"},
        "runtime.replicas": {"checkout": "3", "search": "2"},
    }
    queries = Options().promql()
    for name, values in vectors.items():
        fake.vectors[queries[name]] = [({"service": service}, value) for service, value in values.items()]
    fake.add_alert("Down", "up == 0", {"severity": "page", "service": "checkout"})
    with keeping_the_contract(fake):
        yield Case(
            prometheus_connector.CONNECTOR,
            pair("sre.portal/prometheus-service", "checkout", "search"),
            {(CHECKOUT, "slo.availability.actual_28d"): 0.999, (CHECKOUT, "alerts.paging.without_runbook"): 1},
            upstream=fake.url,
            secret=fake.token,
            now=NOW,
        )


@contextmanager
def openslo_case() -> Iterator[Case]:
    """Documents that stand at an address; tests/plugins/connectors reads files."""
    yield Case(
        openslo.CONNECTOR,
        [Target(CHECKOUT, "checkout"), Target(SEARCH, "search")],
        {(CHECKOUT, "slo.count"): 1, (SEARCH, "slo.availability.target"): 0.999},
        answers={"/": [slo(f"{service}-answers", service=service) for service in ("checkout", "search")]},
        now=NOW,
    )


CASES: dict[str, Callable[[], Any]] = {
    "alertmanager": alertmanager_case,
    "argocd": argocd_case,
    "buildbot": buildbot_case,
    "github": github_case,
    "gitlab": gitlab_case,
    "grafana": grafana_case,
    "kubernetes": kubernetes_case,
    "openslo": openslo_case,
    "pagerduty": pagerduty_case,
    "prometheus": prometheus_case,
}
