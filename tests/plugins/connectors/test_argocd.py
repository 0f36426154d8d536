"""The Argo CD connector against a server double that holds both sides to Argo CD's own document."""

from datetime import timedelta

import pytest

from plugins.connectors.argocd import CONNECTOR
from plugins.contract import FailureKind, PullFailed, Target
from plugins.http_client import Limits
from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fault, html
from tests.plugins.connectors.argocd_pulls import NOW, REF, TARGET, context, days_ago, pull, values


def test_a_deployed_service_gets_its_facts_and_events(argocd):
    application = argocd.add("checkout")
    application["status"]["resources"] = [
        {"kind": "Deployment", "name": "checkout", "status": "Synced"},
        {"kind": "Service", "name": "checkout", "status": "OutOfSync"},
        {"kind": "Job", "name": "migrate", "status": "OutOfSync", "hook": True},
    ]
    application["status"]["reconciledAt"] = rfc3339(NOW - timedelta(minutes=2))
    argocd.sync("checkout", "a" * 40, days_ago(9))
    argocd.sync("checkout", "b" * 40, days_ago(3), automated=False)

    batch = pull(argocd)

    assert values(batch) == {
        "deploys.count_30d": 2,
        "deploys.history_days": 30,
        "deploys.automated_ratio_30d": 0.5,
        "deploys.rolled_back_30d": 0,
        "deploys.change_failure_rate_30d": 0,
        "deploys.last_at": rfc3339(days_ago(3)),
        "deploys.sync_status": "Synced",
        "deploys.health": "Healthy",
        "deploys.auto_sync": True,
        "iac.coverage_ratio": 0.5,
    }
    observed = {fact.key: fact.observed_at for fact in batch.facts}
    assert observed["deploys.health"] == NOW - timedelta(minutes=2)
    assert observed["deploys.count_30d"] == NOW
    assert [(e.kind, e.occurred_at, e.summary) for e in batch.events] == [
        ("deploy.finished", days_ago(9), "argocd/checkout deployed aaaaaaaa by Argo CD"),
        ("deploy.finished", days_ago(3), "argocd/checkout deployed bbbbbbbb by ada"),
    ]
    assert batch.events[0].details["duration_seconds"] == 20
    assert batch.faults == []


def test_every_fact_is_declared_with_its_type(argocd):
    argocd.add("checkout")["status"]["resources"] = [{"name": "x", "status": "Synced"}]
    for revision, days in (("a", 5), ("b", 4), ("a", 3)):
        argocd.sync("checkout", revision, days_ago(days))
    specs = {spec.key: spec for spec in CONNECTOR.facts}
    types = {"boolean": bool, "integer": int, "number": (int, float), "string": str, "datetime": str}
    facts = pull(argocd).facts
    assert {fact.key for fact in facts} == set(specs)
    for fact in facts:
        assert isinstance(fact.value, types[specs[fact.key].type]), fact


def test_several_applications_of_one_service_show_the_worst(argocd):
    target = Target(REF, "checkout", {"argocd/app-selector": "app=checkout, env=prod"})
    argocd.add("eu", labels={"app": "checkout", "env": "prod"})
    argocd.add(
        "us",
        labels={"app": "checkout", "env": "prod"},
        automated=False,
        status={"sync": {"status": "OutOfSync"}, "health": {"status": "Degraded"}},
    )
    argocd.add("test", labels={"app": "checkout", "env": "test"})
    argocd.sync("eu", "a", days_ago(2))
    argocd.sync("us", "a", days_ago(1), automated=False)

    batch = pull(argocd, (target,))

    found = values(batch)
    assert found["deploys.sync_status"] == "OutOfSync"
    assert found["deploys.health"] == "Degraded"
    assert found["deploys.auto_sync"] is False
    assert found["deploys.count_30d"] == 2
    assert found["deploys.automated_ratio_30d"] == 0.5
    assert batch.unmatched == ["argocd/test"]


def test_the_namespace_annotation_tells_applications_of_one_name_apart(argocd):
    argocd.add("checkout", namespace="team-a")
    twin = argocd.add("checkout-twin", namespace="team-b", status={"health": {"status": "Degraded"}})
    twin["metadata"]["name"] = "checkout"
    target = Target(REF, "checkout", {"argocd/app-name": "checkout", "argocd/app-namespace": "team-b"})
    assert values(pull(argocd, (target,)))["deploys.health"] == "Degraded"


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"argocd/app-name": "nowhere"}, "does not list"),
        ({"argocd/app-selector": "app in (a,b)"}, "not of the form label=value"),
        ({"argocd/app-selector": ""}, "not of the form label=value"),
        ({"argocd/app-selector": "app=x", "argocd/app-name": "checkout"}, "keep one of them"),
    ],
)
def test_a_claim_that_comes_to_nothing_is_named(argocd, annotations, message):
    argocd.add("checkout")
    batch = pull(argocd, (Target(REF, "checkout", annotations),))
    assert [fault.scope for fault in batch.faults] == [REF]
    assert message in batch.faults[0].message
    assert batch.facts == []


def test_an_application_without_a_status_supplies_only_what_is_known(argocd):
    argocd.add("checkout", status={})
    assert values(pull(argocd)) == {
        "deploys.auto_sync": True,
        "deploys.count_30d": 0,
        "deploys.history_days": 30,
        "deploys.rolled_back_30d": 0,
    }


def test_one_broken_application_does_not_hide_the_others(argocd):
    argocd.check_answers = False
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(2))
    history = argocd.applications["checkout"]["status"]["history"]
    history.append({"id": 1, "revision": "b", "deployedAt": "yesterday"})
    history.append({"id": 2, "revision": "c", "deployedAt": "0001-01-01T00:00:00+09:00"})
    history.append("rubbish")
    argocd.add("broken")["status"] = {"resources": 7}
    argocd.applications["nameless"] = {"metadata": None, "spec": {"project": "default"}}

    batch = pull(argocd)

    assert values(batch)["deploys.count_30d"] == 1
    assert sorted(fault.scope for fault in batch.faults) == ["broken", "checkout", "checkout", "checkout", "item 2"]


def test_five_thousand_services_cost_one_request_like_five(argocd):
    argocd.check_answers = False
    made = []
    for size in (5, 5000):
        for number in range(size):
            argocd.add(f"app-{number}")
        targets = [Target(f"component:default/s{n}", f"s{n}", {"argocd/app-name": f"app-{n}"}) for n in range(size)]
        asked = context(argocd, targets)
        found = [fact for batch in CONNECTOR.pull(asked) for fact in batch.facts]
        assert len({fact.ref for fact in found}) == size
        made.append(asked.client.requests_made)
    assert made == [1, 1]


def test_projects_and_selector_narrow_the_list(argocd):
    argocd.add("checkout", project="shop", labels={"env": "prod"})
    argocd.add("basket", project="shop", labels={"env": "test"})
    argocd.add("billing", project="money", labels={"env": "prod"})
    argocd.add("other", project="else", labels={"env": "prod"})
    batch = pull(argocd, options={"projects": ["shop", "money"], "selector": "env=prod"})
    assert batch.unmatched == ["argocd/billing"]
    assert len(argocd.requests) == 2


def test_an_empty_list_where_services_claim_applications_is_a_missing_permission(argocd):
    with pytest.raises(PullFailed, match="applications, get") as failure:
        pull(argocd)
    assert failure.value.kind is FailureKind.PERMISSION
    assert pull(argocd, targets=()).faults == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(401, '{"error": "token expired"}'), FailureKind.CREDENTIALS),
        (Fault(403, '{"error": "permission denied"}'), FailureKind.PERMISSION),
        (Fault(429, "", {"Retry-After": "7"}), FailureKind.RATE_LIMITED),
        (Fault(500, "boom"), FailureKind.BAD_ANSWER),
        (html(), FailureKind.BAD_ANSWER),
        (Fault(200, ""), FailureKind.BAD_ANSWER),
        (Fault(200, '"a string"'), FailureKind.BAD_ANSWER),
        (Fault(200, '{"items": {"a": 1}}'), FailureKind.BAD_ANSWER),
        (Fault(200, '{"status": "ok", "data": [1]}'), FailureKind.BAD_ANSWER),
        (Fault(200, "[]"), FailureKind.BAD_ANSWER),
        (Fault(200, "{}"), FailureKind.PERMISSION),
        (Fault(200, '{"metadata": {}, "items": null}'), FailureKind.PERMISSION),
        (Fault(200, b" " * 200, delay_seconds=0.05), FailureKind.TIMEOUT),
    ],
)
def test_a_source_that_fails_says_how_and_yields_nothing(argocd, fault, kind):
    argocd.faults.append(fault)
    with pytest.raises(PullFailed) as failure:
        pull(argocd, limits=Limits(attempts=1, total_seconds=1))
    assert failure.value.kind is kind
    assert "fake-token" not in failure.value.message


def test_a_pull_waits_out_a_rate_limit(argocd):
    argocd.add("checkout")
    argocd.faults.append(Fault(429, "", {"Retry-After": "0"}))
    assert values(pull(argocd, limits=Limits(attempts=2)))
    assert len(argocd.requests) == 2


def test_check_says_what_answered_and_who_found_theirs(argocd):
    argocd.add("checkout")
    argocd.add("other")
    lost = Target("component:default/lost", "lost", {"argocd/app-name": "nowhere"})
    sentence = CONNECTOR.check(context(argocd, (TARGET, lost)))
    assert sentence.startswith("Argo CD lists 2 applications; 2 services carry")
    assert sentence.endswith("1 of them found theirs")


def test_check_says_when_no_service_finds_its_application(argocd):
    argocd.add("other")
    with pytest.raises(PullFailed, match="none of the 1 services that name some found theirs") as failure:
        CONNECTOR.check(context(argocd))
    assert failure.value.kind is FailureKind.MISCONFIGURED
    assert REF in failure.value.message


def test_check_tells_an_empty_list_from_a_good_one(argocd):
    with pytest.raises(PullFailed, match="needs `applications, get`"):
        CONNECTOR.check(context(argocd))
