"""`portal catalog` as a person or a program uses it."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from catalog.models import Entity
from portal_backend.commands import common
from portal_backend.commands.catalog import catalog
from tests.catalog.samples import component, files


def run(*arguments: object):
    return CliRunner().invoke(catalog, [str(argument) for argument in arguments])


@pytest.fixture
def portal(app, monkeypatch):
    """Let the commands act on the test's database instead of a configured one."""
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    return run


def test_validate_judges_every_document_and_needs_no_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("PORTAL_CONFIG", str(tmp_path / "missing.yaml"))
    monkeypatch.setenv("PORTAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    text = component("a") + "---\n# empty\n---\n" + component("5") + "---\nx: [\n"
    files(tmp_path, b=component("b"), a=text)
    result = run("validate", tmp_path, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [(each["file"], each["document"], each["ref"], each["valid"]) for each in found] == [
        (f"{tmp_path}/a.yaml", 0, "component:default/a", True),
        (f"{tmp_path}/a.yaml", 2, None, False),
        (f"{tmp_path}/a.yaml", 3, None, False),
        (f"{tmp_path}/b.yaml", 0, "component:default/b", True),
    ]
    assert all(each.keys() == {"file", "document", "ref", "valid", "errors"} for each in found)
    assert [[error["path"] for error in each["errors"]] for each in found] == [[], ["metadata.name"], [""], []]


def test_validate_names_files_as_they_were_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files(tmp_path, a=component("a"))
    assert [each["file"] for each in json.loads(run("validate", "a.yaml", "*.yaml", "--json").stdout)] == [
        "a.yaml",
        f"{tmp_path}/a.yaml",
    ]


def test_validate_ends_with_0_when_all_is_well_and_2_when_there_is_nothing_to_read(tmp_path):
    files(tmp_path, a=component("a"), empty="")
    assert run("validate", tmp_path).exit_code == 0
    assert json.loads(run("validate", tmp_path / "empty.yaml", "--json").stdout) == []
    assert run("validate", tmp_path / "gone.yaml").exit_code == 2
    assert run("validate").exit_code == 2


def test_validate_shows_people_file_document_and_field(tmp_path):
    files(tmp_path, a=component("a") + "---\n" + component("b", metadata="  tags: [A]\n"))
    result = run("validate", tmp_path)
    assert f"{tmp_path}/a.yaml, document 1 (component:default/b)" in result.stdout
    assert "metadata.tags[0]: must be" in result.stdout
    assert "2 documents, 1 of them not valid" in result.stdout


def test_add_stores_what_is_good_and_shows_what_is_not(portal, session, tmp_path):
    files(tmp_path, a=component("a"), b=component("b", spec="  system: 5\n"))
    result = portal("add", tmp_path)
    assert result.exit_code == 1, result.output
    assert "1 added" in result.stdout
    assert f"{tmp_path}/b.yaml, document 0 (component:default/b)" in result.stdout
    assert "spec.system: must be a string" in result.stdout
    assert session.scalars(select(Entity.ref).where(Entity.kind == "component")).all() == ["component:default/a"]
    files(tmp_path, b=component("b"))
    result = portal("refresh", "--json")
    assert result.exit_code == 0
    (report,) = json.loads(result.stdout)
    assert (report["added"], report["unchanged"], report["faults"]) == (1, 1, [])


def test_add_refuses_what_does_not_exist_and_registers_nothing(portal, tmp_path):
    files(tmp_path, a=component("a"))
    result = portal("add", tmp_path / "a.yaml", tmp_path / "gone.yaml")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    assert json.loads(portal("locations", "--json").stdout) == []


def test_refresh_lets_removals_through_only_when_told(portal, tmp_path):
    files(tmp_path, all="---\n".join(component(f"s{number}") for number in range(10)))
    assert portal("add", tmp_path).exit_code == 0
    files(tmp_path, all=component("s0"))
    result = portal("refresh")
    assert (result.exit_code, "9 orphaned" in result.stdout) == (0, True)
    assert len(json.loads(portal("list", "--kind", "Component", "--json").stdout)) == 10
    assert portal("refresh", "--allow-removals").exit_code == 0
    assert portal("faults").exit_code == 0
    assert [entity["name"] for entity in json.loads(portal("list", "--kind", "Component", "--json").stdout)] == ["s0"]


def test_list_and_show_read_the_catalog(portal, tmp_path):
    files(tmp_path, a=component("Checkout", metadata="  title: Pay here\n"))
    portal("add", tmp_path)
    assert "component:default/checkout" in portal("list").stdout
    assert len(json.loads(portal("list", "--json").stdout)) == 2
    assert json.loads(portal("show", "component:default/CHECKOUT", "--json").stdout)["metadata"]["title"] == "Pay here"
    assert "Pay here" in portal("show", "component:default/checkout").stdout
    assert portal("show", "component:default/nope").exit_code == 2
    assert portal("show", "nope").exit_code == 2


def test_history_and_what_never_passed_are_told(portal, tmp_path):
    files(tmp_path, a=component("a"), b=component("b", spec="  system: 6\n"))
    portal("add", tmp_path)
    (change,) = json.loads(portal("history", "component:default/A", "--json").stdout)
    assert (change["kind"], change["actor"]) == ("added", f"file:{tmp_path}")
    assert "added" in portal("history", "component:default/a").stdout
    assert portal("history", "component:default/nope").exit_code == 2
    result = portal("unprocessed", "--json")
    assert (result.exit_code, json.loads(result.stdout)[0]["entity_ref"]) == (1, "component:default/b")
    assert "spec.system" in portal("unprocessed").stdout


def test_faults_can_be_asked_by_entity(portal, tmp_path):
    files(tmp_path, a=component("a", spec="  system: 5\n"), b=component("b", spec="  system: 6\n"))
    portal("add", tmp_path)
    (fault,) = json.loads(portal("faults", "--ref", "component:default/b", "--json").stdout)
    assert (fault["file"], fault["document"], fault["path"]) == (f"{tmp_path}/b.yaml", 0, "spec.system")
