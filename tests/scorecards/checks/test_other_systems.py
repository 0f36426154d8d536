"""The default checks whose facts other systems supply, and those that only a person can answer."""

import re
from datetime import timedelta

import pytest

from scorecards.checks.definitions import Criticality, Status
from scorecards.checks.vocabulary import PORTAL_RECORDS, SYSTEMS, VOCABULARY
from scorecards.evaluation import judge
from scorecards.evidence.causes import CauseKind, Supply
from scorecards.evidence.view import Reading, View
from tests.conftest import shared
from tests.scorecards.samples import MINUTE, NOW, SPECS, catalogue, subject

GOOD = {
    "deps.undeclared_ratio": 0.05,
    "deps.batch_class_edges": 0,
    "fw.module.traffic": True,
    "fw.components.registered": True,
    "fw.conformance.pass": True,
    "fw.version.supported": True,
    "chaos.dep_failure.last_pass_at": "2026-09-01T00:00:00Z",
    "data.backup.last_success_at": "2026-11-22T01:00:00Z",
    "data.restore.last_drill_at": "2026-09-01T00:00:00Z",
    "metrics.labels.missing": [],
    "logs.central.last_event_at": "2026-11-22T11:00:00Z",
    "logs.conformant_ratio": 0.99,
    "dlp.findings_30d": 0,
    "probes.count": 2,
    "monitoring.deadman": True,
    "oncall.schedule.id": "P123",
    "oncall.escalation.levels": 2,
    "oncall.members": 8,
    "oncall.sites": 1,
    "alerts.paging.actionable_ratio_30d": 0.95,
    "incidents.sev12_90d": 2,
    "incidents.max_budget_share_28d": 0.1,
    "postmortems.missing_90d": 0,
    "postmortems.actions.p0p1_overdue": 0,
    "postmortems.p0_linked": False,
    "exercises.last_at": "2026-09-01T00:00:00Z",
    "capacity.forecast.horizon_days": 200,
    "capacity.forecast.updated_at": "2026-10-01T00:00:00Z",
    "capacity.headroom_zone_loss": 0.1,
    "capacity.per_instance_rps": 120.0,
    "loadtest.last_at": "2026-10-01T00:00:00Z",
    "loadtest.max_rps": 1500.0,
    "traffic.peak_rps_30d": 1000.0,
    "traffic.loadshed.present": True,
    "ci.enabled": True,
    "ci.tests_last_at": "2026-11-20T00:00:00Z",
    "deploys.canary": True,
    "deploys.max_step_pct_30d": 25,
    "deps.vuln.critical_over_30d": 0,
    "ebp.approved_by": ["dev_lead", "sre_lead"],
    "ebp.violations_90d": 0,
    "launches.open.checklist_pct": 100,
    "launches.last.stages": ["canary", "full"],
    "cost.per_1k_req_30d": 1.1,
    "cost.per_1k_req_prev": 1.0,
}
FAILS = [
    (
        "arch.deps_match",
        {"deps.undeclared_ratio": 0.2},
        "Of the calls observed, 20 % go to services that are not declared; at most 10 % may.",
    ),
    ("arch.serving_instance", {"deps.batch_class_edges": 2}, "User requests go to backends of batch class: 2."),
    (
        "arch.timeouts",
        {"fw.module.traffic": False},
        "It does not use the traffic module of the framework, which would set timeouts and retries.",
    ),
    (
        "arch.degrade",
        {"chaos.dep_failure.last_pass_at": "2026-01-01T00:00:00Z"},
        "It last passed a test with a failing dependency 2026-01-01 (325 days ago); one in 180 days is asked for.",
    ),
    (
        "arch.restore",
        {"data.backup.last_success_at": "2026-11-19T00:00:00Z"},
        "The last backup that succeeded is of 2026-11-19 (3 days ago); one every 2 days is asked for.",
    ),
    ("arch.components", {"fw.components.registered": False}, "Its components are not registered with the framework."),
    ("obs.dimensions", {"metrics.labels.missing": ["zone"]}, "Standard labels that its metrics lack: zone."),
    (
        "obs.central_errors",
        {"logs.central.last_event_at": "2026-11-20T00:00:00Z"},
        "The central logs last heard of it 2026-11-20 (2 days ago); an event within 1 day is asked for.",
    ),
    (
        "obs.reqlog",
        {"logs.conformant_ratio": 0.5},
        "Of its request logs, 50 % are in the standard format; at least 95 % are asked for.",
    ),
    ("obs.no_secrets", {"dlp.findings_30d": 3}, "Secrets or personal data found in its logs in 30 days: 3."),
    ("obs.probe", {"probes.count": 0}, "Probes from outside: 0; at least 1 is asked for."),
    ("obs.probe", {"monitoring.deadman": False}, "Nothing notices when its monitoring is down."),
    ("er.rotation", {"oncall.schedule.id": ""}, "No schedule says who is on call."),
    ("er.rotation", {"oncall.escalation.levels": 1}, "Levels of escalation: 1; at least 2 are asked for."),
    (
        "er.rotation_size",
        {"oncall.members": 7},
        "In the rotation: 7 people; sites: 1. At one site 8 are asked for, at two 12.",
    ),
    (
        "er.rotation_size",
        {"oncall.members": 11, "oncall.sites": 2},
        "In the rotation: 11 people; sites: 2. At one site 8 are asked for, at two 12.",
    ),
    (
        "er.actionable",
        {"alerts.paging.actionable_ratio_30d": 0.5},
        "Of the pages of 30 days, 50 % were actionable; at least 90 % are asked for.",
    ),
    (
        "er.postmortem",
        {"postmortems.missing_90d": 1},
        "Incidents of severity 1 or 2 in 90 days: 2; postmortems missing after 14 days: 1.",
    ),
    ("er.actions", {"postmortems.actions.p0p1_overdue": 1}, "Follow-ups of priority P0 or P1 that are overdue: 1."),
    (
        "er.drill",
        {"exercises.last_at": "2026-01-01T00:00:00Z"},
        "The last exercise was 2026-01-01 (325 days ago); one in 180 days is asked for.",
    ),
    (
        "cap.forecast",
        {"capacity.forecast.horizon_days": 90},
        "The forecast reaches 90 days ahead; at least 180 days are asked for.",
    ),
    (
        "cap.load_test",
        {"loadtest.max_rps": 1499.0},
        "The load test reached 1499 requests/s; at least 1.5 times the peak of 1000 requests/s is asked for.",
    ),
    (
        "cap.zone_loss",
        {"capacity.headroom_zone_loss": -0.1},
        "After the loss of the largest zone the headroom is -10 % of the peak: it does not fit.",
    ),
    (
        "cap.overload",
        {"fw.module.traffic": False},
        "It does not use the traffic module of the framework, which would export the overload signal.",
    ),
    ("cap.loadshed", {"traffic.loadshed.present": False}, "Load shedding is not configured."),
    ("chg.ci", {"ci.enabled": False}, "CI is not set up for it."),
    (
        "chg.progressive",
        {"deploys.max_step_pct_30d": 50},
        "The largest step of 30 days was 50 percent at once; at most 25 percent is allowed.",
    ),
    ("chg.vulns", {"deps.vuln.critical_over_30d": 2}, "Critical vulnerabilities older than 30 days: 2."),
    (
        "chg.budget_policy",
        {"ebp.approved_by": ["sre_lead"]},
        "The policy is signed by: sre_lead; the dev lead and the sre lead have to sign.",
    ),
    (
        "chg.launch",
        {"launches.last.stages": ["full"]},
        "The launch had neither a dark launch nor a canary; its stages: full.",
    ),
    (
        "chg.launch",
        {"launches.open.checklist_pct": 40},
        "40 percent of the launch checklist is done; all of it is asked for.",
    ),
    ("chg.conformance", {"fw.version.supported": False}, "Its version of the framework is no longer supported."),
    (
        "perf.big_incident",
        {"incidents.max_budget_share_28d": 0.4},
        "An incident took 40 % of the error budget of 28 days, more than 20 %, and no P0 action is linked to it.",
    ),
    (
        "perf.efficiency",
        {"cost.per_1k_req_30d": 1.3},
        "1000 requests cost 1.3, more than 1.2 times the 1 of 90 days before.",
    ),
]
ATTESTED_ONLY = {"arch.net_qos": 365, "er.controls": 180}
ATTESTED_TOO = {
    "arch.criticality": 180,
    "arch.serving_instance": 365,
    "arch.timeouts": 180,
    "arch.degrade": 180,
    "obs.user_failures": 180,
    "obs.no_secrets": 180,
    "er.drill": 180,
    "chg.config": 365,
}
OF_DATA_AND_FRAMEWORKS = [
    ("arch.restore", "It is not tagged `stateful`, and no source has seen data of its own."),
    ("arch.components", "It is built on no framework"),
    ("chg.conformance", "It is built on no framework"),
    ("chg.launch", "No launch is planned or on record."),
]


def verdict(check, changes=None, facts=GOOD, of=None):
    supply = Supply({**VOCABULARY, **SPECS}, {}, {})
    observed = {
        key: [Reading("other", value, NOW - MINUTE, NOW)]
        for key, value in {**facts, **(changes or {})}.items()
        if value is not None
    }
    return judge(catalogue().checks[check], of or subject(), View(observed, supply, NOW), NOW)


def measured():
    return sorted({check for check, *_ in FAILS})


@pytest.mark.parametrize("check", measured())
def test_a_check_passes_on_good_facts_of_another_system(check):
    result = verdict(check)
    assert result.status is Status.PASS
    assert "{" not in result.sentence
    assert "unknown" not in result.sentence


@pytest.mark.parametrize(("check", "changes", "sentence"), FAILS)
def test_a_check_fails_on_a_bad_fact_and_says_which(check, changes, sentence):
    result = verdict(check, changes)
    assert (result.status, result.sentence) == (Status.FAIL, sentence)
    assert result.remedy == catalogue().checks[check].steps_for(changes)


@pytest.mark.parametrize("check", measured())
def test_without_the_system_a_check_is_unknown_and_names_the_kind_that_would_supply_it(check):
    of = subject(fields={"annotations.sre.portal/framework": "stagecraft"})
    if check == "chg.launch":
        return  # it is asked only where a launch was observed
    result = verdict(check, facts={}, of=of)
    assert result.status is Status.UNKNOWN
    for cause in result.causes:
        assert cause.kind is CauseKind.NO_SOURCE
        described = VOCABULARY[cause.fact].description
        called = f"{cause.fact} ({described[:1].lower()}{described[1:]})"
        told = f"No configured source supplies {called}; {SYSTEMS[cause.fact]} would"
        if SYSTEMS[cause.fact] == PORTAL_RECORDS:
            told = f"Nothing is recorded here that says {called}, and no source supplies it"
        assert told.lower() in result.sentence.lower()


@pytest.mark.parametrize(("check", "sentence"), OF_DATA_AND_FRAMEWORKS)
def test_a_check_that_does_not_arise_says_so(check, sentence):
    result = verdict(check, facts={}, of=subject(tags=()))
    assert result.status is Status.NOT_APPLICABLE
    assert result.sentence.startswith(sentence)


def test_a_large_incident_with_its_p0_passes():
    changes = {"incidents.max_budget_share_28d": 0.4, "postmortems.p0_linked": True}
    assert verdict("perf.big_incident", changes).status is Status.PASS


def test_without_large_incidents_no_postmortem_is_asked_for():
    assert verdict("er.postmortem", {"incidents.sev12_90d": 0, "postmortems.missing_90d": None}).status is Status.PASS


def test_what_no_fact_can_show_is_attested():
    checks = catalogue().checks
    alone = {name: check.attested_for.days for name, check in checks.items() if check.rule is None}
    assert alone == ATTESTED_ONLY
    both = {name: check.attested_for.days for name, check in checks.items() if check.rule and check.attested_for}
    assert both == ATTESTED_TOO
    for name in (*alone, *both):
        assert checks[name].confirms
        assert checks[name].attested_for > timedelta()


def test_the_whole_catalogue_is_tested_here_or_beside():
    from tests.scorecards.test_default_checks import PASSES

    assert {*measured(), *ATTESTED_ONLY, *(check for check, _ in PASSES)} == set(catalogue().checks)


def test_ids_levels_weights_and_criticalities_are_those_of_the_domain():
    words = {"B": Criticality.BLOCKER, "M": Criticality.MAJOR, "m": Criticality.MINOR}
    rows = re.findall(r"^\| (\w+\.[\w.]+) \|.*\| L(\d),(\d),([BMm]) \|", shared("domain.md").read_text(), re.MULTILINE)
    wanted = {name: (int(level), int(weight), words[word]) for name, level, weight, word in rows}
    found = {name: (check.level, check.weight, check.criticality) for name, check in catalogue().checks.items()}
    assert len(rows) == 57
    assert found == wanted


def test_performance_has_its_three_parts():
    parts = {name: check.group for name, check in catalogue().checks.items() if check.group}
    assert set(parts.values()) == set(catalogue().groups) == {"availability", "latency", "efficiency"}
    assert all(name.startswith("perf.") for name in parts)
