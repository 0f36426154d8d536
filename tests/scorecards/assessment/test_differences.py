"""What changed between judgements: the same, whether it is looked up or worked out."""

from types import SimpleNamespace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecards.assessment.differences import Comparer, Differences
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import LETTERS, Last, Verdicts
from scorecards.changes import ChangeCause, Edit
from scorecards.standing import FAIL, NOT_APPLICABLE, PASS, STATUSES, UNKNOWN, WAIVED
from tests.scorecards.assessment.test_agreement import SPECS
from tests.scorecards.known_checks import known_checks
from tests.scorecards.samples import NOW

PLAN = Plan(known_checks(), SPECS)
COUNT = len(PLAN.checks)
CODES = (PASS, FAIL, UNKNOWN, NOT_APPLICABLE, WAIVED)


class Unknowns:
    """Tells of which checks the sources keep a verdict in the dark."""

    def __init__(self, dark):
        self.dark = dark

    def is_dark(self, number):
        return number in self.dark


def assessed(codes, dark=()):
    return SimpleNamespace(codes=bytes(codes), kinds={}, unknowns=Unknowns(dark))


def last_of(codes):
    verdicts = None if codes is None else "".join(LETTERS[code] for code in codes)
    return Last("", verdicts, {}, (), {})


def parts(found):
    return found.changes(), found.told(), found.slots()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_plain_verdicts_differ_as_those_compared_by_what_they_are_marked_with(data):
    comparer = Comparer(PLAN, Verdicts(PLAN, NOW))
    verdicts = st.lists(st.sampled_from(CODES), min_size=COUNT, max_size=COUNT)
    for _ in range(3):  # the second and third time with what was found out before
        before, after = data.draw(st.none() | verdicts), data.draw(verdicts)
        assessment = assessed(after, data.draw(st.sets(st.integers(0, COUNT - 1))))
        last = None if before is None else last_of(before)
        one_by_one = Differences([comparer._put(change) for change in comparer._all(assessment, last)])
        assert parts(comparer.differences(assessment, last)) == parts(one_by_one)


def test_an_edited_check_is_a_change_though_its_verdict_stays_unless_it_does_not_apply():
    comparer = Comparer(PLAN, Verdicts(PLAN, NOW))
    checks = [prepared.check for prepared in PLAN.checks]
    codes = [PASS, NOT_APPLICABLE] + [PASS] * (COUNT - 2)
    statuses = {
        check.id: [STATUSES[code].value, check.version, "another rule" if place < 2 else check.digest]
        for place, (check, code) in enumerate(zip(checks, codes, strict=True))
    }
    found = comparer.differences(assessed(codes), Last("", None, statuses, (), {}))
    (edited,) = found.changes()
    assert (edited.check, edited.edit, edited.cause) == (checks[0].id, Edit.EDITED, ChangeCause.RULE)
    assert (edited.from_status, edited.to_status) == ("pass", "pass")
    assert orjson.loads(found.told())[-2:] == [checks[0].digest, checks[0].version]
