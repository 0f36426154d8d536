"""`portal scorecards validate` and `portal scorecards simulate`."""

import json
import re
from dataclasses import replace
from datetime import date

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import update

from portal_backend.cli import main
from portal_backend.commands import common
from portal_backend.core import clock
from scorecards import scorecard
from scorecards.judging import init_app
from scorecards.models import Scorecard
from tests.scorecards.conftest import REF
from tests.scorecards.samples import NOW

STRICTER = {"overrides": [{"check": "cap.saturation", "change": {"thresholds": {"most": "1%"}, "level": 1}}]}


@pytest.fixture
def portal(app, company, session, monkeypatch):
    """Let the commands act on the test's database instead of a configured one."""
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    session.commit()
    return lambda *arguments: CliRunner().invoke(main, ["scorecards", *map(str, arguments)])


@pytest.fixture
def stricter(tmp_path):
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump(STRICTER))
    return file


def validate(*arguments):
    return CliRunner().invoke(main, ["scorecards", "validate", *map(str, arguments)])


def test_good_files_are_valid_without_any_database(stricter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = validate(stricter, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["valid"], found["checks"], found["faults"]) == (True, 57, [])
    assert not list(tmp_path.glob("data*"))


def test_every_fault_is_told_with_file_check_and_field(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org.yaml").write_text("- {id: org.x, rule: 'repo.covrage > 3'}\n- {id: org.y}\n")
    result = validate("org.yaml", "--json")
    assert result.exit_code == 1
    faults = json.loads(result.stdout)["faults"]
    assert {
        "file": "org.yaml",
        "check": "org.x",
        "path": "title",
        "message": "Missing data for required field.",
    } in faults
    assert {fault["check"] for fault in faults} == {"org.x", "org.y"}
    for_people = validate("org.yaml")
    assert for_people.exit_code == 1
    assert "org.yaml: org.x: title" in for_people.output
    assert validate("gone.yaml").exit_code == 2


def test_a_file_is_held_against_the_files_that_the_catalogue_has_already(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks").mkdir()
    facts = {"facts": [{"key": "org.privacy", "type": "boolean", "description": "Privacy was looked at"}]}
    (tmp_path / "checks" / "facts.yaml").write_text(yaml.safe_dump(facts))
    change = {"question": "Was it?", "rule": "org.privacy", "fails": "No.", "passes": "Yes."}
    change |= {"needs": None, "thresholds": None}
    override = {"overrides": [{"check": "chg.cfr", "change": change}]}
    file = tmp_path / "checks" / "own.yaml"
    file.write_text(yaml.safe_dump(override))
    assert "org.privacy" in validate(file).output
    (tmp_path / "portal.yaml").write_text("scorecards: {checks: [checks]}\n")
    assert validate(file).exit_code == 0, validate(file).output
    file.write_text("facts: 3\n")  # today's file of the same name gives way to it
    assert validate(file).exit_code == 1


def test_a_change_is_told_to_a_person(portal, stricter):
    result = portal("simulate", stricter, "--service", "shakespeare")
    assert "Checks: 1 changed. Of 1 service, 1 would change" in result.output
    assert "cap.saturation pass → fail" in result.output
    assert f"{REF} " in result.output


def test_a_change_is_told_to_a_program_and_ends_with_one_when_a_service_would_fall(portal, stricter):
    result = portal("simulate", stricter, "--json")
    found = json.loads(result.stdout)
    assert found["judged"] == 2
    assert result.exit_code == (1 if found["levels"]["lowered"] else 0)


def test_what_cannot_be_simulated_ends_with_two(portal, stricter, tmp_path):
    (tmp_path / "bad.yaml").write_text("- {id: org.x}")
    assert portal("simulate", tmp_path / "bad.yaml").exit_code == 2
    assert portal("simulate", stricter, "--service", "a:b/").exit_code == 2
    for more in ([], ["--weeks", "2"]):
        typo = portal("simulate", stricter, "--service", "shakspeare", *more)
        assert (typo.exit_code, "no service component:default/shakspeare" in typo.stderr) == (2, True)
    assert portal("simulate", stricter, "--without", "nothing.yaml").exit_code == 2


def test_a_change_that_is_in_place_already_is_not_taken_for_none(portal, company, session, stricter):
    scorecard.update(session, company.judging, None, NOW)
    session.commit()
    assert "judged by other checks" not in portal("simulate", stricter).stderr
    session.execute(update(Scorecard).values(catalogue_version="before"))
    session.commit()
    result = portal("simulate", stricter)
    assert "Services were last judged by other checks than portal.yaml names now" in result.stderr
    assert "judged by other checks" not in result.stdout


def test_a_service_that_changes_by_weights_alone_is_told_with_its_percent(portal, tmp_path):
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump({"overrides": [{"check": "cap.limits", "change": {"weight": 1}}]}))
    lines = portal("simulate", file).stdout.splitlines()
    assert any(re.search(r"component:default/\w+ L\d → L\d  [0-9.]+ % → [0-9.]+ %$", line) for line in lines), lines


def test_a_check_that_leaves_its_shadow_is_named_where_it_moves_a_service(portal, company, app, tmp_path):
    catalogue = company.judging.catalogue
    shadow = replace(catalogue.checks["obs.slo.defined"], enforce_from=date(2027, 1, 15))
    checks = {**catalogue.checks, "obs.slo.defined": shadow}
    init_app(app, replace(company.judging, catalogue=replace(catalogue, checks=checks)))
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump({"overrides": [{"check": "obs.slo.defined", "change": {"weight": 4}}]}))
    lines = portal("simulate", file).stdout.splitlines()
    assert any(re.search(r"^component:default/\w+ L.* obs\.slo\.defined (\w+) in shadow → \1$", line) for line in lines)


def test_the_past_weeks_are_told_one_by_one(portal, stricter):
    result = portal("simulate", stricter, "--weeks", "2", "--service", "shakespeare", "--json")
    assert result.exit_code in (0, 1), result.output
    found = json.loads(result.stdout)
    assert [point["at"] for point in found["points"]] == ["2026-11-15T12:00:00Z", "2026-11-22T12:00:00Z"]
    assert [point["before"]["percent"] for point in found["points"]][0] == 0
    assert found["points"][1]["before"]["percent"] > found["points"][1]["after"]["percent"]
    told = portal("simulate", "--weeks", "2")
    assert told.exit_code in (0, 1), told.output
    assert "2026-11-15" in told.output
    assert portal("simulate").exit_code == 2
