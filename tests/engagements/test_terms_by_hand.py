"""Every term tells how its points follow from what was seen: enough to count each value again by hand."""

import math
import re

import pytest

from engagements.triage.onboarding import onboarding_terms, value_of
from engagements.triage.settings import TriageSettings
from tests.engagements.test_onboarding import FACTS, NOW, readiness, service


def by_hand(scale):
    """Count a share from nothing but the words of its scale."""
    if found := re.fullmatch(r"log (\S+) / log (\S+), from 0 to 1", scale):
        value, full = (float(text) for text in found.groups())
        return max(0.0, min(1.0, math.log(value) / math.log(full)))
    if found := re.fullmatch(r"\w+ earns (\S+), by a table", scale):
        return float(found.group(1))
    numbers = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", scale.partition(",")[0])]
    if scale.startswith("("):
        return max(0.0, min(1.0, (numbers[0] - 1) / (numbers[2] - 1)))
    return max(0.0, min(1.0, numbers[0] / numbers[1] if len(numbers) > 1 else numbers[0]))


@pytest.mark.parametrize("settings", [TriageSettings(), TriageSettings(full_at_users=5000, full_at_regions=5)])
def test_each_share_and_the_value_can_be_counted_again_from_what_is_told(settings):
    terms = onboarding_terms(service(FACTS, readiness=readiness()), settings, NOW)
    known = [term for term in terms if term.known]
    assert len(known) >= 10
    for term in known:
        assert term.weight * by_hand(term.scale) == pytest.approx(term.points, abs=0.006), term
    assert all(term.scale == "" and term.points == 0 for term in terms if not term.known)
    assert value_of(terms) == pytest.approx(sum(term.weight * by_hand(term.scale) for term in known), abs=0.05)
