"""`portal scorecards` as a person or a program uses it."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import select

from portal_backend.commands import common
from portal_backend.commands import scorecards as command
from portal_backend.core import clock
from scorecards.judging import init_app
from scorecards.models import Scorecard
from scorecards.scorecard import update
from tests.scorecards.conftest import REF
from tests.scorecards.known_checks import judge_by_known
from tests.scorecards.samples import DAY, NOW


@pytest.fixture
def judging(judging, app):
    """The checks that the sample company has evidence for, whatever else the default catalogue asks."""
    return judge_by_known(judging, app)


@pytest.fixture
def portal(app, company, session, monkeypatch):
    """Let the commands act on the test's database instead of a configured one."""
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    monkeypatch.setattr(command, "console", Console(width=100))
    company.observe({"dashboard.metrics": ["http_requests_total"], "runtime.replicas": 1}, now=NOW)
    update(session, company.judging, None, NOW)
    session.commit()

    def run(*arguments):
        monkeypatch.setattr(command, "console", Console(width=120))
        return CliRunner().invoke(command.scorecards, arguments)

    return run


def test_show_tells_a_person_where_she_stands_why_and_what_to_do_first(portal):
    result = portal("show", "Shakespeare")
    assert result.exit_code == 0, result.output
    text = result.output
    assert "At L1 (registered, basic): 2 levels below the L3 that T1 asks for." in text
    assert re.search(r"All together +│ L1 ", text)
    assert "First things to do" in text
    assert text.index("1. (hours) “SLO metrics are on the dashboard”") < text.index(
        "2. (days) “Survives the loss of a machine and of a zone”"
    )
    assert "The dashboard lacks metrics that the SLO rests on: http_request_duration_seconds_bucket." in text
    assert "→ Add a panel for each metric named here to the service's dashboard." in text
    assert "runtime.replicas = 1 from prometheus, observed 2026-11-22T12:00:00Z, fresh" in text
    assert "Rollback is automated and practised" not in text
    assert "Rollback is automated and practised" in portal("show", REF, "--all").output


def test_show_tells_what_will_count_and_does_not_pass(portal, company, app):
    checks = dict(company.judging.catalogue.checks)
    checks["arch.redundancy"] = replace(checks["arch.redundancy"], enforce_from=(NOW + 30 * DAY).date())
    init_app(app, replace(company.judging, catalogue=replace(company.judging.catalogue, checks=checks, version="2")))
    text = portal("show", "Shakespeare").output
    assert "1 more check that does not pass will count from 2026-12-22 on (arch.redundancy)." in " ".join(text.split())
    assert "in shadow, counts from 2026-12-22" in " ".join(text.split())
    checks["arch.redundancy"] = replace(checks["arch.redundancy"], enforce_from=None, enforce_until=NOW.date())
    init_app(app, replace(company.judging, catalogue=replace(company.judging.catalogue, checks=checks, version="3")))
    text = portal("show", "Shakespeare").output
    assert "in shadow" in text
    assert "will count" not in text


def test_show_prints_the_whole_scorecard_for_programs(portal):
    card = json.loads(portal("show", REF, "--json").stdout)
    assert (card["ref"], card["level"], len(card["results"])) == (REF, "L1", 25)


@pytest.mark.parametrize("ref", ["nobody", "component:default/ink", "a:b/"])
def test_what_is_no_service_ends_with_two_and_says_so(portal, ref):
    result = portal("show", ref)
    assert result.exit_code == 2
    assert "Could not run" in result.stderr
    assert portal("evaluate", ref).exit_code == 2


def test_evaluate_judges_again_and_finds_who_is_below_the_required_level(portal, company, session):
    company.observe({"runtime.replicas": 3}, now=NOW)
    session.execute(Scorecard.__table__.delete())
    session.commit()
    result = portal("evaluate", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["judged"], answer["below_required"]) == (2, 2)
    assert {change["cause"] for change in answer["changes"]} == {"first_judged"}
    session.expire_all()
    assert len(session.scalars(select(Scorecard.entity_ref)).all()) == 2


def test_evaluate_of_one_service_leaves_the_others_alone(portal):
    result = portal("evaluate", "shakespeare")
    assert result.exit_code == 1
    assert "1 services judged, 1 below the level" in result.output


def test_checks_lists_them_all(portal):
    assert len(json.loads(portal("checks", "--json").stdout)) == 25
    assert portal("checks").exit_code == 0
