"""The Argo CD connector against a server double that holds both sides to Argo CD's own document."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plugins.connectors.argocd import CONNECTOR
from plugins.connectors.argocd.deploys import MAX_REMEMBERED
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.argocd import ArgoCd, rfc3339
from tests.fakes.server import Fault, html

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
TARGET = Target(REF, "checkout", {"argocd/app-name": "checkout"})


@pytest.fixture
def argocd(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoCd]:
    monkeypatch.setenv("ARGOCD_TOKEN", "fake-token")
    fake = ArgoCd(shared("specs", "argocd.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def context(fake: ArgoCd, targets=(TARGET,), options=None, **parts: Any) -> PullContext:
    auth = SourceAuth(token=Secret("${ARGOCD_TOKEN}"))
    limits = parts.pop("limits", Limits(attempts=1))
    return PullContext(
        source="argocd",
        client=SourceClient(fake.url, auth, limits),
        options=CONNECTOR.options_schema().load(options or {}),
        targets=targets,
        **({"now": NOW} | parts),
    )


def pull(fake: ArgoCd, targets=(TARGET,), options=None, **parts: Any) -> Batch:
    """Pull everything and return it as one batch."""
    batches = list(CONNECTOR.pull(context(fake, targets, options, **parts)))
    assert [b.cursor for b in batches[:-1]] == [None] * (len(batches) - 1), "the cursor comes last: a kill repeats all"
    return Batch(
        facts=[f for b in batches for f in b.facts],
        events=[e for b in batches for e in b.events],
        faults=[f for b in batches for f in b.faults],
        unmatched=[u for b in batches for u in b.unmatched],
        cursor=batches[-1].cursor,
    )


def values(batch: Batch, ref: str = REF) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


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


def test_a_return_to_an_earlier_revision_is_a_rollback_of_the_deploy_before(argocd):
    argocd.add("checkout")
    for revision, days in (("a", 9), ("b", 8), ("c", 7), ("a", 6), ("a", 5), ("d", 4)):
        argocd.sync("checkout", revision, days_ago(days))

    batch = pull(argocd)

    back = [e for e in batch.events if e.kind == "deploy.rolled_back"]
    assert [(e.occurred_at, e.details["revision"], e.details["undone_revision"]) for e in back] == [
        (days_ago(6), "a", "c")
    ]
    found = values(batch)
    assert found["deploys.rolled_back_30d"] == 1
    assert found["deploys.change_failure_rate_30d"] == pytest.approx(1 / 6)
    assert found["deploys.rollback.last_at"] == rfc3339(days_ago(6))


def test_a_rollback_by_hand_names_the_commit_instead_of_the_branch_and_is_seen(argocd):
    application = argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(3))
    argocd.sync("checkout", "b", days_ago(2))
    application["spec"]["source"]["targetRevision"] = "a"
    argocd.sync("checkout", "a", days_ago(1), automated=False)
    assert values(pull(argocd))["deploys.rolled_back_30d"] == 1


def test_other_helm_parameters_at_the_same_revision_are_another_deploy(argocd):
    application = argocd.add("checkout")
    for image, days in (("1.0", 3), ("1.1", 2), ("1.0", 1)):
        application["spec"]["source"]["helm"] = {"parameters": [{"name": "image.tag", "value": image}]}
        argocd.sync("checkout", "main-commit", days_ago(days))
    assert values(pull(argocd))["deploys.rolled_back_30d"] == 1


def test_a_failed_sync_is_an_event_once_and_a_failed_change(argocd):
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(9))
    argocd.fail("checkout", "b", days_ago(1), phase="Error")
    first = pull(argocd)
    second = pull(argocd, cursor=first.cursor, now=NOW + timedelta(minutes=5))

    failed = [e for e in first.events if e.kind == "deploy.failed"]
    assert [(e.occurred_at, e.details["revision"]) for e in failed] == [(days_ago(1), "b")]
    assert [e.source_event_id for e in second.events] == [failed[0].source_event_id], "stable: the history drops it"
    assert values(second)["deploys.change_failure_rate_30d"] == 0.5


def test_a_failed_sync_is_still_counted_when_the_next_one_succeeded(argocd):
    argocd.add("checkout")
    argocd.fail("checkout", "b", days_ago(2))
    first = pull(argocd)
    assert values(first)["deploys.change_failure_rate_30d"] == 1
    del argocd.applications["checkout"]["status"]["operationState"]
    argocd.sync("checkout", "b", days_ago(1))
    assert values(pull(argocd, cursor=first.cursor))["deploys.change_failure_rate_30d"] == 0.5


def test_deploys_that_argocd_dropped_are_still_counted(argocd):
    argocd.add("checkout")
    cursor = None
    for day in range(25, 0, -1):
        argocd.sync("checkout", f"r{day}", days_ago(day))
        cursor = pull(argocd, cursor=cursor, now=days_ago(day - 0.5)).cursor
    assert len(argocd.applications["checkout"]["status"]["history"]) == 10

    found = values(pull(argocd, cursor=cursor))

    assert found["deploys.count_30d"] == 25
    assert found["deploys.history_days"] == 30


def test_a_count_is_marked_as_a_lower_bound_when_deploys_were_lost(argocd):
    argocd.add("checkout")
    for day in range(25, 0, -1):
        argocd.sync("checkout", f"r{day}", days_ago(day))
    found = values(pull(argocd))
    assert found["deploys.count_30d"] == 10
    assert found["deploys.history_days"] == 10, "the oldest of the ten kept is ten days old"


def test_a_gap_between_two_pulls_shortens_the_known_window(argocd):
    argocd.add("checkout")
    for day in range(29, 24, -1):
        argocd.sync("checkout", f"r{day}", days_ago(day))
    cursor = pull(argocd, now=days_ago(24)).cursor
    for hour in range(12):
        argocd.sync("checkout", f"h{hour}", days_ago(8) + timedelta(hours=hour))
    found = values(pull(argocd, cursor=cursor))
    assert found["deploys.count_30d"] == 15
    assert found["deploys.history_days"] == pytest.approx(8 - 2 / 24, abs=0.01)


def test_what_is_remembered_leaves_after_thirty_days_and_is_bounded(argocd):
    argocd.add("checkout")
    for minute in range(MAX_REMEMBERED + 50):
        argocd.sync("checkout", f"r{minute}", days_ago(20) + timedelta(minutes=minute), limit=1000)
    first = pull(argocd)
    assert values(first)["deploys.count_30d"] == MAX_REMEMBERED + 50
    assert len(first.cursor) < 50 * MAX_REMEMBERED
    argocd.applications["checkout"]["status"]["history"] = []
    later = pull(argocd, cursor=first.cursor, now=NOW + timedelta(days=11))
    assert values(later)["deploys.count_30d"] == 0
    assert values(later)["deploys.last_at"]


def test_an_event_is_offered_once_and_again_to_a_service_that_claims_later(argocd):
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(9))
    first = pull(argocd)
    assert pull(argocd, cursor=first.cursor).events == []

    newcomer = Target("component:default/basket", "basket", {"argocd/app-name": "checkout"})
    argocd.sync("checkout", "b", days_ago(1))
    second = pull(argocd, (TARGET, newcomer), cursor=first.cursor)
    assert [(e.ref, e.details["revision"]) for e in second.events] == [
        (REF, "b"),
        (newcomer.ref, "a"),
        (newcomer.ref, "b"),
    ]
    ids = [e.source_event_id for e in [*first.events, *second.events]]
    assert len(set(ids)) == len(ids)


def test_a_recreated_application_starts_a_new_history(argocd):
    argocd.add("checkout", uid="one")
    argocd.sync("checkout", "a", days_ago(9))
    first = pull(argocd)
    argocd.add("checkout", uid="two")
    argocd.sync("checkout", "a", days_ago(1))
    second = pull(argocd, cursor=first.cursor)
    assert len(second.events) == 1
    assert second.events[0].source_event_id != first.events[0].source_event_id
    assert values(second)["deploys.count_30d"] == 1


def test_a_history_that_began_anew_under_the_same_uid_is_not_mixed_with_the_old_one(argocd):
    argocd.add("checkout")
    for day in (9, 8, 7):
        argocd.sync("checkout", f"r{day}", days_ago(day))
    first = pull(argocd)
    argocd.applications["checkout"]["status"]["history"] = []
    argocd.sync("checkout", "new", days_ago(1))
    second = pull(argocd, cursor=first.cursor)
    assert [e.details["revision"] for e in second.events] == ["new"]
    assert values(second)["deploys.count_30d"] == 1


@pytest.mark.parametrize("cursor", ["", "no json", "[]", '{"applications": {"uid-checkout": {"deploys": [[1]]}}}'])
def test_a_cursor_that_cannot_be_read_is_a_first_pull(argocd, cursor):
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(9))
    assert len(pull(argocd, cursor=cursor).events) == 1


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


def test_an_application_that_keeps_no_history_has_no_counts(argocd):
    argocd.add("checkout")["spec"]["revisionHistoryLimit"] = 0
    assert set(values(pull(argocd))) == {"deploys.auto_sync", "deploys.sync_status", "deploys.health"}


def test_a_multi_source_application_names_every_revision(argocd):
    application = argocd.add("checkout", status={"history": None})
    application["status"]["history"] = [
        {"id": 0, "revisions": ["1.2.3", "c" * 40], "sources": [{}, {}], "deployedAt": rfc3339(days_ago(1))}
    ]
    batch = pull(argocd)
    assert batch.events[0].summary == "argocd/checkout deployed 1.2.3, cccccccc"
    assert "deploys.automated_ratio_30d" not in values(batch), "an old server does not say who began it"


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


def test_the_history_cannot_be_had_by_field_selection(argocd):
    """Why the pull reads whole applications: the server's `fields` knows no history."""
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(1))
    answer = context(argocd).client.get_json(
        "api/v1/applications", {"fields": "items.metadata.name,items.status.history"}
    )
    assert answer["items"] == [{"metadata": {"name": "checkout"}}]


def test_projects_and_selector_narrow_the_list(argocd):
    argocd.add("checkout", project="shop", labels={"env": "prod"})
    argocd.add("basket", project="shop", labels={"env": "test"})
    argocd.add("billing", project="money", labels={"env": "prod"})
    argocd.add("other", project="else", labels={"env": "prod"})
    batch = pull(argocd, options={"projects": ["shop", "money"], "selector": "env=prod"})
    assert batch.unmatched == ["argocd/billing"]
    assert len(argocd.requests) == 2


def test_events_link_to_the_user_interface(argocd):
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(1))
    batch = pull(argocd, options={"ui_url": "https://argocd.example/"})
    assert batch.events[0].link == "https://argocd.example/applications/argocd/checkout"


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


def test_check_tells_an_empty_list_from_a_good_one(argocd):
    with pytest.raises(PullFailed, match="needs `applications, get`"):
        CONNECTOR.check(context(argocd))
