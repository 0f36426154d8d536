"""What changed between judgements: the same, whether it is looked up or worked out."""

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from scorecards.assessment.differences import Comparer, Differences
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import LETTERS, Last, Verdicts
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


def test_checks_are_looked_at_for_edits_only_where_others_were_judged_by(monkeypatch):
    comparer = Comparer(PLAN, Verdicts(PLAN, NOW))
    codes = [PASS] * COUNT
    first = PLAN.checks[0].check
    statuses = {first.id: [STATUSES[PASS].value, first.version, "another rule"]}
    (edited,) = comparer.edited(assessed(codes), Last("", None, statuses, (), {}))
    assert edited.check == first.id
    monkeypatch.setattr(comparer.verdicts, "statuses_of", None)  # what was judged by these checks is not spelt out
    assert comparer.edited(assessed(codes), last_of(codes)) == []
