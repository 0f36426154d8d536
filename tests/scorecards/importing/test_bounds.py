"""Lines of checklists that name a bound, or that ask of what is around a service, become the rule that they say."""

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_checklists import draft_of, loaded


def only(line, heading="Checklist"):
    [said] = draft_of(f"## {heading}\n\n- [ ] {line}\n").said
    return said


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("Is the change failure rate below 15 %?", "deploys.change_failure_rate_30d < 15%"),
        ("Less than 10% of deployments fail", "deploys.change_failure_rate_30d < 10%"),
        ("Fewer than 2 pages per on-call shift", "alerts.paging.per_shift_30d < 2"),
        ("At most 2 pages per on-call shift", "alerts.paging.per_shift_30d <= 2"),
        ("Code coverage over 80 %", "ci.coverage > 80%"),
        ("Code coverage >= 80%", "ci.coverage >= 80%"),
        (
            "Load tested at 2x the expected peak",
            "loadtest.max_rps >= 2 * traffic.peak_rps_30d and loadtest.last_at younger than 180d",
        ),
        (
            "Load test completed at 3x expected traffic",
            "loadtest.max_rps >= 3 * traffic.peak_rps_30d and loadtest.last_at younger than 180d",
        ),
        (
            "Tested two times expected load / requirement.",
            "loadtest.max_rps >= 2 * traffic.peak_rps_30d and loadtest.last_at younger than 180d",
        ),
        ("Runs at least three replicas", "runtime.replicas >= 3"),
        ("Deployed across 3 availability zones", "runtime.zones >= 3"),
        ("Backups were restored in the last 90 days", "data.restore.last_drill_at younger than 90d"),
        ("The availability SLO is at least 99.95%", "slo.availability.target >= 99.95%"),
        ("Certificates auto-renew", "tls.expires_at at least 30d ahead"),
        (
            "Does the owning team have at least two engineers?",
            "at least 2 of related.owner.hasMember where (kind is user)",
        ),
        ("Every API it exposes has an OpenAPI spec", "every related.providesApi has (spec.definition exists)"),
        ("All dependencies are at level 2", "every related.dependencies has (level >= L2)"),
        ("Dependencies are registered in the catalog", "every related.dependsOn has (in_catalog)"),
    ],
)
def test_a_bound_of_a_line_is_the_bound_of_its_rule(line, rule, tmp_path):
    draft = draft_of(f"- [ ] {line}\n")
    [said] = draft.said
    assert (said.outcome, said.definition["rule"]) == (Outcome.AUTOMATIC, rule)
    assert loaded(draft, tmp_path).checks[said.check].rule


def test_a_sentence_about_what_is_around_names_what_falls_short(tmp_path):
    draft = draft_of("- [ ] Dependencies are registered in the catalog\n")
    check = loaded(draft, tmp_path).checks[draft.said[0].check]
    [key] = check.related
    assert check.fails.endswith(f" These fall short: {{{key}}}.")
    assert key not in check.passes


@pytest.mark.parametrize(
    "line",
    [
        "Backups restored in the last 90 days (RPO 1 h / RTO 4 h)",
        "Each API has an OpenAPI definition and two consumers",
        "The owning team has at least two engineers in every time zone",
        "At least 3 replicas that share no rack",
    ],
)
def test_a_line_that_asks_more_than_the_bound_is_attested(line):
    assert only(line).outcome is Outcome.ATTESTED


def test_an_example_is_no_bound():
    assert only("Availability SLO defined (e.g., 99.9%)").check == "obs.slo.defined"


def test_who_owns_it_is_asked_by_the_catalogue_and_other_open_questions_are_not():
    assert only("Who owns the service?").check == "arch.owner"
    assert only("Who approves the release?").outcome is Outcome.ATTESTED


def test_a_line_that_insists_weighs_even_where_it_only_names_a_topic():
    rows = "| Threat model | P0 |\n| Wiki | P3 |\n| Terraform manages all infrastructure | P0 |\n"
    text = f"| Item | Priority |\n|---|---|\n{rows}"
    made = [one.definition for one in draft_of(text).said]
    assert [(one.get("level"), one.get("criticality")) for one in made] == [
        (2, "blocker"),
        (4, "minor"),
        (2, "blocker"),
    ]


def test_a_heading_that_says_when_tells_no_axis():
    said = only("Database connection pool sized for peak", "Before launch")
    assert said.definition["axis"] == "architecture"


def test_a_checklist_that_stands_as_code_is_read_and_one_beside_tasks_is_not():
    block = "```\n- [ ] Rollback tested\n```\n"
    assert [one.item.text for one in draft_of(f"# Copy this\n\n{block}").said] == ["Rollback tested"]
    assert [one.item.text for one in draft_of(f"- [ ] Real\n\n{block}").said] == ["Real"]


@pytest.mark.parametrize(
    "line",
    [
        "Coverage >= 80% (unit) and >= 60% (integration)",
        "Runs at least three replicas, each restarted within 30 seconds",
        "No critical or high vulnerabilities",
    ],
)
def test_what_a_rule_would_say_but_in_part_is_attested(line):
    assert only(line).outcome is Outcome.ATTESTED
