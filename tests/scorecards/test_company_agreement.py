"""Over the whole example company: all that shows a service's standing shows the same, and it is reckoned anew here."""

import csv
import html
import io
import re

import pytest

from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.db import Model, db
from tests.examples.company import NOW, post_what_tools_say, simulated

OF = "/api/services/component/default"
GONE = ("not_applicable", "waived")
GOOD = ("pass", "inherited")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTAL_CLOCK", clock.format_time(NOW))
        with simulated(folder, patch) as config:
            app = create_app(config)
            with app.app_context():
                Model.metadata.create_all(db.engine)
                pipeline.prepare()
                for source in ("catalog", "prometheus", "argocd", "grafana", "slo"):
                    assert pipeline.refresh(source).outcome == "done"
            post_what_tools_say(app.test_client(), folder / "shakespeare" / "tools.yaml")
            yield app.test_client()
            with app.app_context():
                db.engine.dispose()


@pytest.fixture(scope="module")
def cards(client):
    services = client.get("/api/services?limit=100").json["items"]
    assert len(services) == 16
    return {one["ref"]: client.get(f"{OF}/{one['name']}/scorecard").json for one in services}


@pytest.fixture(scope="module")
def top(client):
    """The highest level that any check asks for: none stands above it."""
    return max(check["metadata"]["rank"] for check in client.get("/api/tech-insights/checks").json)


def bars(result, level):
    """Domain model, section 3 and ruling 11: blockers and majors up to a level, minors for L4 only."""
    return int(result["level"][1]) <= level and (result["criticality"] != "minor" or level == 4)


def reckoned(results, top):
    counted = [one for one in results if one["status"] not in GONE]
    if not counted:
        return None, None, None
    weight = sum(one["weight"] for one in counted)
    passed = sum(one["weight"] for one in counted if one["status"] in GOOD)
    known = sum(one["weight"] for one in counted if one["status"] != "unknown")
    level = 0
    if passed:
        lacking = [one for one in counted if one["status"] not in GOOD]
        level = max(n for n in range(top + 1) if n == 0 or not any(bars(one, n) for one in lacking))
        if any(one["status"] == "waived" and one["criticality"] == "blocker" for one in results):
            level = min(level, 3)
    return f"L{level}", round(100 * passed / weight, 1), round(100 * known / weight, 1)


def standing(document):
    return document["level"], document["percent"], document["coverage"]


def by_axis(card):
    return {one["axis"]: one for one in card["axes"]}


def test_levels_and_percentages_are_what_the_verdicts_add_up_to(cards, top):
    for card in cards.values():
        assert standing(card) == reckoned(card["results"], top), card["ref"]
        for axis, shown in by_axis(card).items():
            assert standing(shown) == reckoned([one for one in card["results"] if one["axis"] == axis], top)


def test_a_gain_is_what_the_standing_would_be_with_that_check_passing(cards, top):
    looked_at = 0
    for card in cards.values():
        for index, result in enumerate(card["results"]):
            if result["status"] not in ("fail", "unknown"):
                assert result["gain"] is None
                continue
            mended = [*card["results"][:index], {**result, "status": "pass"}, *card["results"][index + 1 :]]
            of_axis = [one for one in mended if one["axis"] == result["axis"]]
            gain, axis = result["gain"], by_axis(card)[result["axis"]]
            assert (gain["overall_level"], gain["axis_level"]) == (reckoned(mended, top)[0], reckoned(of_axis, top)[0])
            assert gain["axis_points"] == pytest.approx(reckoned(of_axis, top)[1] - axis["percent"], abs=0.11)
            assert gain["overall_points"] == pytest.approx(reckoned(mended, top)[1] - card["percent"], abs=0.11)
            assert f"{gain['axis_points']:g} points on {result['axis']}" in gain["sentence"]
            looked_at += 1
    assert looked_at > 100


def test_tech_insights_tells_the_same_verdicts(client, cards):
    answers = client.post("/api/tech-insights/checks/run", json={"entities": list(cards)}).json
    for answer in answers:
        told = {one["check"]["id"]: one["check"]["metadata"]["status"] for one in answer["results"]}
        card = cards[answer["entity"]]
        every = [*card["results"], *card["shadow_results"]]
        assert told == {one["check"]: one["status"] for one in every if one["status"] != "not_applicable"}
        assert all(one["result"] is (told[one["check"]["id"]] in GOOD) for one in answer["results"])
    assert len(answers) == 16


def test_the_list_of_services_and_both_csv_files_tell_the_same(client, cards):
    rows = list(csv.DictReader(io.StringIO(client.get("/api/scorecards.csv").text)))
    assert [row["ref"] for row in rows] == sorted(cards)
    for row in rows:
        card = cards[row["ref"]]
        shown = {"": card, **{f"{axis}_": one for axis, one in by_axis(card).items()}}
        for prefix, one in shown.items():
            texts = [row[f"{prefix}{part}"] for part in ("level", "percent", "coverage")]
            assert texts == ["" if value is None else str(value) for value in standing(one)]
    for item in client.get("/api/services?limit=100").json["items"]:
        card = cards[item["ref"]]
        assert item["level"] == card["level"]
        verdicts = csv.DictReader(io.StringIO(client.get(f"{OF}/{item['name']}/scorecard.csv").text))
        told = {row["check"]: (row["status"], row["sentence"].lstrip("'")) for row in verdicts}
        own = {one["check"]: (one["status"], one["sentence"]) for one in card["results"]}
        assert own.items() <= told.items()


def test_badge_and_page_show_the_same(client, cards):
    for card in cards.values():
        name = card["ref"].rpartition("/")[2]
        badge = client.get(f"{OF}/{name}/badge.svg").text
        assert f"Level {card['level']}" in badge
        assert f"{card['percent']:.0f} %" in badge
        page = html.unescape(re.sub(r"</?code>|`", "", client.get(f"/pages/component/default/{name}").text))
        assert card["summary"] in page
        for result in card["results"]:
            assert result["sentence"].replace("`", "") in page, result["check"]
            if result["gain"]:
                assert result["gain"]["sentence"] in page
        for axis in card["axes"]:
            if axis["percent"] is not None:
                assert f"{round(axis['percent'])} % pass, {round(axis['coverage'])} % known" in page
