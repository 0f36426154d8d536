"""The checklist of a review: its template, its answers by facts and by people."""

import pytest
from sqlalchemy import update

from engagements.lifecycle.models import Engagement
from engagements.reviews import facts, templates
from engagements.reviews.answers import Given, Item, Line, effort, lines, progress
from engagements.triage.settings import TriageSettings
from portal_backend.core.errors import InvalidInput
from portal_backend.core.principal import Role
from scorecards import scorecard
from tests.engagements.conftest import NOW
from tests.engagements.reviews.conftest import CASE

CHECKLIST = f"{CASE}/checklist"
ANSWERS = f"{CHECKLIST}/answers"
SLO = {"slo.count": 1, "slo.availability.target": 0.99, "slo.window_days": 28, "slo.owner": "bards"}

pytestmark = pytest.mark.usefixtures("case")


def line(body, key):
    return next(item for item in body["items"] if item["key"] == key)


def say(client, **answers):
    given = [{"item": item, **answer} for item, answer in answers.items()]
    return client.post(ANSWERS, json={"answers": given})


def test_row_11_the_checklist_is_a_template_that_stays_with_the_review(client, sre, kinds):
    before = client.get(CHECKLIST).json
    assert before["opened_at"] is None
    opened = client.post(CHECKLIST).json
    assert (opened["template"], opened["template_version"], opened["opened_by"]) == ("simple_prr", 1, "sam")
    assert {item["axis"] for item in opened["items"]} == {
        "architecture", "observability", "emergency", "capacity", "change", "performance",
    }  # fmt: skip
    assert client.post(CHECKLIST).json == opened
    assert kinds().count("checklist.opened") == 1


def test_row_11_what_the_facts_say_answers_an_item_with_its_sentence(client, sre, observe):
    observe({"globe": SLO})
    item = line(client.post(CHECKLIST).json, "obs.slo.defined")
    assert item["counts"] == "pass"
    assert item["measured"]["verdict"] == "pass"
    assert "99" in item["measured"]["sentence"]
    assert "obs.slo.defined" not in client.get(CHECKLIST).json["unanswered"]


def test_what_nothing_measures_is_unanswered_and_never_a_pass(client, sre):
    item = line(client.post(CHECKLIST).json, "obs.slo.defined")
    assert (item["counts"], item["measured"]["verdict"]) == ("unanswered", "unknown")


def test_row_11_a_person_overrides_the_facts_with_a_reason_and_both_are_shown(client, sre, observe, kinds):
    observe({"globe": SLO})
    bare = say(client, **{"obs.slo.defined": {"answer": "fail"}})
    assert bare.status_code == 400
    assert bare.json["errors"][0]["field"] == "answers[0].reason"
    body = say(client, **{"obs.slo.defined": {"answer": "fail", "reason": "the target is a wish"}}).json
    item = line(body, "obs.slo.defined")
    assert (item["counts"], item["measured"]["verdict"], item["contradicts_measurement"]) == ("fail", "pass", True)
    assert (item["given"]["by"], item["given"]["measured_then"]) == ("sam", "pass")
    assert body["progress"]["overridden"] == 1
    say(client, **{"obs.slo.defined": {"answer": "fail", "reason": "the target is a wish"}})
    assert kinds().count("checklist.item_answered") == 1
    back = say(client, **{"obs.slo.defined": {"answer": None}}).json
    assert line(back, "obs.slo.defined")["counts"] == "pass"


def test_a_pass_names_its_evidence_and_the_faults_come_all_at_once(client, sre):
    answer = say(
        client, **{"er.drill": {"answer": "pass"}, "er.controls": {"answer": "na"}, "no.item": {"answer": None}}
    )
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json["errors"]] == [
        "answers[0].evidence_url", "answers[1].reason", "answers[2].item",
    ]  # fmt: skip
    assert client.get(CHECKLIST).json["opened_at"] is None


def test_the_same_item_twice_in_one_request_is_refused(client, sre):
    twice = [{"item": "er.drill", "answer": "na", "reason": "x"}] * 2
    assert client.post(ANSWERS, json={"answers": twice}).status_code == 400


def test_evidence_is_a_web_address(client, sre):
    answer = say(client, **{"er.drill": {"answer": "pass", "evidence_url": "javascript:alert(1)"}})
    assert answer.status_code == 400


def test_a_developer_does_not_answer_what_sre_owns(client, acting):
    acting("dora", Role.DEV_LEAD)
    assert say(client, **{"er.drill": {"answer": "na", "reason": "x"}}).status_code == 403
    assert client.post(CHECKLIST).status_code == 403


def test_row_11_items_of_this_service_come_from_experts_lessons_and_similar_services(client, sre, kinds):
    new = {"key": "globe.trapdoor", "axis": "emergency", "question": "Is the trapdoor monitored?", "source": "expert"}
    body = client.post(f"{CHECKLIST}/items", json=new).json
    item = line(body, "globe.trapdoor")
    assert (item["source"], item["added_by"], item["counts"]) == ("expert", "sam", "unanswered")
    assert client.post(f"{CHECKLIST}/items", json=new).status_code == 200
    assert kinds().count("checklist.item_added") == 1
    other = client.post(f"{CHECKLIST}/items", json={**new, "question": "Something else?"})
    assert other.status_code == 409
    nameless = client.post(f"{CHECKLIST}/items", json={**new, "key": "globe.x", "source": "lesson"})
    assert nameless.json["errors"][0]["field"] == "source_ref"
    taken = client.post(f"{CHECKLIST}/items", json={**new, "key": "er.drill"})
    assert taken.status_code == 409


def test_row_11_similar_systems_suggest_items(client, sre, engaged):
    engaged(service="rose", identity="e2")
    new = {"key": "rose.thorns", "axis": "emergency", "question": "Are the thorns known?", "source": "expert"}
    client.post("/api/engagements/e2/checklist/items", json=new)
    finding = {"title": "Certificates expire unseen", "source": "incident", "axis": "emergency", "severity": "major",
               "pattern": "expired_certificate"}  # fmt: skip
    client.post("/api/engagements/e2/findings", json=finding)
    suggested = client.get(f"{CHECKLIST}/suggestions").json["items"]
    assert [each["item"]["key"] for each in suggested] == ["pattern.expired_certificate", "rose.thorns"]
    assert "tag stage" in suggested[1]["because"]
    taken = client.post(f"{CHECKLIST}/items", json=suggested[1]["item"])
    assert line(taken.json, "rose.thorns")["source_ref"] == "component:default/rose"
    assert len(client.get(f"{CHECKLIST}/suggestions").json["items"]) == 1


def test_a_failing_item_offers_a_finding_until_there_is_one(client, sre):
    body = say(client, **{"er.controls": {"answer": "fail", "reason": "no kill switch"}}).json
    offer = line(body, "er.controls")["offered_finding"]
    assert (offer["severity"], offer["axis"], offer["check"]) == ("blocker", "emergency", "er.controls")
    finding = client.post(f"{CASE}/findings", json=offer).json
    item = line(client.get(CHECKLIST).json, "er.controls")
    assert (item["finding"], item["offered_finding"]) == (finding["id"], None)


def test_progress_counts_by_axis(client, sre):
    body = say(client, **{"er.drill": {"answer": "na", "reason": "new"}}).json
    emergency = body["progress"]["axes"]["emergency"]
    assert (emergency["answered"], emergency["na"]) == (1, 1)
    assert body["progress"]["items"] == len(body["items"]) == sum(a["items"] for a in body["progress"]["axes"].values())


def test_row_42_inherited_items_are_passed_and_the_effort_shrinks():
    items = [Item(f"i{n}", "capacity", "major", "?", "", (f"c{n}",)) for n in range(3)]
    results = {"c0": {"status": "inherited", "sentence": "rpc 2.1."}, "c1": {"status": "inherited", "sentence": "."},
               "c2": {"status": "fail", "sentence": "No."}}  # fmt: skip
    found = lines(items, results, {}, {})
    assert [each.counts for each in found] == ["pass", "pass", "fail"]
    assert progress(found)["inherited"] == 2
    said = effort(found, "simple_prr")
    assert (said["sres"], said["quarters"], said["sentence"]) == (
        [1, 1],
        [1, 1],
        "2 of 3 inherited; about 1 SRE for 1 quarter.",
    )
    assert effort(found[2:], "simple_prr")["sres"] == [2, 3]
    larger = TriageSettings(simple_review_sres=(3, 4), simple_review_quarters=(1, 1))
    assert effort(found[2:], "simple_prr", larger)["sentence"].endswith("about 3–4 SREs for 1 quarter.")


def test_a_waived_item_is_answered_and_shown_apart():
    item = Item("i", "capacity", "major", "?", "", ("c",))
    assert (
        Line(item, lines([item], {"c": {"status": "waived", "sentence": ""}}, {}, {})[0].measured, None).counts
        == "waived"
    )
    given = Given("pass", "seen", "", "sam", NOW, "unknown")
    assert Line(item, None, given).counts == "pass"


def test_the_guards_see_what_is_unanswered(client, sre, session, judging):
    assert facts.gather(session, "e1", NOW).items == 0
    scorecard.update(session, judging, None, NOW)
    session.commit()
    body = say(client, **{"er.drill": {"answer": "na", "reason": "new"}}).json
    seen = facts.gather(session, "e1", NOW)
    assert seen.items == len(body["items"])
    assert set(seen.unanswered) == set(body["unanswered"])
    everything = {key: {"answer": "pass", "reason": "seen"} for key in body["unanswered"]}
    say(client, **everything)
    session.expire_all()
    assert facts.gather(session, "e1", NOW).unanswered == ()


def test_a_blocker_that_a_person_answers_with_fail_bars_though_nobody_made_a_finding_of_it(client, sre, session):
    client.post(f"{CASE}/checklist")
    say(client, **{"er.controls": {"answer": "fail", "reason": "the kill switch did nothing"}})
    assert facts.gather(session, "e1", NOW).failing_items == ("er.controls",)
    gate = client.get(f"{CASE}/outcome").json["gate"]
    assert (gate["passed"], gate["failing_items"]) == (False, ["er.controls"])
    say(client, **{"er.controls": {"answer": "pass", "reason": "tried", "evidence_url": "https://drill.example/8"}})
    session.expire_all()
    assert facts.gather(session, "e1", NOW).failing_items == ()


def test_a_new_review_asks_anew_and_keeps_the_items_of_the_service(client, sre, session):
    new = {"key": "globe.trapdoor", "axis": "emergency", "question": "Is the trapdoor monitored?", "source": "expert"}
    client.post(f"{CHECKLIST}/items", json=new)
    say(client, **{"globe.trapdoor": {"answer": "pass", "reason": "seen"}})
    session.execute(update(Engagement).values(review_round=2))
    session.commit()
    body = client.get(CHECKLIST).json
    assert body["opened_at"] is None
    assert line(body, "globe.trapdoor")["counts"] == "unanswered"
    assert client.post(CHECKLIST).json["review_round"] == 2


def test_a_review_that_has_not_begun_takes_no_answers(client, sre, session):
    session.execute(update(Engagement).values(state="accepted"))
    session.commit()
    assert client.post(CHECKLIST).status_code == 409
    assert client.post("/api/engagements/none/checklist").status_code == 404


@pytest.mark.parametrize("model", ["early", "framework"])
def test_row_09_each_model_has_its_template_of_the_same_items(model):
    ours = templates.load()
    simple = {item["key"] for item in ours["simple_prr"].items}
    own = {item["key"] for item in ours[model].items}
    assert simple < own


def test_row_23_early_engagement_asks_each_item_in_the_phase_that_can_answer_it():
    stages = {item["key"]: item["stage"] for item in templates.load()["early"].items}
    assert stages["arch.timeouts"] == "design"
    assert stages["obs.golden"] == "build"
    assert stages["chg.progressive"] == "launch"


def test_the_template_of_an_organisation_goes_first_and_its_faults_are_named(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    own = folder / "simple_prr.yaml"
    own.write_text("name: simple_prr\nversion: 4\ntitle: Ours\nitems:\n- {key: a, axis: capacity, question: Enough}\n")
    found = templates.load(folder)["simple_prr"]
    assert (found.version, [item["key"] for item in found.items]) == (4, ["a"])
    own.write_text("name: simple_prr\nversion: 0\ntitle: Ours\nitems:\n- {key: a, axis: hope, question: Enough}\n")
    with pytest.raises(InvalidInput) as refused:
        templates.load(folder)
    assert {fault.path.split(".yaml.")[1] for fault in refused.value.faults} == {"version", "items[0].axis"}
