"""`portal catalog` as a person or a program uses it."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from catalog.models import Entity
from portal_backend.commands import common
from portal_backend.commands.catalog import catalog
from portal_backend.core.config import LocationConfig
from tests.catalog.samples import component, files


def run(*arguments: object):
    return CliRunner().invoke(catalog, [str(argument) for argument in arguments])


@pytest.fixture
def portal(app, monkeypatch):
    """Let the commands act on the test's database instead of a configured one."""
    for name in ("configured", "configured_catalog"):
        monkeypatch.setattr(common, name, lambda: None)
    for name in ("create_app", "create_catalog_app"):
        monkeypatch.setattr(common, name, lambda _: app)
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


def test_validate_says_at_which_line_and_column_something_is_wrong(tmp_path):
    written = """\
# teams come first
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: a
  tags: [good, Not good]
  annotations: {a.b/c: 5, 'd e': f}
spec:
  type: service
  lifecycle: production
  dependsOn:
    - x
---
apiVersion: backstage.io/v1alpha1
  kind: User
"""
    files(tmp_path, a=written)
    found = json.loads(run("validate", tmp_path, "--json").stdout)
    assert [(error["path"], error["line"], error["column"]) for each in found for error in each["errors"]] == [
        ("metadata.annotations.a.b/c", 7, 17),
        ("metadata.annotations.d e", 7, 27),
        ("metadata.tags[1]", 6, 16),
        ("spec.owner", 8, 1),
        ("spec.dependsOn[0]", 12, 7),
        ("", 15, 7),
    ]
    assert "  6:16  metadata.tags[1]: must be" in run("validate", tmp_path).stdout


KINDS = "catalog: {kinds: [{kind: Policy, api_versions: [example.com/v1], required: [level]}]}\n"
POLICIES = """\
apiVersion: example.com/v1
kind: Policy
metadata: {name: a}
spec: {level: 5}
---
apiVersion: example.com/v1
kind: Policy
metadata: {name: b}
spec: {}
"""


def test_validate_knows_the_kinds_of_portal_yaml(tmp_path, monkeypatch):
    files(tmp_path, a=POLICIES)

    def valid() -> list[bool]:
        return [each["valid"] for each in json.loads(run("validate", tmp_path / "a.yaml", "--json").stdout)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PORTAL_CONFIG", raising=False)
    assert valid() == [False, False]
    (tmp_path / "portal.yaml").write_text(KINDS)
    assert valid() == [True, False]


def test_validate_tells_of_a_faulty_configuration_and_keeps_its_kinds_where_it_can(tmp_path, monkeypatch):
    files(tmp_path, a=POLICIES)
    config = tmp_path / "portal.yaml"
    monkeypatch.setenv("PORTAL_CONFIG", str(config))
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    token = "  integrations: {github: [{host: github.com, token: '${NOT_SET_HERE}'}]}\n"
    config.write_text("catalog:\n" + token + KINDS.replace("catalog: {kinds", "  kinds").replace("]}\n", "]\n"))
    result = run("validate", tmp_path / "a.yaml")
    assert "NOT_SET_HERE is not set" in result.stderr
    assert "the kinds of that file count" in result.stderr
    assert (result.exit_code, "2 documents, 1 of them not valid" in result.stdout) == (1, True)
    config.write_text(KINDS.replace("Policy", "5"))
    result = run("validate", tmp_path / "a.yaml")
    assert (result.exit_code, "catalog.kinds[0].kind" in result.stderr) == (2, True)


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


def test_refresh_reads_what_the_configuration_names_and_says_where_nothing_is(portal, app, tmp_path, monkeypatch):
    assert "No location is registered" in portal("refresh").stdout
    files(tmp_path, a=component("a"))
    made = app.extensions["portal"]
    config = replace(made.config, locations=(LocationConfig("file", str(tmp_path)),))
    monkeypatch.setitem(app.extensions, "portal", replace(made, config=config))
    result = portal("refresh")
    assert (result.exit_code, "1 added" in result.stdout) == (0, True), result.output


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
