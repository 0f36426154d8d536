"""Every connector of ours that speaks HTTP, run through the kit that a third party's is run through."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest

from plugins import conformance
from plugins.conformance import Case, NotConforming, Paged, Question, Reply
from plugins.connectors import alertmanager, argocd, buildbot, github, gitlab, grafana, kubernetes, pagerduty
from plugins.connectors import prometheus as prometheus_connector
from plugins.connectors.prometheus.options import Options
from plugins.contract import (
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
from tests.conftest import shared
from tests.fakes.argocd import ArgoCd
from tests.fakes.github import GitHub
from tests.fakes.gitlab import GitLab
from tests.fakes.grafana import Grafana
from tests.fakes.kubernetes import Kubernetes
from tests.fakes.pagerduty import PagerDuty

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHECKOUT, SEARCH = "component:default/checkout", "component:default/search"
SHAS = ("a" * 40, "b" * 40, "c" * 40)


def pair(key: str, checkout: str, search: str) -> tuple[Target, Target]:
    return Target(CHECKOUT, "checkout", {key: checkout}), Target(SEARCH, "search", {key: search})


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@contextmanager
def argocd_case() -> Iterator[Case]:
    fake = ArgoCd(shared("specs", "argocd.openapi.json"))
    for name in ("checkout", "search"):
        fake.add(name)
        for number, sha in enumerate(SHAS):
            fake.sync(name, sha, NOW - (5 - number) * DAY)
    with fake.running():
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
        )
        fake.deploy(slug, NOW - 5 * DAY, SHAS[0], "success")
        fake.deploy(slug, NOW - 4 * DAY, SHAS[1], "success")
    with fake.running():
        yield Case(
            github.CONNECTOR,
            pair("github.com/project-slug", "acme/checkout", "acme/search"),
            {
                (CHECKOUT, "repo.branch.protected"): True,
                (CHECKOUT, "ci.success_ratio_30d"): 0.5,
                (SEARCH, "deploys.count_30d"): 2,
            },
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
        fake.add(path, protected=["main"], files=["CODEOWNERS"], pipelines=pipelines)
        fake.deploy(path, NOW - 5 * DAY, SHAS[0])
        fake.deploy(path, NOW - 4 * DAY, SHAS[1], "failed")
    with fake.running():
        yield Case(
            gitlab.CONNECTOR,
            pair("gitlab.com/project-slug", "acme/checkout", "acme/search"),
            {
                (CHECKOUT, "repo.branch.protected"): True,
                (CHECKOUT, "deploys.failed_30d"): 1,
                (SEARCH, "ci.success_ratio_30d"): 0.5,
            },
            upstream=fake.url,
            secret=fake.token,
            auth_header="PRIVATE-TOKEN",
            now=NOW,
            own_paths={CHECKOUT: "/api/v4/projects/acme%2Fcheckout"},
        )


@contextmanager
def grafana_case() -> Iterator[Case]:
    fake = Grafana(shared("specs", "grafana.openapi.json"))
    for uid, name in (("u1", "checkout"), ("u2", "search"), ("u3", "checkout")):
        query = [{"refId": "A", "expr": f"rate({name}_{uid}_total[5m])"}]
        panel = {"type": "timeseries", "datasource": {"type": "prometheus", "uid": "p"}, "targets": query}
        fake.save(uid, f"{name} {uid}", NOW - DAY, tags=[name], panels=[panel])
    with fake.running():
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
    with fake.running():
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
    with fake.running():
        yield Case(
            pagerduty.CONNECTOR,
            pair("pagerduty.com/service-id", "PCHECK", "PSEARCH"),
            {(CHECKOUT, "oncall.members"): 2, (CHECKOUT, "incidents.open"): 1, (SEARCH, "oncall.members"): 1},
            upstream=fake.url,
            secret=f"Token token={fake.token}",
            auth_header="Authorization",
            expected_events=["I1:opened", "I1:resolved", "I2:opened"],
            now=NOW,
        )


@contextmanager
def alertmanager_case() -> Iterator[Case]:
    routes = "route: {receiver: pager}\nreceivers: [{name: pager, webhook_configs: [{url: 'http://x/'}]}]\n"
    alerts = [
        {"labels": {"alertname": "Burn", "service": "checkout", "severity": "page"}, "status": {"state": "active"},
         "fingerprint": "f1"},
        {"labels": {"alertname": "Slow", "service": "search", "severity": "info"}, "status": {"state": "suppressed"},
         "fingerprint": "f2"},
    ]  # fmt: skip
    silence = {
        "id": "s1", "status": {"state": "active"}, "startsAt": written(NOW - DAY), "endsAt": written(NOW + DAY),
        "matchers": [{"name": "service", "value": "search", "isRegex": False, "isEqual": True}],
    }  # fmt: skip
    yield Case(
        alertmanager.CONNECTOR,
        pair("sre.portal/prometheus-service", "checkout", "search"),
        {
            (CHECKOUT, "alerts.firing.paging"): 1,
            (CHECKOUT, "alerts.paging.receivers"): ["pager"],
            (SEARCH, "alerts.muted.count"): 1,
            (SEARCH, "alerts.silences.longest_days"): 2.0,
        },
        answers={
            "/api/v2/status": {"config": {"original": routes}, "versionInfo": {"version": "0.28.0"}},
            "/api/v2/alerts": alerts,
            "/api/v2/silences": [silence],
        },
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
    at = NOW.timestamp()
    vectors = {
        "services": {"checkout": 2, "search": 1},
        "slo.availability.actual_28d": {"checkout": 0.999, "search": 0.95},
        "runtime.replicas": {"checkout": 3, "search": 2},
    }
    asked = {promql: name for name, promql in Options().promql().items()}

    def answer(question: Question) -> Reply:
        if question.path == "/api/v1/status/buildinfo":
            return said({"version": "3.1.0"})
        if question.path == "/api/v1/rules":
            labels = {"severity": "page", "service": "checkout"}
            rule = {"type": "alerting", "name": "Down", "query": "up == 0", "labels": labels, "annotations": {}}
            return said({"groups": [{"name": "g", "rules": [rule]}]})
        kind = "matrix" if question.path.endswith("query_range") else "vector"
        values = vectors.get(asked[parse_qs(question.body.decode())["query"][0]], {})
        rows = [{"metric": {"service": name}, "value": [at, str(value)]} for name, value in values.items()]
        return said({"resultType": kind, "result": rows if kind == "vector" else []})

    def said(data: Any) -> Reply:
        return Reply(orjson.dumps({"status": "success", "data": data}))

    yield Case(
        prometheus_connector.CONNECTOR,
        pair("sre.portal/prometheus-service", "checkout", "search"),
        {(CHECKOUT, "slo.availability.actual_28d"): 0.999, (CHECKOUT, "alerts.paging.without_runbook"): 1},
        handler=answer,
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
    "pagerduty": pagerduty_case,
    "prometheus": prometheus_case,
}
EXCUSED: dict[str, dict[str, str]] = {
    "prometheus": {
        "duplicates_count_once": "a query answers each set of labels once; two rules alike are two rules",
        "a_spoilt_entry_harms_no_other": "an answer with a broken sample is refused whole: the rest may be wrong",
    },
}


@pytest.fixture(scope="module")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with CASES[request.param]() as built:
        yield built


@pytest.mark.parametrize(
    ("case", "scenario"),
    [(name, scenario) for name in CASES for scenario in conformance.scenarios(but=EXCUSED.get(name))],
    indirect=["case"],
)
def test_our_connectors_conform(case: Case, scenario: str) -> None:
    conformance.verify(case, scenario)


class Careful(Connector):
    """A connector that keeps every rule; those below break one each."""

    name = "careful"
    title = "Careful"
    facts = (FactSpec("things.ok", FactType.BOOLEAN, "", "Whether the thing is well.", HOUR),)
    permissions = ("read /things",)

    def check(self, context: PullContext) -> str:
        return f"{len(self.things(context))} things"

    def pull(self, context: PullContext) -> Iterator[Batch]:
        things = {thing.get("id"): thing for thing in self.things(context)}
        for target in context.targets:
            if target.name in things:
                yield Batch([Fact(target.ref, "things.ok", things[target.name]["ok"], context.now)])

    def things(self, context: PullContext) -> list[dict[str, Any]]:
        answer = context.client.get_json("things")
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, "no list of things")
        return [thing for thing in answer if isinstance(thing, dict)]


class AsksForEach(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for _ in context.targets:
            self.things(context)
        yield from super().pull(context)


class Swallows(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        try:
            yield from super().pull(context)
        except PullFailed:
            yield Batch([Fact(target.ref, "things.ok", False, context.now) for target in context.targets])


class Remembers(Careful):
    def __init__(self) -> None:
        self.pulls = 0

    def pull(self, context: PullContext) -> Iterator[Batch]:
        self.pulls += 1
        yield from super().pull(context)


class Blabs(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        secret = (context.base_dir / "secret").read_text()
        yield from super().pull(context)
        yield Batch(faults=[PullFault("things", f"asked with {secret}")])


class Believes(Careful):
    def things(self, context: PullContext) -> list[dict[str, Any]]:
        return list(context.client.get_json("things"))


class Foretells(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        for batch in super().pull(context):
            yield Batch([replace(fact, observed_at=NOW) for fact in batch.facts])


class TrustsItsCursor(Careful):
    def pull(self, context: PullContext) -> Iterator[Batch]:
        if context.cursor:
            datetime.fromisoformat(context.cursor)
        yield from super().pull(context)


def case_of(connector: Connector) -> Case:
    targets = [Target(CHECKOUT, "checkout"), Target(SEARCH, "search")]
    things = [{"id": "checkout", "ok": True}, {"id": "search", "ok": False}]
    return Case(connector, targets, {(CHECKOUT, "things.ok"): True}, answers={"/things": things}, now=NOW)


@pytest.mark.parametrize("scenario", conformance.scenarios())
def test_a_connector_that_keeps_the_rules_passes(scenario: str) -> None:
    conformance.verify(case_of(Careful()), scenario)


@pytest.mark.parametrize(
    ("connector", "scenario", "words"),
    [
        (AsksForEach(), "requests_do_not_grow_with_services", "500 cost"),
        (Swallows(), "revoked_credentials_are_told", "ended well"),
        (Swallows(), "no_permission_is_not_nothing", "ended well"),
        (Swallows(), "an_outage_in_mid_pull_invents_nothing", "is False and was True"),
        (Swallows(), "silence_in_mid_body_is_told", "ended well"),
        (Swallows(), "a_web_page_is_no_answer", "ended well"),
        (Swallows(), "a_huge_body_is_refused", "ended well"),
        (Remembers(), "nothing_is_kept_between_pulls", "keeps something"),
        (Blabs(), "good_answers_give_the_expected", "the secret stands"),
        (Believes(), "a_wrong_shape_is_no_answer", "only PullFailed may"),
        (Foretells(), "a_wrong_clock_brings_no_future", "in the future"),
        (TrustsItsCursor(), "an_odd_cursor_is_as_good_as_none", "only PullFailed may"),
    ],
)
def test_a_broken_rule_is_found(connector: Connector, scenario: str, words: str) -> None:
    with pytest.raises(NotConforming, match=words):
        conformance.verify(case_of(connector), scenario)


class Pages(Careful):
    def things(self, context: PullContext) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := context.client.get_json("things", {"page": str(len(found) + 1)}):
            found += page
        return found


def test_answers_may_come_in_pages() -> None:
    pages = {"1": [{"id": "checkout", "ok": True}], "2": [{"id": "search", "ok": False}]}
    paged = replace(case_of(Pages()), answers={"/things": Paged(pages)}, expected={(SEARCH, "things.ok"): False})
    conformance.verify(paged, "good_answers_give_the_expected")
    conformance.verify(paged, "revoked_credentials_are_told")


def test_a_scenario_is_left_out_only_by_name_and_with_a_reason() -> None:
    assert "duplicates_count_once" not in conformance.scenarios(but={"duplicates_count_once": "there are none"})
    for wrong in ({"no_such_scenario": "why"}, {"duplicates_count_once": ""}):
        with pytest.raises(ValueError, match="reason"):
            conformance.scenarios(but=wrong)


def test_the_page_for_authors_names_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-connectors.md").read_text()
    assert [name for name in conformance.SCENARIOS if f"`{name}`" not in page] == []


def test_the_kit_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import plugins.conformance"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
