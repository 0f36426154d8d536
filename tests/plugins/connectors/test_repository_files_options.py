"""The option `files` of the sources that read code hosts: checked whole when it is loaded."""

import pytest
from marshmallow import ValidationError

from plugins.connectors.github import CONNECTOR as GITHUB
from plugins.connectors.gitlab import CONNECTOR as GITLAB
from portal_backend.core.config import Config, SourceConfig
from portal_backend.core.errors import InvalidInput, flatten_messages
from portal_backend.settings import declared_facts
from tests.plugins.connectors.code_host import entry


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ({"path": "README.md"}, "fact", "Missing data"),
        ({"fact": "Readme", "path": "x"}, "fact", "must be words joined by dots"),
        ({"fact": "repo.x"}, "path", "Missing data"),
        (entry("x", "docs/"), "path", "write docs/*"),
        (entry("x", "../x"), "path", "no path inside a repository"),
        (entry("x", "docs/*/x.md"), "path", "in the file's own name only"),
        (entry("x", []), "path", "a path, or a list"),
        (entry("x", ["a"] * 11), "path", "at most 10"),
        (entry("x", "Dockerfile", matches="(a"), "matches", "no regular expression of RE2"),
        (entry("x", "Dockerfile", matches="(?=a)"), "matches", "no regular expression of RE2"),
        (entry("x", "Dockerfile", matches="a", contains="b"), "matches", "stands beside contains"),
        (entry("x", "a.json", value="engines"), "value", "no JSON pointer"),
        (entry("x", "a.json", value="/a/*"), "value", "add `type: set`"),
        (entry("x", "Dockerfile", value="/a"), "format", "does not tell how to read it"),
        (entry("x", "Dockerfile", type="number"), "type", "answered by yes or no"),
        (entry("x", "Dockerfile", capture="a", type="boolean"), "type", "write matches"),
        (entry("x", "a.json", value="/a", type="float"), "type", "Must be one of"),
        (entry("x", "a.json", jq=".a"), "jq", "Unknown field"),
        ({"fact": "repo.branch.protected", "path": "x"}, "fact", "is read by the source itself"),
    ],
)
def test_what_is_wrong_is_said_when_it_is_loaded(written, path, said):
    for connector in (GITHUB, GITLAB):
        with pytest.raises(ValidationError) as raised:
            connector.options_schema().load({"files": [written]})
        told = {fault.path: fault.message for fault in flatten_messages(raised.value.messages)}
        assert said in told[f"files[0].{path}"]


def test_a_key_stands_once():
    with pytest.raises(ValidationError) as raised:
        GITHUB.options_schema().load({"files": [entry("x", "a"), entry("x", "b")]})
    assert "stands here twice" in str(raised.value.messages)


def test_the_facts_are_declared_as_they_are_asked(host):
    options = host.connector.options_schema().load(
        {"files": [entry("x", "a"), entry("y", "a.json", value="/n", type="number", unit="days", description="N.")]}
    )
    assert [(one.key, one.type.value, one.unit, one.description) for one in host.connector.declared(options)] == [
        ("repo.file.x", "boolean", "", "There is a"),
        ("repo.file.y", "number", "days", "N."),
    ]


def test_what_contradicts_a_known_fact_is_named_where_it_stands(tmp_path):
    options = GITHUB.options_schema().load({"files": [entry("x", "a"), {"fact": "slo.count", "path": "a"}]})
    config = Config(data_dir=tmp_path, sources=(SourceConfig("code", "github", options=options),))
    with pytest.raises(InvalidInput) as refused:
        declared_facts(config)
    assert [fault.path for fault in refused.value.faults] == ["sources.0.options.files.1"]
