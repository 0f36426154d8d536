"""The rulings of the domain that decide how scorecards judge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plugins import registry
from plugins.contract import FactType
from scorecards.checks.definitions import Criticality, Status
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.evaluation import judge
from scorecards.evidence.causes import CauseKind, Party, Supply
from scorecards.evidence.view import Reading, View
from scorecards.exceptions.in_force import Attestation, InForce
from scorecards.settling import EvidenceKind
from tests.scorecards.samples import DAY, MINUTE, NOW, OFFERS, SPECS, catalogue, state, subject

DRILL = catalogue().checks["er.drill"]
DRILLS = replace(OFFERS["prometheus"], max_ages={"exercises.last_at": timedelta(hours=6)})
UNITS = {"", "count", "ratio", "days", "hours", "seconds", "bytes", "requests_per_second"}


def test_ruling_11_the_highest_level_takes_checks_of_every_criticality():
    checks = catalogue().checks.values()
    minor = [check for check in checks if check.criticality is Criticality.MINOR]
    assert minor
    assert {check.bars for check in minor} == {4}
    assert all(check.bars == check.level for check in checks if check not in minor)
    assert all(check.counts_at(4) for check in checks)


def attested(days_ago, holds=True):
    at = NOW - days_ago * DAY
    words = "Wheel of misfortune, all six of the rotation."
    expires = at + DRILL.attested_for
    given = Attestation("a", DRILL.id, DRILL.version, holds, words, None, "ann", at, expires)
    return InForce({DRILL.id: given}) if expires > NOW else InForce()


def drilled(days_ago=None, supplied=True, in_force=None):
    """Judge the drill by a fact so many days old (None: not observed), and by what is attested."""
    observed = {}
    if days_ago is not None:
        observed["exercises.last_at"] = [Reading("prometheus", (NOW - days_ago * DAY).isoformat(), NOW - MINUTE, NOW)]
    offers = {"prometheus": DRILLS} if supplied else {}
    supply = Supply({**VOCABULARY, **SPECS}, {"prometheus": source()} if supplied else {}, offers)
    return judge(DRILL, subject(), View(observed, supply, NOW), NOW, in_force or InForce())


def source():
    return replace(state("prometheus"), facts=frozenset({"exercises.last_at"}))


@pytest.mark.parametrize(
    ("given", "status", "evidence"),
    [
        ({"days_ago": 10}, Status.PASS, EvidenceKind.MEASURED),
        ({"days_ago": 10, "in_force": attested(1, holds=False)}, Status.PASS, EvidenceKind.MEASURED),
        ({"days_ago": 200, "in_force": attested(1)}, Status.FAIL, EvidenceKind.MEASURED),
        ({"days_ago": None, "in_force": attested(1)}, Status.UNKNOWN, None),
        ({"supplied": False, "in_force": attested(1)}, Status.PASS, EvidenceKind.ATTESTED),
        ({"supplied": False, "in_force": attested(1, holds=False)}, Status.FAIL, EvidenceKind.ATTESTED),
        ({"supplied": False, "in_force": attested(181)}, Status.UNKNOWN, None),
        ({"supplied": False}, Status.UNKNOWN, None),
    ],
)
def test_ruling_18_the_fact_decides_and_an_attestation_only_where_no_source_supplies_it(given, status, evidence):
    result = drilled(**given)
    assert (result.status, result.evidence) == (status, evidence)


def test_an_attested_verdict_says_who_vouches_for_it_and_until_when():
    assert drilled(supplied=False, in_force=attested(1)).sentence == (
        "ann attested on 2026-11-21 that it holds, which counts until 2027-05-20: "
        "Wheel of misfortune, all six of the rotation."
    )


def test_what_the_portal_itself_would_record_is_asked_of_the_team_and_not_of_a_source():
    (cause,) = (cause for cause in drilled(supplied=False).causes if cause.kind is CauseKind.NO_SOURCE)
    assert cause.sentence.startswith("Nothing is recorded here that says exercises.last_at (when an emergency was last")
    assert cause.action.startswith("Record it in this portal: docs/engagements.md (Our own records as facts)")
    assert cause.party is Party.TEAM


def test_ruling_19_promises_and_what_was_kept_are_ratios_and_the_threshold_is_a_fact_of_its_own():
    declared = {spec.key: spec for connector in registry.connectors().values() for spec in connector.facts}
    specs = {**VOCABULARY, **declared}
    for axis in ("availability", "latency"):
        for part in ("target", "actual_28d"):
            assert specs[f"slo.{axis}.{part}"].unit == "ratio"
    assert specs["slo.latency.threshold_seconds"].unit == "seconds"
    assert {spec.unit for spec in specs.values()} <= UNITS
    assert all(spec.unit in {"ratio", "seconds", "bytes"} for key, spec in specs.items() if key.endswith("_ratio"))
    assert all("currency" in spec.description for key, spec in specs.items() if key.startswith("cost."))
    assert all(spec.unit == "" for spec in specs.values() if spec.type not in {FactType.NUMBER, FactType.INTEGER})
