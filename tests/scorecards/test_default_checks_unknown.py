"""Every check of the default catalogue where something is not known: the cause, and how to come to know it."""

import pytest

from scorecards.checks.definitions import Status
from tests.scorecards.samples import (
    DAY,
    GOOD,
    HEALTHY,
    NOW,
    QUILL,
    SOURCE_OF,
    catalogue,
    neighbour,
    reading,
    readings,
    state,
    subject,
    verdict,
)
from tests.scorecards.test_default_checks import PASSES


def _supplied_facts():
    return [
        (check.id, key)
        for check in catalogue().checks.values()
        for key in check.facts
        if key in GOOD and check.id != "cap.storage"
    ]


@pytest.mark.parametrize(("check", "key"), _supplied_facts())
def test_a_fact_that_is_not_observed_makes_its_checks_unknown_with_cause_and_remedy(check, key):
    result = verdict(check, {key: None})
    assert result.status is Status.UNKNOWN
    assert result.sentence.startswith("Cannot be judged. ")
    assert key in result.sentence or "does not know this service" in result.sentence
    assert [cause.fact for cause in result.causes] == [key]
    assert result.remedy


@pytest.mark.parametrize(("check", "key"), _supplied_facts())
def test_a_stale_fact_makes_its_checks_unknown_and_shows_what_was_seen(check, key):
    observed = readings() | readings({key: GOOD[key]}, age=2 * DAY)
    result = verdict(check, observed=observed)
    assert result.status is Status.UNKNOWN
    assert f"{key} was last observed by {SOURCE_OF[key]} at 2026-11-20 12:00 UTC" in result.sentence
    used = next(fact for fact in result.facts if fact.evidence.key == key)
    assert used.evidence.state == "stale"
    assert used.evidence.value is not None


@pytest.mark.parametrize(("check", "key"), _supplied_facts())
def test_a_fact_of_the_wrong_type_makes_its_checks_unknown(check, key):
    result = verdict(check, observed=readings() | {key: [reading(key, {"not": "a value"})]})
    assert result.status is Status.UNKNOWN
    assert f"reports a value for {key} that is a dict" in result.sentence


@pytest.mark.parametrize("check", [check for check, _ in PASSES])
def test_without_any_source_a_check_is_unknown_and_names_the_plugin_that_would_supply_its_facts(check):
    result = verdict(check, observed={}, sources={}, neighbours={QUILL: neighbour(facts={})}, of=subject())
    assert result.status is Status.UNKNOWN
    for cause in result.causes:
        assert cause.sentence.startswith(
            ("No configured source supplies", "The catalog does not state", "The dependency")
        )


def test_a_failing_source_is_named_with_its_message_and_since_when():
    dead = HEALTHY | {
        "prometheus": state(
            "prometheus",
            state="failing",
            last_success_at=NOW.replace(day=20),
            failure_kind="unreachable",
            failure_message="connection refused by prom:9090",
        )
    }
    result = verdict("obs.burn_alert", {"alerts.slo_burn.count": None}, sources=dead)
    assert result.status is Status.UNKNOWN
    assert result.sentence == (
        "Cannot be judged. The source prometheus has been failing since its last success at 2026-11-20 12:00 UTC "
        "(unreachable: connection refused by prom:9090)."
    )
    assert result.remedy == ("Mend the source prometheus; `portal sources check prometheus` shows whether it answers.",)


def test_a_source_that_fails_takes_nothing_from_an_observation_that_is_still_fresh():
    dead = HEALTHY | {"prometheus": state("prometheus", state="failing", failure_kind="timeout")}
    assert verdict("obs.burn_alert", sources=dead).status is Status.PASS


def test_a_source_that_never_ran_or_was_interrupted_says_so():
    for given, words in (
        ({"state": "never_ran", "last_success_at": None}, "The source prometheus has not finished a run yet."),
        ({"state": "interrupted"}, "The last run of the source prometheus was interrupted."),
    ):
        sources = HEALTHY | {"prometheus": state("prometheus", **given)}
        assert words in verdict("cap.limits", {"runtime.resources.set": None}, sources=sources).sentence


def test_a_part_of_a_pull_that_failed_is_the_cause_of_its_fact_alone():
    fault = {"scope": "runtime.resources.set", "message": "bad_data: parse error"}
    sources = HEALTHY | {"prometheus": state("prometheus", faults=1, fault_sample=(fault,))}
    hit = verdict("cap.limits", {"runtime.resources.set": None}, sources=sources)
    assert "could not answer for runtime.resources.set in its last run: bad_data: parse error" in hit.sentence
    other = verdict("cap.autoscale", {"runtime.autoscaler.enabled": None}, sources=sources)
    assert "knows this service, but reports no runtime.autoscaler.enabled" in other.sentence


def test_a_service_that_a_source_does_not_know_is_told_which_annotation_ties_it():
    facts = {key: value for key, value in GOOD.items() if SOURCE_OF[key] != "argocd"}
    result = verdict("chg.config", observed=readings(facts))
    assert result.sentence == "Cannot be judged. The source argocd does not know this service."
    assert result.remedy == ("Tie the service to argocd: set the annotation `argocd/name`.",)


def test_a_failure_rate_of_few_deploys_is_no_verdict():
    result = verdict("chg.cfr", {"deploys.count_30d": 9, "deploys.change_failure_rate_30d": 0.0})
    assert result.status is Status.UNKNOWN
    assert result.sentence == "Deploys in 30 days: 9; a failure rate means something from 10 on."


def test_an_slo_without_metrics_does_not_pass_for_having_them_all_on_the_dashboard():
    result = verdict("obs.slo.on_dashboard", {"slo.metrics": []})
    assert result.status is Status.UNKNOWN
    assert result.sentence == "No metric could be read from the queries of the SLO."


def test_a_dependency_without_a_known_slo_leaves_the_comparison_unknown_and_names_it():
    result = verdict("arch.deps_slo", neighbours={QUILL: neighbour(facts={"slo.latency.target": 0.9})})
    assert result.status is Status.UNKNOWN
    assert f"The dependency {QUILL} has no known slo.availability.target" in result.sentence


def test_a_dependency_that_the_catalog_lacks_is_named():
    result = verdict("arch.deps_slo", neighbours={})
    assert result.status is Status.UNKNOWN
    assert f"{QUILL} is not in the catalog" in result.sentence


def test_a_confirmation_dated_in_the_future_confirms_nothing():
    result = verdict("arch.criticality", {"catalog.criticality_confirmed_at": "2029-01-01T00:00:00Z"})
    assert result.status is Status.UNKNOWN
    assert "lies in the future" in result.sentence
