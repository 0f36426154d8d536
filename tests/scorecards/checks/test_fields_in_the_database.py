"""Checks on support tiers and on fields of the catalog's entity, judged from the database, one by one and in bulk."""

from dataclasses import replace

import pytest
import yaml
from sqlalchemy import select

from scorecards.checks.catalogue import load_catalogue
from scorecards.models import Scorecard
from scorecards.scorecard import read, update
from tests.scorecards.checks.test_organisation import ATTESTED
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import NOW

RULED = {key: value for key, value in ATTESTED.items() if key != "attest"} | {"passes": "Yes.", "fails": "No."}


@pytest.fixture
def judged(company, session, tmp_path):
    """Judge by one check; return its verdict on both services, explained and as stored."""

    def judge(tiers=None, **given):
        file = tmp_path / "org.yaml"
        file.write_text(yaml.safe_dump([RULED | {"id": "org.one"} | given]))
        catalogue = load_catalogue([file], company.judging.specs, None)
        judging = replace(company.judging, catalogue=catalogue, tiers=tiers)
        update(session, judging, None, NOW)
        stored = {row.entity_ref: row for row in session.scalars(select(Scorecard))}
        found = {}
        for ref in (REF, QUILL):
            card = read(session, judging, ref, NOW)
            (result,) = card["results"]
            assert stored[ref].percent == card["percent"]
            found[ref] = (result["status"], result["sentence"])
        return found

    return judge


def test_a_check_is_asked_by_support_tier(judged):
    found = judged(
        tiers=lambda _session, refs: {ref: "full_sre" if ref == REF else "documentation" for ref in refs},
        applies_to={"when": "tier == full_sre", "otherwise": "SRE does not run it."},
        rule="entity.metadata.name exists",
    )
    assert found == {REF: ("pass", "Yes."), QUILL: ("not_applicable", "SRE does not run it.")}


def test_a_rule_looks_at_the_entity(judged):
    assert judged(rule="entity.metadata.title exists") == {REF: ("pass", "Yes."), QUILL: ("fail", "No.")}
    assert judged(rule="entity.metadata.title == Shakespeare")[REF] == ("pass", "Yes.")
    assert judged(rule="entity.annotations.sre.portal/criticality == T1")[QUILL] == ("pass", "Yes.")


def test_what_the_entity_leaves_open_is_unknown_and_says_what_to_state(judged):
    status, sentence = judged(rule="entity.metadata.title == Shakespeare")[QUILL]
    assert status == "unknown"
    assert sentence == "Cannot be judged. The catalog's entity has no metadata.title."


def test_a_rule_counts_relations_and_looks_at_whom_they_lead_to(judged):
    owned = judged(rule="count(entity.relations.ownedBy) == 1")
    assert owned == {REF: ("pass", "Yes."), QUILL: ("pass", "Yes.")}
    assert judged(rule="count(entity.relations.providesApi) >= 1")[QUILL] == ("fail", "No.")
    on_quill = f"entity.relations.dependsOn contains '{QUILL}'"
    assert {ref: status for ref, (status, _) in judged(rule=on_quill).items()} == {REF: "pass", QUILL: "fail"}
