"""Deploys, rollbacks and failed syncs out of Argo CD's short histories, and what is remembered of them."""

from datetime import timedelta

import pytest

from plugins.connectors.argocd.deploys import MAX_REMEMBERED
from plugins.contract import Target
from tests.fakes.argocd import rfc3339
from tests.plugins.connectors.argocd_pulls import NOW, REF, TARGET, context, days_ago, pull, values


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


def test_the_history_cannot_be_had_by_field_selection(argocd):
    """Why the pull reads whole applications: the server's `fields` knows no history."""
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(1))
    answer = context(argocd).client.get_json(
        "api/v1/applications", {"fields": "items.metadata.name,items.status.history"}
    )
    assert answer["items"] == [{"metadata": {"name": "checkout"}}]


def test_events_link_to_the_user_interface(argocd):
    argocd.add("checkout")
    argocd.sync("checkout", "a", days_ago(1))
    batch = pull(argocd, options={"ui_url": "https://argocd.example/"})
    assert batch.events[0].link == "https://argocd.example/applications/argocd/checkout"
