"""The loader of check files: every fault is named with file, check and path."""

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import DEFAULT_CHECKS, load_catalogue
from scorecards.checks.vocabulary import VOCABULARY
from tests.scorecards.samples import SPECS

GOOD = """
- id: org.replicas
  title: Ten replicas
  question: Does it run ten replicas?
  axis: capacity
  level: 4
  weight: 1
  criticality: minor
  version: 1
  owner: us
  sources: [house rule]
  why: Because.
  how_to_fix: [Start more.]
  guide: https://wiki.example/replicas
  effort: hours
  rule: {fact: runtime.replicas, operator: greaterThanInclusive, value: 10}
  passes: "{runtime.replicas} replicas."
  fails: "{runtime.replicas} replicas only."
"""

OBSERVED_X = {"field": "observed_facts", "operator": "contains", "value": "x"}


def faults_of(text, tmp_path, default=None):
    file = tmp_path / "org.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([file], SPECS, default)
    return [str(fault) for fault in caught.value.faults]


def changed(**given):
    (check,) = yaml.safe_load(GOOD)
    check |= given
    return yaml.safe_dump([{key: value for key, value in check.items() if value is not None}])


def test_checks_of_the_organisation_stand_beside_the_default_ones(tmp_path):
    (tmp_path / "org.yaml").write_text(GOOD)
    catalogue = load_catalogue([tmp_path], SPECS)
    assert catalogue.checks["org.replicas"].weight == 1
    assert len(catalogue.checks) == 58
    assert catalogue.highest_level == 4
    assert catalogue.version != load_catalogue([], SPECS).version


def test_the_version_of_the_catalogue_is_that_of_its_contents():
    assert load_catalogue([], SPECS).version == load_catalogue([DEFAULT_CHECKS], SPECS, default=None).version


def test_the_default_catalogue_loads_without_any_connector_installed():
    catalogue = load_catalogue([], {key: spec for key, spec in SPECS.items() if key not in VOCABULARY})
    assert len(catalogue.checks) == 57


def test_every_fault_of_every_check_is_named_in_one_go(tmp_path):
    text = changed(level=9, colour="red") + changed(
        id="org.second", rule={"fact": "nope", "operator": "equal", "value": 1}
    )
    found = faults_of(text, tmp_path)
    assert "org.yaml: org.replicas: level: Must be greater than or equal to 1 and less than or equal to 4." in found
    assert "org.yaml: org.replicas: colour: Unknown field; docs/checks.md has them all." in found
    assert "org.yaml: org.second: rule.fact: 'nope' is not a fact that anything declares" in found


def test_a_slip_of_the_pen_is_told_what_may_be_meant(tmp_path):
    text = changed(rule={"fact": "runtime.replica", "operator": "equal", "value": 1}, ownr="sre", attest={"fro": "1d"})
    found = faults_of(text, tmp_path)
    assert "org.yaml: org.replicas: ownr: Unknown field; did you mean owner?" in found
    assert "org.yaml: org.replicas: attest.fro: Unknown field; did you mean for?" in found
    (fault,) = faults_of(changed(rule={"fact": "runtime.replica", "operator": "equal", "value": 1}), tmp_path)
    assert "'runtime.replica' is not a fact that anything declares; did you mean runtime.replicas" in fault


def test_a_rule_that_cannot_be_read_is_the_only_fault_told_of_its_thresholds(tmp_path):
    (fault,) = faults_of(changed(rule="runtime.replicas >= $most or", thresholds={"most": 3}), tmp_path)
    assert fault.startswith("org.yaml: org.replicas: rule: at character")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"why": None}, "org.yaml: org.replicas: why: Missing data for required field."),
        ({"id": "Bad Id"}, "org.yaml: Bad Id: id: String does not match expected pattern."),
        ({"passes": "{runtime.zones}"}, "org.yaml: org.replicas: passes: {runtime.zones} is not a fact of the rule"),
        ({"fails": "{missing}"}, "org.yaml: org.replicas: fails: {missing} is not a fact of the rule"),
        ({"fails": {"runtime.zones": "x"}}, "org.yaml: org.replicas: fails: says nothing for runtime.replicas"),
        ({"fails": 3}, "org.yaml: org.replicas: fails: must be a sentence, or a sentence for each fact of the rule"),
        (
            {"max_age": {"runtime.zones": "1d"}},
            "org.yaml: org.replicas: max_age.runtime.zones: is not a fact of the rule",
        ),
        ({"if_missing": {"x": "y"}}, "org.yaml: org.replicas: if_missing.x: is not a fact of the rule"),
        (
            {
                "applies_to": {
                    "when": {"field": "observed_facts", "operator": "contains", "value": "x"},
                    "otherwise": "y",
                }
            },
            "org.yaml: org.replicas: applies_to.when: x is not a fact of the rule",
        ),
        (
            {"how_to_fix": [{"runtime.zones": "Spread it."}]},
            "org.yaml: org.replicas: how_to_fix: runtime.zones: the rule has no condition on it, or a `not`, by which "
            "it is not plain what failed; write the step without a fact",
        ),
        ({"how_to_fix": [3]}, "org.yaml: org.replicas: how_to_fix[0]: Must be what to do, or `{fact: what to do}`."),
        ({"overrides": True}, "org.yaml: org.replicas: overrides: there is no earlier check of this id"),
    ],
)
def test_a_fault_is_named_with_its_path(change, fault, tmp_path):
    assert fault in faults_of(changed(**change), tmp_path)


def test_a_bad_duration_is_named(tmp_path):
    (fault,) = faults_of(changed(max_age={"runtime.replicas": "soon"}), tmp_path)
    assert fault.startswith("org.yaml: org.replicas: max_age.runtime.replicas: is not a duration")


def test_a_check_is_replaced_only_when_it_says_so(tmp_path):
    text = (DEFAULT_CHECKS / "capacity.yaml").read_text()
    (limits, *_) = yaml.safe_load(text)
    limits["weight"] = 5
    found = faults_of(yaml.safe_dump([limits]), tmp_path, DEFAULT_CHECKS)
    assert found == [
        "org.yaml: cap.limits: id: is taken by an earlier check, of capacity.yaml; say `overrides: true` to replace "
        "it, or change single fields of it under `overrides:`"
    ]
    (tmp_path / "org.yaml").write_text(yaml.safe_dump([limits | {"overrides": True}]))
    catalogue = load_catalogue([tmp_path / "org.yaml"], SPECS)
    assert (len(catalogue.checks), catalogue.checks["cap.limits"].weight) == (57, 5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "cannot be read: did not find expected node content, at line"),
        ("checks:\n\t- id: x", "found character that cannot start any token, at line 2, column 1"),
        ("checks: !!python/name:os.system x", "python/name:os.system', at line 1, column 9"),
        ("- {id: x, id: y}", "the key id stands twice"),
        ("just text", "must be a list of checks"),
        ("- just text", "org.yaml: [0]"),
        ("- {[1]: 2}", "org.yaml"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_check_file_is_a_fault_and_no_crash(text, words, tmp_path):
    assert any(words in fault for fault in faults_of(text, tmp_path))


def test_a_file_in_another_encoding_says_so(tmp_path):
    (tmp_path / "org.yaml").write_bytes("checks: [] # größer".encode("latin-1"))
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([tmp_path / "org.yaml"], SPECS)
    (fault,) = caught.value.faults
    assert fault.message == "cannot be read: it is not written in UTF-8 (byte 15); save it as UTF-8"


def test_a_file_or_folder_that_is_not_there_is_a_fault(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([tmp_path / "gone.yaml", tmp_path / "empty"], SPECS)
    assert [fault.message.partition(":")[0] for fault in caught.value.faults] == [
        "cannot be read",
        "the folder holds no *.yaml file",
    ]


def test_a_changed_rule_changes_the_digest_even_under_the_same_version(tmp_path):
    file = tmp_path / "org.yaml"
    file.write_text(GOOD)
    before = load_catalogue([file], SPECS, None).checks["org.replicas"]
    file.write_text(GOOD.replace("value: 10", "value: 11").replace("Because", "For"))
    after = load_catalogue([file], SPECS, None).checks["org.replicas"]
    file.write_text(GOOD.replace("Because", "For"))
    reworded = load_catalogue([file], SPECS, None).checks["org.replicas"]
    assert before.digest != after.digest
    assert before.digest == reworded.digest
