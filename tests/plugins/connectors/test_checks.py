"""What `check` says of credentials that may read one thing and not another: for every connector that speaks HTTP."""

import re
from collections.abc import Callable, Iterator

import pytest

from plugins.conformance import Case, Question, Reply
from plugins.conformance.observing import PATIENT, context, pull
from plugins.conformance.serving import Front, serving
from plugins.conformance.spoiling import refusal
from plugins.contract import FailureKind, PullFailed
from tests.plugins.our_cases import CASES

OF_A_THING = re.compile(r"(deployments/\d+/statuses|compare/.*|api/graphql|^/apis/dashboard.grafana.app/.*)$")
"""Asked about one thing of a list that `check` has tried, or after another question for the same right."""
DONE_WITHOUT = {
    "/analytics/raw/incidents": "not read: analytics",
    "/repos/acme/checkout/branches/main/protection": "GitHub answers",
}
"""What not every plan has, or an administrator alone may see, and what is said then."""


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with CASES[request.param]() as built:
        yield built


def said(case: Case, front: Front, folder) -> str:
    given = context(case, front.url, PATIENT, folder)
    with given.client:
        return case.connector.check(given)


def asked(front: Front) -> list[str]:
    return list(dict.fromkeys(question.path for question in front.questions))


def refusing(path: str) -> Callable[[Question, Callable[[], Reply]], Reply]:
    return lambda question, good: refusal(403)(question) if question.path == path else good()


def test_the_check_tries_all_that_a_pull_asks_for_and_names_what_is_refused(case, tmp_path):
    with serving(case) as front:
        well = said(case, front, tmp_path)
        tried = asked(front)
        front.start_over()
        assert pull(case, front, targets=case.targets[:1]).failure is None
        kinds = {re.sub("uid/[^/]+", "uid", path) for path in tried}
        left = {re.sub("uid/[^/]+", "uid", path) for path in asked(front) if not OF_A_THING.search(path)} - kinds
        assert left == set()
        for path in tried:
            front.start_over(refusing(path))
            if path in DONE_WITHOUT:
                assert DONE_WITHOUT[path] in said(case, front, tmp_path)
                continue
            with pytest.raises(PullFailed) as failed:
                said(case, front, tmp_path)
            assert failed.value.kind is FailureKind.PERMISSION, path
            assert case.secret not in failed.value.message
    assert "not read" not in well
