"""The import file: read whole, every fault named."""

from datetime import UTC, datetime

import pytest
import yaml

from engagements.imports import read_records
from engagements.tiers import Tier
from portal_backend.core.errors import InvalidInput

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PLAIN = {"entity": "component:default/globe", "tier": "consultation", "since": "2026-03-01", "decided_by": "mia"}
FULL = {
    **PLAIN,
    "tier": "full_sre",
    "model": "simple_prr",
    "phase": "active",
    "evidence": {"prr_completed_at": "2026-02-20", "document_url": "https://wiki.example/prr"},
}
UNTIMELY = {**FULL["evidence"], "prr_completed_at": "2027-01-01"}
PLATFORM = {
    **PLAIN,
    "tier": "platform",
    "model": "framework",
    "phase": "platform_active",
    "evidence": {"conformance_passed_at": "2026-02-20", "oncall_split_url": "https://wiki.example/split"},
}


def read(tmp_path, *entries):
    path = tmp_path / "support.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return read_records(path, NOW)


def faults(tmp_path, *entries):
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, *entries)
    return [fault.path for fault in refused.value.faults]


def test_a_whole_record_is_read(tmp_path):
    record = read(tmp_path, {**FULL, "entity": "Component:default/Globe", "usage_forecast_rps": 1200, "reason": "why"})[
        0
    ]
    assert (record.entity_ref, record.tier) == ("component:default/globe", Tier.FULL_SRE)
    assert record.since == datetime(2026, 3, 1, tzinfo=UTC)
    assert record.evidence == {"prr_completed_at": "2026-02-20T00:00:00Z", "document_url": "https://wiki.example/prr"}
    assert (record.engagement_model, record.phase, record.usage_forecast_rps) == ("simple_prr", "active", 1200)
    assert (record.decided_by, record.reason) == ("mia", "why")


@pytest.mark.parametrize("since", ["2026-03-01", "2026-03-01T02:00:00+02:00", "2026-03-01T00:00:00Z"])
def test_the_same_moment_is_the_same_record_however_it_is_written(tmp_path, since):
    assert read(tmp_path, {**PLAIN, "since": since})[0].digest() == read(tmp_path, PLAIN)[0].digest()


def test_a_date_that_yaml_reads_as_one_is_taken(tmp_path):
    path = tmp_path / "support.yaml"
    path.write_text("- {entity: component:default/globe, tier: documentation, since: 2026-03-01, decided_by: mia}\n")
    assert read_records(path, NOW)[0].since == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("entry", [PLAIN, FULL, PLATFORM])
def test_another_content_has_another_digest(tmp_path, entry):
    assert read(tmp_path, entry)[0].digest() != read(tmp_path, {**entry, "reason": "other"})[0].digest()


@pytest.mark.parametrize(
    ("entry", "paths"),
    [
        ({**PLAIN, "tier": "premium"}, ["[0].tier"]),
        ({**PLAIN, "entity": "globe"}, ["[0].entity"]),
        ({**PLAIN, "colour": "red"}, ["[0].colour"]),
        ({**PLAIN, "since": "2027-01-01"}, ["[0].since"]),
        ({**PLAIN, "since": "2026-03-01T00:00:00"}, ["[0].since"]),
        ({**PLAIN, "since": 5}, ["[0].since"]),
        ({**PLAIN, "usage_forecast_rps": 0}, ["[0].usage_forecast_rps"]),
        ({**PLAIN, "usage_forecast_rps": float("nan")}, ["[0].usage_forecast_rps"]),
        ({**PLAIN, "model": "simple_prr"}, ["[0].phase"]),
        ({**PLAIN, "phase": "requested"}, ["[0].model"]),
        ({**PLAIN, "model": "simple_prr", "phase": "design"}, ["[0].phase"]),
        ({**PLAIN, "model": "simple_prr", "phase": "active"}, ["[0].phase"]),
        ({**PLAIN, "model": "framework", "phase": "platform_active"}, ["[0].phase"]),
        ({**PLAIN, "evidence": {"document_url": "wiki"}}, ["[0].evidence.document_url"]),
        ({**FULL, "evidence": {}}, ["[0].evidence.prr_completed_at", "[0].evidence.document_url"]),
        ({**FULL, "phase": "requested"}, ["[0].phase"]),
        ({**FULL, "evidence": UNTIMELY}, ["[0].evidence.prr_completed_at"]),
        ({**PLATFORM, "evidence": {}}, ["[0].evidence.conformance_passed_at", "[0].evidence.oncall_split_url"]),
        ({**PLATFORM, "phase": "adopting"}, ["[0].phase"]),
        ({}, ["[0].entity", "[0].tier", "[0].since", "[0].decided_by"]),
        ("text", ["[0]"]),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(tmp_path, entry, paths):
    assert sorted(faults(tmp_path, entry)) == sorted(paths)


def test_all_faults_of_a_file_are_named_at_once(tmp_path):
    assert faults(tmp_path, {**PLAIN, "tier": "x"}, FULL, {**PLATFORM, "since": "x"}, PLAIN, PLAIN) == [
        "[0].tier",
        "[2].since",
        "[3].entity",
        "[4].entity",
    ]


def test_a_review_under_way_on_the_platform_is_taken(tmp_path):
    assert read(tmp_path, {**PLATFORM, "model": "simple_prr", "phase": "analysis"})[0].phase == "analysis"


@pytest.mark.parametrize("content", [b"a: 1", b"- [", b"\xff\xfe\x00", b"!!python/object:os.system x"])
def test_what_is_no_list_of_records_is_refused(tmp_path, content):
    path = tmp_path / "support.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        read_records(path, NOW)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput):
        read_records(tmp_path / "nowhere.yaml", NOW)


def test_an_empty_file_has_no_records(tmp_path):
    path = tmp_path / "support.yaml"
    path.write_text("")
    assert read_records(path, NOW) == []
