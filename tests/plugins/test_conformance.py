"""Every connector of ours that speaks HTTP, run through the kit that a third party's is run through."""

from collections.abc import Iterator

import pytest

from plugins import conformance
from plugins.conformance import Case
from tests.plugins.our_cases import CASES

EXCUSED: dict[str, dict[str, str]] = {
    "prometheus": {
        "duplicates_count_once": "a query answers each set of labels once; two rules alike are two rules",
        "a_spoilt_entry_harms_no_other": "an answer with a broken sample is refused whole: the rest may be wrong",
    },
}


@pytest.fixture(scope="module")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with CASES[request.param]() as built:
        yield built


@pytest.mark.parametrize(
    ("case", "scenario"),
    [(name, scenario) for name in CASES for scenario in conformance.scenarios(but=EXCUSED.get(name))],
    indirect=["case"],
)
def test_our_connectors_conform(case: Case, scenario: str) -> None:
    conformance.verify(case, scenario)
