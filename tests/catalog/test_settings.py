"""`catalog:` in portal.yaml: checked whole, every fault by its path; and what its rules let in."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from catalog.format.custom_kinds import CustomKind, CustomRelation
from catalog.ingestion.following import read_location
from catalog.places.hosts import AllowedHost
from catalog.places.scm import Scm
from catalog.settings import CatalogSettings, Include
from catalog.settings_loading import load_settings
from portal_backend.app import create_app
from portal_backend.core.config import LocationConfig, load_config
from portal_backend.core.errors import InvalidInput
from tests.catalog.samples import component, files, remembered
from tests.catalog.test_reading import location, refs

EVERY = timedelta(minutes=10)
USER = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: ann}\nspec: {memberOf: []}\n"


def load(written, locations=(), base_dir=Path("/srv")) -> CatalogSettings:
    return load_settings(written, locations, EVERY, base_dir)


def test_without_anything_written_the_defaults_hold():
    assert load({}).urls == CatalogSettings().urls
    assert load({}).registration_types == {"url"}


def test_everything_may_be_written(monkeypatch):
    monkeypatch.setenv("GH", "s3cret")
    settings = load(
        {
            "jitter": 0.1, "orphan_grace": "2h", "removal_share": 0.5,
            "registration": {"types": ["url", "file"]},
            "rules": [{"allow": ["Component", {"kind": "Resource", "spec.type": "database"}]},
                      {"allow": ["Template"], "locations": [{"type": "url", "pattern": "https://github.com/acme/**"}]}],
            "reading": {"allow": [{"host": "files.example.com", "paths": ["/catalog/"]}], "roots": ["catalog", "/x"]},
            "integrations": {"github": [{"host": "github.com", "token": "${GH}"}, {"host": "ghe.example.com"}],
                             "gitlab": [{"host": "git.example.com", "api_url": "https://git.example.com/sub/api/v4/"}]},
            "providers": {"github": [{"name": "acme", "organization": "acme", "include": {
                "path": ".backstage/*.yaml", "repository": "svc-.*", "topics": ["Backstage"], "branch": "main"}}]},
            "kinds": [{"kind": "Policy", "api_versions": ["example.com/v1"], "required": ["owner"], "relations": [
                {"field": "owner", "forward": "ownedBy", "reverse": "ownerOf", "default_kind": "Group"}]}],
        },
        [LocationConfig("file", "/etc/catalog/all.yaml")],
    )  # fmt: skip
    assert (settings.jitter, settings.orphan_grace, settings.removal_share) == (0.1, timedelta(hours=2), 0.5)
    assert settings.files.roots == ("/srv/catalog", "/x", "/etc/catalog/all.yaml")
    assert settings.urls.allow == (AllowedHost("files.example.com", ("/catalog/",)),)
    assert [(one.host, one.api_url, one.token) for one in settings.integrations] == [
        ("github.com", "https://api.github.com", "s3cret"),
        ("ghe.example.com", "https://ghe.example.com/api/v3", None),
        ("git.example.com", "https://git.example.com/sub/api/v4", None),
        ("gitlab.com", "https://gitlab.com/api/v4", None),
    ]
    assert settings.urls.refusal("https://ghe.example.com/o/r/blob/main/a.yaml") is None
    (provider,) = settings.providers
    assert (provider.name, provider.owner, provider.integration.scm) == ("acme", "acme", Scm.GITHUB)
    assert provider.include == Include(".backstage/*.yaml", "main", "svc-.*", frozenset({"backstage"}))
    assert settings.kinds == (
        CustomKind("Policy", ("example.com/v1",), ("owner",), None,
                   (CustomRelation("owner", "ownedBy", "ownerOf", "Group"),)),
    )  # fmt: skip
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("written", "paths"),
    [
        ({"unknown": 1, "jitter": 2, "orphan_grace": "soon"},
         ["catalog.jitter", "catalog.orphan_grace", "catalog.unknown"]),
        ({"rules": [{"allow": [1, {"kind": "A b"}], "extra": 1}, {}]},
         ["catalog.rules[0].allow[0]", "catalog.rules[0].allow[1]", "catalog.rules[0].extra",
          "catalog.rules[1].allow"]),
        ({"reading": {"allow": [{"host": "https://x"}, {"host": "x", "paths": ["y"]}], "roots": [""]}},
         ["catalog.reading.allow[0].host", "catalog.reading.allow[1].paths[0]", "catalog.reading.roots[0]"]),
        ({"integrations": {"github": [{"host": "x", "token": "s3cret"}], "bitbucket": []}},
         ["catalog.integrations.bitbucket", "catalog.integrations.github[0].token"]),
        ({"integrations": {"github": [{"host": "x", "token": "${NOT_SET_ANYWHERE}"}, {"host": "X"}]}},
         ["catalog.integrations.github[0].token", "catalog.integrations.github[1].host"]),
        ({"providers": {"gitlab": [{"name": "A", "group": "g"}, {"name": "b"},
                                   {"name": "c", "group": "g", "include": {"repository": "("}}]}},
         ["catalog.providers.gitlab[0].name", "catalog.providers.gitlab[1].group",
          "catalog.providers.gitlab[2].include.repository"]),
        ({"providers": {"github": [{"name": "a", "organization": "o", "host": "ghe.example.com"}]}},
         ["catalog.providers.github[0].host"]),
        ({"registration": {"types": ["file"]}}, ["catalog.reading.roots"]),
        ({"registration": {"types": ["git"]}}, ["catalog.registration.types[0]"]),
        ({"kinds": [{"kind": "Component", "api_versions": ["backstage.io/v1alpha1"]}, {"kind": "no kind"}]},
         ["catalog.kinds[1].api_versions"]),
        ({"kinds": [{"kind": "Component", "api_versions": ["backstage.io/v1alpha1"]}]},
         ["catalog.kinds[0].api_versions"]),
        ({"reading": [], "rules": {}, "providers": "x"}, ["catalog.providers", "catalog.reading", "catalog.rules"]),
    ],
)  # fmt: skip
def test_every_fault_is_named_with_its_path(written, paths):
    with pytest.raises(InvalidInput) as caught:
        load(written)
    assert sorted(fault.path for fault in caught.value.faults) == paths
    assert "s3cret" not in str(caught.value)


def test_a_fault_in_the_rules_of_a_location_is_named():
    with pytest.raises(InvalidInput) as caught:
        load({}, [LocationConfig("file", "/a"), LocationConfig("file", "/b", ({"alow": ["User"]},))])
    assert {fault.path for fault in caught.value.faults} == {
        "catalog.locations[1].rules[0].allow", "catalog.locations[1].rules[0].alow",
    }  # fmt: skip


def test_portal_yaml_reaches_the_application(tmp_path):
    (tmp_path / "portal.yaml").write_text(
        "catalog:\n  orphan_grace: 3h\n  locations:\n  - {type: file, target: ./c, rules: [{allow: [User]}]}\n"
    )
    app = create_app(load_config(tmp_path / "portal.yaml", environment={}))
    settings = app.extensions["catalog"]
    assert settings.orphan_grace == timedelta(hours=3)
    assert [kind.kind for kind in settings.rules.own["file", str(tmp_path / "c")]] == ["User"]
    (tmp_path / "portal.yaml").write_text("catalog: {jiter: 1}\n")
    with pytest.raises(InvalidInput) as caught:
        create_app(load_config(tmp_path / "portal.yaml", environment={}))
    assert [fault.path for fault in caught.value.faults] == ["catalog.jiter"]


def test_the_examples_of_the_documentation_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "a")
    monkeypatch.setenv("GITLAB_TOKEN", "b")
    (tmp_path / "ghe-token").write_text("c")
    text = Path("docs/catalog.md").read_text()
    examples = [yaml.safe_load(block.partition("```")[0])["catalog"] for block in text.split("```yaml\ncatalog:")[1:]
                for block in ["catalog:" + block]]  # fmt: skip
    for example in examples:
        rules = [rule for one in example.pop("locations", ()) for rule in one["rules"]]
        load(example, [LocationConfig("url", "https://x", tuple(rules))], tmp_path)
    assert len(examples) == 5


def read(settings, target, known=None, operator=False):
    reader = settings.reader().for_operator() if operator else settings.reader()
    return read_location(reader, "file", str(target), known or {})


def test_one_kind_that_may_not_come_keeps_its_whole_file_out_and_nothing_else(tmp_path):
    files(tmp_path, good=component("good"), mixed=component("mixed") + "---\n" + USER)
    reading = read(load({}), tmp_path)
    assert refs(reading) == ["component:default/good"]
    (fault,) = reading.faults
    assert (fault.document, fault.ref, fault.path) == (1, "user:default/ann", "kind")
    assert "may hold Component, API, Location" in fault.message
    assert not reading.complete


@pytest.mark.parametrize("other", [USER.replace("ann", "no name"), USER.replace("kind: User", "kind: Odd")])
def test_a_kind_that_may_not_come_keeps_its_file_out_whatever_else_is_wrong_with_it(tmp_path, other):
    files(tmp_path, mixed=component("mixed") + "---\n" + other)
    reading = read(load({}), tmp_path)
    assert (refs(reading), reading.complete) == ([], False)
    (fault,) = reading.faults
    assert "may not come from this location" in fault.message
    assert fault.of_file


def test_what_an_operator_registered_may_hold_every_kind_unless_it_has_rules_of_its_own(tmp_path):
    files(tmp_path, ann=USER)
    assert refs(read(load({}), tmp_path, operator=True)) == ["user:default/ann"]
    assert refs(read(load({}, [LocationConfig("file", str(tmp_path))]), tmp_path)) == ["user:default/ann"]
    bound = load({}, [LocationConfig("file", str(tmp_path), ({"allow": ["Group"]},))])
    assert refs(read(bound, tmp_path, operator=True)) == []


def test_rules_let_kinds_and_types_come_from_where_they_say(tmp_path):
    files(tmp_path, ann=USER, db=component("db", type_="website"), svc=component("svc"))
    rules = [{"allow": [{"kind": "component", "spec.type": "service"}]},
             {"allow": ["user"], "locations": [{"type": "file", "pattern": f"{tmp_path}/*.YAML"}]}]  # fmt: skip
    assert refs(read(load({"rules": rules}), tmp_path)) == ["user:default/ann", "component:default/svc"]
    exact = [{"allow": ["User"], "locations": [{"type": "file", "exact": f"{tmp_path}/ann.yaml"}]}]
    assert refs(read(load({"rules": exact}), tmp_path)) == ["user:default/ann"]
    assert refs(read(load({"rules": []}), tmp_path)) == []


def test_a_location_that_may_not_come_leads_nowhere(tmp_path):
    files(tmp_path, all=location("all", "{target: a.yaml}"), a=component("a"))
    assert refs(read(load({"rules": [{"allow": ["Component"]}]}), tmp_path / "all.yaml")) == []


def test_other_rules_judge_the_same_content_anew(tmp_path):
    files(tmp_path, ann=USER)
    first = read(load({}), tmp_path, operator=True)
    known = remembered(first)
    assert [file.unchanged for file in read(load({}), tmp_path, known, operator=True).files] == [True]
    assert [file.unchanged for file in read(load({}), tmp_path, known).files] == [False]


def test_a_kind_of_ones_own_is_read_like_the_others(tmp_path):
    kinds = [{"kind": "Policy", "api_versions": ["example.com/v1"], "required": ["owner"]}]
    policy = "apiVersion: example.com/v1\nkind: Policy\nmetadata: {name: p}\nspec: {}\n"
    files(tmp_path, good=policy.replace("{}", "{owner: x}"), bad=policy)
    reading = read(load({"kinds": kinds}), tmp_path, operator=True)
    assert refs(reading) == ["policy:default/p"]
    assert [fault.path for fault in reading.faults] == ["spec.owner"]
