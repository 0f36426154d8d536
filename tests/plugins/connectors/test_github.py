"""The GitHub connector against a server double that checks each request with GitHub's own document."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from plugins.connectors.github import CONNECTOR
from plugins.contract import FailureKind, PullFailed, Target
from tests.fakes.server import Fault, html
from tests.plugins.connectors.github_pulls import DAY, HOUR, NOW, REF, SLUG, TARGET, context, pull, values
from tests.plugins.connectors.reading import ended, joined

REVIEWS = {"type": "pull_request", "parameters": {"required_approving_review_count": 1}}
CHECKS = {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "test"}]}}


def run(conclusion: str, at: datetime = NOW - DAY) -> dict[str, Any]:
    return ended("conclusion", conclusion, at)


def test_a_ruleset_shows_what_a_change_needs(github):
    github.add(SLUG, protected=True, rules=[REVIEWS, CHECKS])
    found = values(github)
    assert (found["repo.branch.protected"], found["repo.reviews_required"], found["repo.checks_required"]) == (
        True,
        True,
        True,
    )


def test_classic_protection_that_the_token_may_not_see_is_unknown_and_not_missing(github):
    github.add(SLUG, protected=True, contexts=["test"])
    found = values(github)
    assert found["repo.branch.protected"] is True
    assert found["repo.checks_required"] is True
    assert "repo.reviews_required" not in found


def test_classic_protection_is_read_where_it_may_be(github):
    github.add(
        SLUG, protected=True, protection={"required_pull_request_reviews": {"required_approving_review_count": 2}}
    )
    found = values(github)
    assert found["repo.reviews_required"] is True
    assert found["repo.checks_required"] is False


def test_rules_of_several_rulesets_add_up(github):
    none = {"type": "pull_request", "parameters": {"required_approving_review_count": 0}}
    no_checks = {"type": "required_status_checks", "parameters": {"required_status_checks": []}}
    github.check_answers = False  # the document of today knows no rule of the future
    github.add(SLUG, protected=True, rules=[REVIEWS, none, CHECKS, no_checks, {"type": "of the future"}])
    found = values(github)
    assert (found["repo.reviews_required"], found["repo.checks_required"]) == (True, True)


def test_an_empty_repository_has_no_branch_to_tell_of(github):
    github.add(SLUG)
    github.faults.append(Fault(404, '{"message": "Branch not found"}', path=f"/repos/{SLUG}/branches/main"))
    batch = pull(github)
    found = {fact.key: fact.value for fact in batch.facts}
    assert found["deploys.count_30d"] == 0
    assert not found.keys() & {"repo.branch.protected", "repo.reviews_required", "repo.checks_required"}
    assert [fault.scope for fault in batch.faults] == [f"{SLUG}: branch main"]


def test_a_part_that_the_token_may_not_see_is_unknown_and_the_rest_is_told(github):
    github.add(SLUG, protected=True, workflows=["active"], release=NOW - DAY)
    hidden = {"rules/branches": "rules of main", "actions/workflows": "workflows", "deployments": "deployments"}
    for path in hidden:
        body = '{"message": "Resource not accessible by personal access token"}'
        github.faults.append(Fault(403, body, path=f"/repos/{SLUG}/{path}"))
    batch = pull(github)
    assert {fact.key for fact in batch.facts} == {
        "repo.branch.protected",
        "repo.codeowners.present",
        "repo.codeowners.valid",
        "releases.last_at",
    }
    assert [fault.scope for fault in batch.faults] == [f"{SLUG}: {scope}" for scope in hidden.values()]


def test_an_unprotected_branch_is_said_to_be_one(github):
    github.add(SLUG)
    found = values(github)
    assert found["repo.branch.protected"] is False
    assert found["repo.reviews_required"] is False


@pytest.mark.parametrize(
    ("errors", "present", "valid"), [(None, False, False), ([], True, True), ([{"line": 1}], True, False)]
)
def test_code_owners_may_be_missing_wrong_or_right(github, errors, present, valid):
    github.add(SLUG, codeowners=errors)
    found = values(github)
    assert (found["repo.codeowners.present"], found["repo.codeowners.valid"]) == (present, valid)


def test_runs_on_the_default_branch_are_what_ci_is_judged_by(github):
    runs = [run("success"), run("failure", NOW - 2 * DAY), run("cancelled"), run("success", NOW - 40 * DAY)]
    github.add(SLUG, branch="trunk", workflows=["disabled_manually", "active"], runs=runs)
    found = values(github)
    assert found["ci.enabled"] is True
    assert found["ci.tests_last_at"] == "2026-11-21T12:00:00Z"
    assert found["ci.success_ratio_30d"] == 0.5


def test_the_last_success_is_told_however_long_ago_it_was(github):
    github.add(SLUG, runs=[run("success", NOW - 40 * DAY)])
    found = values(github)
    assert found["ci.tests_last_at"] == "2026-10-13T12:00:00Z"
    assert "ci.success_ratio_30d" not in found


def test_without_a_run_nothing_is_said_of_the_tests(github):
    github.add(SLUG)
    found = values(github)
    assert found["ci.enabled"] is False
    assert not found.keys() & {"ci.tests_last_at", "ci.success_ratio_30d", "releases.last_at"}


def test_deployments_make_the_four_dora_measures(github):
    repository = github.add(SLUG)
    github.deploy(SLUG, NOW - 20 * DAY, "a" * 40, "success", "inactive")
    github.deploy(SLUG, NOW - 10 * DAY, "b" * 40, "in_progress", "success", "inactive")
    github.deploy(SLUG, NOW - 9 * DAY, "a" * 40, "success", kind="User", by="ann")
    github.deploy(SLUG, NOW - 8 * DAY, "c" * 40, "failure")
    github.deploy(SLUG, NOW - HOUR, "d" * 40, "in_progress")
    github.deploy(SLUG, NOW - 40 * DAY, "0" * 40, "success")
    github.deploy(SLUG, NOW - DAY, "e" * 40, "success", environment="staging")
    deployed = NOW - 10 * DAY + timedelta(minutes=2)
    repository["commits"][f"{'a' * 40}...{'b' * 40}"] = [deployed - 2 * HOUR, deployed - 4 * HOUR]
    found = values(github)
    assert found["deploys.count_30d"] == 3
    assert found["deploys.failed_30d"] == 1
    assert found["deploys.rolled_back_30d"] == 1
    assert found["deploys.change_failure_rate_30d"] == 0.5
    assert found["deploys.automated_ratio_30d"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["deploys.lead_time_median_30d"] == 3 * 3600
    assert found["deploys.rollback.last_at"] == "2026-11-13T12:01:00Z"


def test_no_deployment_is_no_zero_per_cent(github):
    github.add(SLUG)
    found = values(github)
    assert found["deploys.count_30d"] == 0
    assert "deploys.change_failure_rate_30d" not in found


def test_events_carry_githubs_own_ids(github):
    github.add(SLUG)
    github.deploy(SLUG, NOW - 3 * DAY, "a" * 40, "success")
    github.deploy(SLUG, NOW - 2 * DAY, "b" * 40, "success")
    github.deploy(SLUG, NOW - DAY, "a" * 40, "success")
    github.deploy(SLUG, NOW - HOUR, "c" * 40, "pending")
    first = pull(github)
    assert [event.kind for event in first.events] == [
        "deploy.finished",
        "deploy.finished",
        "deploy.finished",
        "deploy.rolled_back",
    ]
    again = pull(github, cursor=first.cursor)
    assert [event.source_event_id for event in again.events] == [event.source_event_id for event in first.events]


def test_what_came_to_its_end_is_not_asked_for_again(github):
    github.add(SLUG)
    github.deploy(SLUG, NOW - 2 * DAY, "a" * 40, "success")
    pending = github.deploy(SLUG, NOW - DAY, "b" * 40, "in_progress")
    cursor = pull(github).cursor
    github.requests.clear()
    pull(github, cursor=cursor)
    assert [path for path in github.paths() if path.endswith("/statuses")] == [
        f"/repos/{SLUG}/deployments/{pending}/statuses"
    ]


def test_more_deployments_than_a_page_are_read(github):
    github.add(SLUG)
    for number in range(150):
        github.deploy(SLUG, NOW - timedelta(hours=number + 1), f"{number:040x}", "success")
    assert values(github)["deploys.count_30d"] == 150


def test_a_deployment_of_an_odd_shape_ends_no_list(github):
    github.add(SLUG)
    github.deploy(SLUG, NOW - DAY, "a" * 40, "success")
    good = {"id": 1, "created_at": "2026-11-21T12:00:00Z", "environment": "production", "sha": None}
    odd = [{**good, "created_at": None}, {**good, "id": None}, good]
    github.faults.append(Fault(200, json.dumps(odd), path=f"/repos/{SLUG}/deployments"))
    (event,) = pull(github).events
    assert (event.details["revision"], event.details["by"]) == ("", "")


def test_an_empty_page_that_names_another_is_not_the_last(github):
    github.add(SLUG)
    github.deploy(SLUG, NOW - DAY, "a" * 40, "success")
    path = f"/repos/{SLUG}/deployments"
    more = {"Link": f'<{github.url}{path}?per_page=100&page=1>; rel="next"'}
    github.faults.append(Fault(200, "[]", more, path=path))
    assert values(github)["deploys.count_30d"] == 1


@pytest.mark.parametrize("status", [404, 410, 451])
def test_a_repository_that_was_taken_down_costs_only_itself(github, status):
    other = Target("component:default/search", "search", {"github.com/project-slug": "acme/search"})
    for slug in (SLUG, "acme/search"):
        github.add(slug)
    github.faults.append(Fault(status, '{"message": "Repository access blocked"}', path=f"/repos/{SLUG}"))
    batch = pull(github, targets=(TARGET, other))
    assert {fact.ref for fact in batch.facts} == {other.ref}
    assert [fault.scope for fault in batch.faults] == [f"repository {SLUG}"]


def test_a_run_stays_within_its_cost_and_the_next_goes_on(github):
    targets = []
    for number in range(9):
        slug = f"acme/s{number}"
        github.add(slug)
        targets.append(Target(f"component:default/s{number}", f"s{number}", {"github.com/project-slug": slug}))
    seen: set[str] = set()
    cursor = None
    for _ in range(4):
        batch = pull(github, targets=tuple(targets), cursor=cursor, requests_per_run=20)
        refs = {fact.ref for fact in batch.facts}
        assert 0 < len(refs) <= 3
        assert not refs & seen or len(seen) >= 7
        seen |= refs
        cursor = batch.cursor
    assert len(seen) == 9


def test_services_of_one_repository_are_read_once(github):
    github.add(SLUG)
    other = Target("component:default/other", "other", TARGET.annotations)
    assert {fact.ref for fact in pull(github, targets=(TARGET, other)).facts} == {REF, other.ref}
    assert github.paths().count(f"/repos/{SLUG}") == 1


def test_a_repository_that_is_gone_keeps_no_other_from_being_read(github):
    github.add(SLUG)
    gone = Target("component:default/gone", "gone", {"github.com/project-slug": "acme/gone"})
    wrong = Target("component:default/wrong", "wrong", {"github.com/project-slug": "https://github.com/acme/x"})
    batch = pull(github, targets=(TARGET, gone, wrong))
    assert {fact.ref for fact in batch.facts} == {REF}
    assert sorted(fault.scope for fault in batch.faults) == ["component:default/wrong", "repository acme/gone"]


def test_when_none_can_be_read_the_pull_fails(github):
    with pytest.raises(PullFailed, match="it answers, but shows the credentials no repository") as failed:
        pull(github)
    assert failed.value.kind is FailureKind.PERMISSION


@pytest.mark.parametrize(
    ("question", "fact"), [("/actions/workflows", "ci.enabled"), ("/codeowners/errors", "repo.codeowners.valid")]
)
def test_an_object_of_another_kind_tells_nothing(github, question, fact):
    github.add(SLUG, codeowners=[], workflows=["active"])
    assert values(github)[fact] is True
    github.faults.append(Fault(200, '{"status": "ok"}', path=f"/repos/{SLUG}{question}"))
    batch = pull(github)
    assert fact not in {one.key for one in batch.facts}
    assert [one.scope.partition(": ")[0] for one in batch.faults] == [SLUG]


def test_the_rate_limit_ends_the_run_as_such(github):
    github.add(SLUG)
    github.faults.append(Fault(403, "{}", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}))
    with pytest.raises(PullFailed) as failed:
        pull(github)
    assert failed.value.kind is FailureKind.RATE_LIMITED


@pytest.mark.parametrize(
    "words",
    [
        "You have exceeded a secondary rate limit. Please wait a few minutes.",
        "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.",
        "API Rate Limit Exceeded",
    ],
)
def test_a_limit_that_is_told_in_words_alone_ends_the_run_for_a_minute(github, words):
    github.add(SLUG)
    body = json.dumps({"message": words})
    github.faults.append(Fault(403, body, {"x-ratelimit-remaining": "4000"}, path=f"/repos/{SLUG}/deployments"))
    with pytest.raises(PullFailed) as failed:
        pull(github)
    assert (failed.value.kind, failed.value.retry_after_seconds) == (FailureKind.RATE_LIMITED, 60)


def test_a_deployment_of_somebody_who_was_deleted_and_one_that_was_deleted_itself(github):
    github.add(SLUG)
    github.deploy(SLUG, NOW - 2 * DAY, "a" * 40, "success", creator=None)
    gone = github.deploy(SLUG, NOW - DAY, "b" * 40, "success")
    github.faults.append(Fault(404, "{}", path=f"/repos/{SLUG}/deployments/{gone}/statuses"))
    found = values(github)
    assert found["deploys.count_30d"] == 1
    assert "deploys.automated_ratio_30d" not in found


def test_a_cursor_that_cannot_be_read_is_as_good_as_none(github):
    github.add(SLUG)
    for cursor in ("", "x", "[]", '{"deployments": {"a/b": [[1]]}}', '{"read_at": 5}'):
        assert values(github, cursor=cursor)["deploys.count_30d"] == 0


def test_the_check_tells_a_hidden_repository_from_a_wrong_token(github):
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(github))
    assert failed.value.kind is FailureKind.PERMISSION
    github.add(SLUG)
    assert "4999 requests left" in CONNECTOR.check(context(github))
    github.token = "another"
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(github))
    assert failed.value.kind is FailureKind.CREDENTIALS


def test_the_check_tells_another_product_from_a_github(github):
    github.faults.append(Fault(200, "{}"))
    with pytest.raises(PullFailed, match="no rate limit of a GitHub") as failed:
        CONNECTOR.check(context(github))
    assert failed.value.kind is FailureKind.BAD_ANSWER


@pytest.mark.parametrize("fault", [html(), Fault(200, "[]")])
def test_an_answer_of_another_shape_is_a_bad_answer(github, fault):
    github.faults.append(fault)
    with pytest.raises(PullFailed) as failed:
        pull(github)
    assert failed.value.kind is FailureKind.BAD_ANSWER


def test_a_whole_reading_asks_again_for_what_had_failed_and_was_tried_again(github):
    repository = github.add(SLUG)
    github.deploy(SLUG, NOW - DAY, "a" * 40, "failure")
    known = pull(github).cursor
    github.deploy(SLUG, NOW - DAY, "a" * 40, "failure", "success", id=1)
    del repository["deployments"][0]
    assert values(github, cursor=known)["deploys.failed_30d"] == 1
    again = joined(CONNECTOR, replace(context(github, cursor=known), reconcile=True))
    found = {fact.key: fact.value for fact in again.facts}
    assert (found["deploys.failed_30d"], found["deploys.count_30d"]) == (0, 1)
    assert [event.kind for event in again.events] == ["deploy.finished"]
