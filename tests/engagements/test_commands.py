"""`portal engagements` as a person or a program uses it."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from engagements import history, support
from engagements.history import NewEvent
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage_lists.refresh import refresh
from portal_backend.commands import common
from portal_backend.commands.engagements import engagements
from portal_backend.core import clock
from tests.engagements.conftest import MANAGER, NOW, component, ref


@pytest.fixture
def portal(app, catalog_of, session, judging, monkeypatch):
    """Let the commands act on the test's database, with two services in it."""
    catalog_of(component("globe", annotations={"criticality": "T1"}), component("rose"))
    support.adopt(session, [SupportRecord(ref("rose"), Tier.FULL_SRE, NOW, "mia", "early", "active")], MANAGER, NOW)
    deploys = [NewEvent(ref("globe"), "deploy.finished", NOW, "argocd", f"d{n}", f"Deploy {n}") for n in range(3)]
    history.record(session, deploys, NOW)
    refresh(session, judging, None, clock.now())
    session.commit()
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    monkeypatch.setattr(common.console, "size", (250, 100))
    return lambda *arguments: CliRunner().invoke(engagements, [str(argument) for argument in arguments])


def test_triage_shows_both_lists_and_on_demand_every_term(portal):
    result = portal("triage")
    assert result.exit_code == 0, result.output
    assert "component:default/globe" in result.stdout
    assert "component:default/rose" in result.stdout
    terms = portal("triage", "--direction", "onboard", "--terms").stdout
    assert "11.25 of 15 Criticality: T1" in terms
    assert "rose" not in terms
    assert "D2 unknown" in portal("triage", "--direction", "hand_back", "--terms").stdout


def test_triage_for_programs_is_what_http_answers(portal, client):
    answered = client.get("/api/engagements/triage").json
    printed = json.loads(portal("triage", "--json").stdout)
    assert printed["hand_back"]["items"][0]["rules"][0]["id"] == "D1"
    assert [row["value"] for row in printed["onboard"]["items"]] == [
        row["value"] for row in answered["onboard"]["items"]
    ]


def test_history_and_lists_tell_times_in_whole_seconds_and_programs_the_exact_ones(portal, session):
    exact = NOW.replace(microsecond=123456)
    history.record(session, [NewEvent(ref("globe"), "deploy.finished", exact, "argocd", "exact", "Deploy")], NOW)
    session.commit()
    shown = portal("history", "globe").stdout
    assert f"{NOW:%Y-%m-%dT%H:%M:%S}Z" in shown
    assert ".123456" not in shown
    assert ".123456Z" in portal("history", "globe", "--json").stdout
    assert re.search(r"as of [-0-9]+T[:0-9]+Z", portal("triage").stdout)


def test_history_takes_a_short_name_and_pages(portal):
    first = json.loads(portal("history", "globe", "--limit", 2, "--json").stdout)
    assert [event["summary"] for event in first["items"]] == ["Deploy 2", "Deploy 1"]
    rest = portal("history", "component:default/globe", "--limit", 2, "--cursor", first["next_cursor"])
    assert "Deploy 0" in rest.stdout
    assert "Deploy 1" not in rest.stdout
    assert "--cursor" in portal("history", "globe", "--limit", 2).stdout


def test_a_service_that_does_not_exist_could_not_be_shown(portal):
    result = portal("history", "nowhere")
    assert (result.exit_code, "no service component:default/nowhere" in result.stderr) == (2, True)


def test_an_import_is_recorded_once_and_refusals_end_with_1(portal, tmp_path):
    entry = {"entity": ref("globe"), "tier": "consultation", "since": "2026-01-01", "decided_by": "mia"}
    path = tmp_path / "support.yaml"
    path.write_text(yaml.safe_dump([entry]))
    assert json.loads(portal("import", path, "--json").stdout)["recorded"] == [ref("globe")]
    again = portal("import", path)
    assert (again.exit_code, "0 recorded, 1 unchanged, 0 refused" in again.stdout) == (0, True)
    path.write_text(yaml.safe_dump([entry, {**entry, "entity": ref("nowhere")}]))
    refused = portal("import", path)
    assert (refused.exit_code, "is not in the catalog" in refused.stdout) == (1, True)


def test_a_faulty_import_could_not_run_and_names_every_fault(portal, tmp_path):
    path = tmp_path / "support.yaml"
    path.write_text(yaml.safe_dump([{"entity": "globe", "tier": "x"}]))
    result = portal("import", path)
    assert result.exit_code == 2
    for field in ("[0].entity", "[0].tier", "[0].since", "[0].decided_by"):
        assert field in result.stderr
    assert portal("import", tmp_path / "nowhere.yaml").exit_code == 2


def test_a_move_needs_a_reason_and_is_told_as_an_administrators(portal, session):
    assert portal("move", "globe", "consultation").exit_code == 2
    assert portal("move", "globe", "consultation", "--reason", " ").exit_code == 2
    moved = portal("move", "globe", "consultation", "--reason", "we grow", "--json")
    assert (moved.exit_code, json.loads(moved.stdout)["tier"]) == (0, "consultation"), moved.output
    event = history.read(session, ref("globe"), history.HistoryFilter(["tier.changed"])).items[0]
    assert event.details["roles"] == ["administrator"]
    assert event.actor.endswith("(command line)")


def test_a_refused_move_names_every_guard(portal):
    result = portal("move", "globe", "platform", "--reason", "why not")
    assert result.exit_code == 2
    for guard in ("conformance", "capability_logging", "capability_controls", "oncall_split"):
        assert guard in result.stderr
