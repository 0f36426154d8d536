"""Every check of the default catalogue, with all its verdicts and what a person is told."""

from typing import Any

import pytest

from scorecards.checks.catalogue import DEFAULT_CHECKS
from scorecards.checks.definitions import Axis, Criticality, Status
from tests.scorecards.samples import (
    catalogue,
    subject,
    verdict,
)

PASSES = [
    ("arch.owner", "The owner is in the directory; contact: bard@example.org."),
    ("arch.criticality", "Criticality T1, confirmed 2026-10-01 (52 days ago)."),
    ("arch.design_doc", "The design document was reviewed 2026-06-01 (174 days ago)."),
    ("arch.deps_slo", "The weakest dependency promises 99.99 %; this service promises 99.95 %."),
    ("arch.tier_inversion", "Its least critical dependency is T1, the service itself T1."),
    ("arch.redundancy", "Replicas: 4, over 3 zones."),
    ("obs.slo.defined", "99.95 % available over 28 days, owned by bards."),
    ("obs.slo.latency", "99 % of the requests are promised to be fast enough."),
    (
        "obs.slo.on_dashboard",
        "The dashboard shows every metric of the SLO: http_request_duration_seconds_bucket, http_requests_total.",
    ),
    ("obs.golden", "All four golden signals are exported."),
    ("obs.burn_alert", "Alerts on the burn rate: 2."),
    ("obs.user_failures", "Every SLO has an alert on its burn rate."),
    ("er.runbook", "Every paging alert has a runbook; they were reviewed 2026-09-01 (82 days ago)."),
    ("er.page_load", "Pages a shift, mean of 30 days: 0.5; at most 2 are allowed."),
    ("er.oncall_scope", "Every paging alert names the team that answers it."),
    ("cap.limits", "Requests and limits are set for CPU and memory."),
    ("cap.autoscale", "It scales out by itself."),
    ("cap.saturation", "95th percentile of 30 days: CPU 45 %, memory 60 %; at most 70 % is allowed."),
    ("cap.storage", "The storage lasts for 400 days at the present growth."),
    ("chg.deploy_auto", "Automated deploys in 30 days: 100 %."),
    ("chg.rollback", "A revert rolls back by itself; the last rollback was 2026-10-10 (43 days ago)."),
    ("chg.config", "Of its resources, 100 % are as the repository has them; at least 95 % are asked for."),
    ("chg.cfr", "Failed changes in 30 days: 4 % of 25; at most 15 % is allowed."),
    ("perf.availability", "99.96 % of the requests were good in 28 days; 99.95 % are promised."),
    ("perf.latency", "99.5 % of the requests were fast enough in 28 days; 99 % are promised."),
]

FAILS: list[tuple[str, dict[str, Any], str]] = [
    (
        "arch.owner",
        {"catalog.owner.in_directory": False},
        "The catalog has no group or user of the name that the service gives as its owner.",
    ),
    ("arch.owner", {"catalog.contact": ""}, "The contact is empty."),
    ("arch.criticality", {"catalog.criticality": "gold"}, "gold is no criticality; T0, T1, T2 and T3 are."),
    (
        "arch.criticality",
        {"catalog.criticality_confirmed_at": "2026-03-01T00:00:00Z"},
        "The criticality was last confirmed 2026-03-01 (266 days ago); it is to be confirmed every 180 days.",
    ),
    (
        "arch.design_doc",
        {"docs.design.updated_at": "2025-11-20T00:00:00Z"},
        "The design document was last reviewed 2025-11-20 (367 days ago); it is to be reviewed every 365 days.",
    ),
    (
        "arch.deps_slo",
        {"slo.availability.target": 0.99995},
        "The weakest dependency promises 99.99 % only, while this service promises 99.995 %.",
    ),
    (
        "arch.tier_inversion",
        {"deps.hard.worst_criticality": "T3"},
        "It is T1, but depends on a service that is only T3.",
    ),
    ("arch.redundancy", {"runtime.replicas": 2}, "Replicas: 2; at least 3 are asked for."),
    (
        "arch.redundancy",
        {"runtime.replicas": 1, "runtime.zones": 1},
        "Replicas: 1; at least 3 are asked for. Zones: 1; at least 2 are asked for.",
    ),
    ("obs.slo.defined", {"slo.count": 0}, "No SLO is defined."),
    ("obs.slo.defined", {"slo.owner": ""}, "The SLO names no owner."),
    ("obs.slo.defined", {"slo.window_days": 0}, "The SLO's window is 0 days."),
    ("obs.slo.latency", {"slo.latency.target": 0.0}, "The latency target is 0 %."),
    (
        "obs.slo.on_dashboard",
        {"dashboard.metrics": ["http_requests_total"]},
        "The dashboard lacks metrics that the SLO rests on: http_request_duration_seconds_bucket.",
    ),
    (
        "obs.golden",
        {"metrics.signals.present": 3, "metrics.signals.missing": ["saturation"]},
        "Of the four golden signals, 3 are exported. Missing: saturation.",
    ),
    ("obs.burn_alert", {"alerts.slo_burn.count": 0}, "No alert pages on the burn rate of the SLO."),
    (
        "obs.user_failures",
        {"alerts.sli_coverage_ratio": 0.5},
        "Of the SLOs, 50 % have an alert on their burn rate; all must.",
    ),
    ("er.runbook", {"alerts.paging.without_runbook": 3}, "Paging alerts without a runbook: 3."),
    (
        "er.runbook",
        {"docs.runbook.reviewed_at": "2026-01-01T00:00:00Z"},
        "The runbooks were last reviewed 2026-01-01 (325 days ago); they are to be reviewed every 180 days.",
    ),
    (
        "er.page_load",
        {"alerts.paging.count_30d": 121},
        "Pages a shift, mean of 30 days: 2.02; more than 2 cannot be borne.",
    ),
    ("er.oncall_scope", {"alerts.paging.unrouted": 1}, "Paging alerts that name no team: 1."),
    (
        "cap.limits",
        {"runtime.resources.set": False},
        "CPU or memory requests or limits are not set on some container.",
    ),
    ("cap.autoscale", {"runtime.autoscaler.enabled": False}, "No autoscaler is set up for it."),
    (
        "cap.saturation",
        {"runtime.mem.p95_30d": 0.7004},
        "Memory: 70.04 % at the 95th percentile of 30 days; at most 70 % is allowed.",
    ),
    (
        "cap.storage",
        {"storage.days_to_full": 12.5},
        "The storage is full in 12.5 days at the present growth; at least 90 days are asked for.",
    ),
    (
        "chg.deploy_auto",
        {"deploys.automated_ratio_30d": 0.9496},
        "Automated deploys in 30 days: 94.96 %; at least 95 % are asked for.",
    ),
    (
        "chg.rollback",
        {"deploys.auto_sync": False},
        "Rollback is not automated: what is merged (and so a revert) waits for a hand to deploy it.",
    ),
    (
        "chg.rollback",
        {"deploys.rollback.last_at": "2026-08-01T00:00:00Z"},
        "The last rollback was 2026-08-01 (113 days ago); one in 90 days is asked for.",
    ),
    (
        "chg.config",
        {"iac.coverage_ratio": 0.8},
        "Of its resources, 80 % are as the repository has them; at least 95 % are asked for.",
    ),
    (
        "chg.cfr",
        {"deploys.change_failure_rate_30d": 0.2},
        "Failed changes in 30 days: 20 % of 25; at most 15 % is allowed.",
    ),
    (
        "perf.availability",
        {"slo.availability.actual_28d": 0.9994},
        "99.94 % of the requests were good in 28 days; 99.95 % are promised.",
    ),
    (
        "perf.latency",
        {"slo.latency.actual_28d": 0.98996},
        "98.996 % of the requests were fast enough in 28 days; 99 % are promised.",
    ),
]

NOT_APPLICABLE = [
    ("arch.deps_slo", {"service_dependencies": ()}, {}, "The catalog lists no service that this one depends on."),
    ("arch.tier_inversion", {"service_dependencies": ()}, {}, "The catalog lists no service that this one depends on."),
    ("obs.slo.latency", {"tags": ("batch",)}, {}, "It is tagged `batch`: nobody waits for its answers."),
    ("perf.latency", {"tags": ("batch",)}, {}, "It is tagged `batch`: nobody waits for its answers."),
    (
        "cap.storage",
        {"tags": ()},
        {"storage.days_to_full": None},
        "It is not tagged `stateful`, and no source has seen storage of its own.",
    ),
]


def test_the_catalogue_has_the_checks_of_every_axis():
    checks = catalogue().checks.values()
    assert {check.axis for check in checks} == set(Axis)
    assert (len(checks), len(PASSES)) == (57, 25)
    assert catalogue().highest_level == 4


@pytest.mark.parametrize(
    ("check", "level", "weight", "criticality"),
    [
        ("arch.owner", 1, 5, "B"),
        ("arch.criticality", 1, 3, "M"),
        ("arch.design_doc", 1, 3, "M"),
        ("arch.deps_slo", 2, 4, "M"),
        ("arch.tier_inversion", 3, 4, "M"),
        ("arch.redundancy", 2, 4, "B"),
        ("obs.slo.defined", 1, 5, "B"),
        ("obs.slo.latency", 2, 3, "M"),
        ("obs.slo.on_dashboard", 2, 5, "B"),
        ("obs.golden", 1, 4, "M"),
        ("obs.burn_alert", 2, 4, "B"),
        ("obs.user_failures", 3, 4, "B"),
        ("er.page_load", 3, 4, "M"),
        ("er.runbook", 2, 4, "B"),
        ("er.oncall_scope", 2, 3, "M"),
        ("cap.limits", 1, 3, "M"),
        ("cap.autoscale", 2, 3, "M"),
        ("cap.saturation", 2, 3, "M"),
        ("cap.storage", 2, 3, "M"),
        ("chg.deploy_auto", 1, 4, "B"),
        ("chg.rollback", 2, 5, "B"),
        ("chg.cfr", 3, 3, "M"),
        ("chg.config", 2, 3, "M"),
        ("perf.availability", 2, 5, "B"),
        ("perf.latency", 2, 4, "M"),
    ],
)
def test_level_weight_and_criticality_are_those_of_the_domain(check, level, weight, criticality):
    found = catalogue().checks[check]
    words = {"B": Criticality.BLOCKER, "M": Criticality.MAJOR}
    assert (found.level, found.weight, found.criticality) == (level, weight, words[criticality])


@pytest.mark.parametrize(("check", "sentence"), PASSES)
def test_a_check_passes_on_good_facts_and_says_so(check, sentence):
    result = verdict(check)
    assert (result.status, result.sentence) == (Status.PASS, sentence)
    assert result.facts
    assert result.remedy == ()
    assert all(fact.evidence.observed_at for fact in result.facts)


MADE_OF = {"deploys.auto_sync": "deploys.rollback.automated"}
"""Facts that another is derived from, which the rule looks at."""


@pytest.mark.parametrize(("check", "changes", "sentence"), FAILS)
def test_a_check_fails_on_a_bad_fact_and_says_which_and_how_to_mend_it(check, changes, sentence):
    result = verdict(check, changes)
    assert (result.status, result.sentence) == (Status.FAIL, sentence)
    failing = {MADE_OF.get(key, key) for key in changes}
    assert result.remedy == catalogue().checks[check].steps_for(failing)


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"docs.runbook.reviewed_at": "2026-01-01T00:00:00Z"}, ["Walk through"]),
        ({"alerts.paging.without_runbook": 3}, ["Give every"]),
        ({"alerts.paging.without_runbook": 3, "docs.runbook.reviewed_at": "2026-01-01T00:00:00Z"}, ["Give", "Walk"]),
    ],
)
def test_the_remedy_mends_the_condition_that_fails_and_no_other(changes, first):
    remedy = verdict("er.runbook", changes).remedy
    assert len(remedy) == len(first)
    assert all(step.startswith(words) for step, words in zip(remedy, first, strict=True))


def test_every_check_is_seen_failing():
    assert {check for check, *_ in FAILS} == {check for check, _ in PASSES}


@pytest.mark.parametrize(("check", "service", "changes", "sentence"), NOT_APPLICABLE)
def test_a_check_that_does_not_apply_says_why(check, service, changes, sentence):
    result = verdict(check, changes, of=subject(**service))
    assert (result.status, result.sentence) == (Status.NOT_APPLICABLE, sentence)


def test_storage_applies_to_whatever_has_storage_tagged_or_not():
    assert verdict("cap.storage", of=subject(tags=())).status is Status.PASS
    assert verdict("cap.storage", {"storage.days_to_full": 3.0}, of=subject(tags=())).status is Status.FAIL


def test_a_fail_is_no_pass_for_want_of_other_evidence():
    result = verdict("er.runbook", {"alerts.paging.without_runbook": 2, "docs.runbook.reviewed_at": None})
    assert result.status is Status.FAIL
    assert [cause.fact for cause in result.causes] == ["docs.runbook.reviewed_at"]


def test_every_check_says_where_it_is_explained():
    text = (DEFAULT_CHECKS.parents[1] / "docs" / "checks.md").read_text()
    for check in catalogue().checks.values():
        file, _, anchor = check.guide.partition("#")
        assert file == "docs/checks.md"
        assert f'<a id="{anchor}"></a>' in text


def test_a_source_is_one_source_whatever_commas_its_name_has():
    sources = {source.partition(",")[0] for check in catalogue().checks.values() for source in check.sources}
    assert sources == {
        *("SRE book", "SRE workbook", "Google CRE", "DORA", "S. Fowler", "H. Jacobs (Zalando)", "kgoralski"),
        *("Mercari production readiness checklist", "GitLab readiness review", "OpsLevel"),
    }
