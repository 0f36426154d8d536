"""The kit itself: a connector that keeps every rule passes it, and each broken rule is found."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from plugins import conformance
from plugins.conformance import Case, NotConforming, Paged
from plugins.contract import Connector
from tests.plugins import rule_breakers
from tests.plugins.our_cases import CHECKOUT, SEARCH
from tests.plugins.rule_breakers import case_of


@pytest.mark.parametrize("scenario", conformance.scenarios())
def test_a_connector_that_keeps_the_rules_passes(scenario: str) -> None:
    conformance.verify(case_of(rule_breakers.Careful()), scenario)


BROKEN = [
    (rule_breakers.Unnamed(), "declares_itself", "not named like"),
    (rule_breakers.IsAlwaysContent(), "check_says_what_answered", "content with a 401"),
    (rule_breakers.OwnHttp(), "check_says_what_answered", "unreachable of a 401"),
    (rule_breakers.NumbersAnew(), "a_repeated_pull_repeats_itself", "out of nowhere"),
    (rule_breakers.AsksForEach(), "requests_do_not_grow_with_services", "500 cost"),
    (rule_breakers.OwnHttp(), "a_429_is_waited_out", "the pull failed"),
    (rule_breakers.OwnHttp(), "a_429_for_long_is_told", "in place of rate_limited"),
    (rule_breakers.Hammers(), "a_429_for_long_is_told", "more requests were made"),
    (rule_breakers.OwnHttp(), "an_outage_that_passes_is_waited_out", "the pull failed"),
    (rule_breakers.OwnHttp(), "an_outage_that_stays_is_told", "in place of bad_answer"),
    (rule_breakers.Swallows(), "an_outage_that_stays_is_told", "ended well"),
    (rule_breakers.Swallows(), "revoked_credentials_are_told", "ended well"),
    (rule_breakers.AsksForItsOwn(), "a_refusal_is_told_without_services", "with no services: the pull ended well"),
    (rule_breakers.Swallows(), "no_permission_is_not_nothing", "ended well"),
    (rule_breakers.OwnHttp(), "no_permission_is_not_nothing", "in place of permission"),
    (rule_breakers.Swallows(), "an_outage_in_mid_pull_invents_nothing", "is False and was True"),
    (rule_breakers.Swallows(), "silence_in_mid_body_is_told", "ended well"),
    (rule_breakers.OwnHttp(), "silence_in_mid_body_is_told", "in place of timeout"),
    (rule_breakers.Swallows(), "a_web_page_is_no_answer", "ended well"),
    (rule_breakers.Swallows(), "a_huge_body_is_refused", "ended well"),
    (rule_breakers.Remembers(), "nothing_is_kept_between_pulls", "keeps something"),
    (rule_breakers.Blabs(), "good_answers_give_the_expected", "the secret stands"),
    (rule_breakers.Believes(), "a_wrong_shape_is_no_answer", "only PullFailed may"),
    (rule_breakers.NeedsOne(), "empty_lists_are_understood", "only PullFailed may"),
    (rule_breakers.NeedsEachId(), "a_spoilt_entry_harms_no_other", "only PullFailed may"),
    (rule_breakers.Counts(), "duplicates_count_once", "is 4 and was 2"),
    (rule_breakers.TakesTheFirst(), "order_does_not_matter", "is False and was True"),
    (rule_breakers.Foretells(), "a_wrong_clock_brings_no_future", "in the future"),
    (rule_breakers.TrustsItsCursor(), "an_odd_cursor_is_as_good_as_none", "only PullFailed may"),
    (rule_breakers.SharesIds(), "good_answers_give_the_expected", "is the id of an event of"),
    (rule_breakers.KnowsTags(), "an_unchanged_answer_is_as_good_as_a_new_one", "these facts are missing"),
    (rule_breakers.DatesByItsMemory(), "an_unchanged_answer_is_as_good_as_a_new_one", "grew older"),
]
BROKEN_BY_PAGES_OR_THINGS = {"every_page_is_read", "an_empty_page_is_not_the_last", "one_services_fault_harms_no_other"}
"""Those whose bad connectors need answers of another shape, below."""


@pytest.mark.parametrize(("connector", "scenario", "words"), BROKEN)
def test_a_broken_rule_is_found(connector: Connector, scenario: str, words: str) -> None:
    with pytest.raises(NotConforming, match=words):
        conformance.verify(case_of(connector), scenario)


def test_each_scenario_has_a_connector_that_it_finds() -> None:
    assert {scenario for _, scenario, _ in BROKEN} | BROKEN_BY_PAGES_OR_THINGS == conformance.SCENARIOS.keys()


def in_pages(connector: Connector, *, links: bool = False) -> Case:
    pages = {"1": [{"id": "checkout", "ok": True}], "2": [{"id": "search", "ok": False}]}
    return replace(case_of(connector), answers={"/things": Paged(pages, links=links)})


@pytest.mark.parametrize(
    "scenario", ["good_answers_give_the_expected", "every_page_is_read", "an_outage_in_mid_pull_invents_nothing"]
)
def test_answers_may_come_in_pages(scenario: str) -> None:
    whole = {(CHECKOUT, "things.ok"): True, (SEARCH, "things.ok"): False}
    conformance.verify(replace(in_pages(rule_breakers.Pages()), expected=whole), scenario)
    conformance.verify(replace(in_pages(rule_breakers.FollowsLinks(), links=True), expected=whole), scenario)


def test_a_page_that_is_left_out_is_found() -> None:
    with pytest.raises(NotConforming, match="never asked for: \\['2'\\]"):
        conformance.verify(in_pages(rule_breakers.Careful()), "every_page_is_read")


def test_an_empty_page_that_ends_a_list_is_found() -> None:
    conformance.verify(in_pages(rule_breakers.FollowsLinks(), links=True), "an_empty_page_is_not_the_last")
    with pytest.raises(NotConforming, match="behind an empty page of /things these were never asked for: \\['2'\\]"):
        conformance.verify(in_pages(rule_breakers.StopsAtAnEmptyPage(), links=True), "an_empty_page_is_not_the_last")


def test_a_page_that_failed_and_was_passed_over_is_found() -> None:
    case = in_pages(rule_breakers.MakesDoWithAPart(), links=True)
    with pytest.raises(NotConforming, match="fell out in silence"):
        conformance.verify(case, "an_outage_in_mid_pull_invents_nothing")
    with pytest.raises(NotConforming, match=r"must raise PullFailed\(credentials\)"):
        conformance.verify(case, "revoked_credentials_are_told")


def test_a_fault_of_one_thing_that_ends_the_whole_pull_is_found() -> None:
    case = replace(case_of(rule_breakers.FailsForOne()), own_paths={CHECKOUT: "/things/checkout"})
    with pytest.raises(NotConforming, match="ended the whole pull"):
        conformance.verify(case, "one_services_fault_harms_no_other")


def test_a_scenario_is_left_out_only_by_name_and_with_a_reason() -> None:
    assert "duplicates_count_once" not in conformance.scenarios(but={"duplicates_count_once": "there are none"})
    for wrong in ({"no_such_scenario": "why"}, {"duplicates_count_once": ""}):
        with pytest.raises(ValueError, match="reason"):
            conformance.scenarios(but=wrong)


def test_the_page_for_authors_names_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-connectors.md").read_text()
    assert [name for name in conformance.SCENARIOS if f"`{name}`" not in page] == []


def test_the_kit_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import plugins.conformance"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
