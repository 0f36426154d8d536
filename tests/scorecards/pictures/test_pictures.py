"""The pictures: true to the scorecard, well-formed whatever stands in it, and not drawn twice for the same reader."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import orjson
import pytest
from sqlalchemy import update as sql_update

from portal_backend.core import clock
from scorecards.checks.definitions import Axis
from scorecards.models import Scorecard
from scorecards.pictures import views
from scorecards.pictures.badge import badge, missing_badge
from scorecards.pictures.drawing import LEVEL_COLOURS, width_of
from scorecards.pictures.radar import radar
from scorecards.pictures.shown import Point, Shown
from scorecards.pictures.trend import trend
from scorecards.scorecard import update
from tests.scorecards.conftest import REF
from tests.scorecards.samples import DAY, NOW

SERVICE = "/api/services/component/default/shakespeare"
GOOD = Shown("L3", 87.4, 100.0)
DARK = Shown("L0", 0.0, 0.0)
NONE = Shown(None, None, None)
NASTY = "<script>alert('&\"]]>\x00\x1b\ud800\ufffe</script>"


def words(picture):
    root = ElementTree.fromstring(picture)
    return [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]


def described(picture):
    root = ElementTree.fromstring(picture)
    assert root.get("role") == "img"
    return [root.find(f"{{http://www.w3.org/2000/svg}}{name}").text for name in ("title", "desc")]


def test_a_badge_says_level_and_percent():
    assert words(badge("readiness", GOOD)) == ["readiness", "L3 · 87 %"]
    title, description = described(badge("readiness", GOOD))
    assert title == "readiness: L3 · 87 %"
    assert "Level L3" in description


def test_unknown_is_written_and_hatched_and_never_shown_as_zero():
    assert words(badge("emergency", DARK)) == ["emergency", "L0 · unknown"]
    half = badge("emergency", Shown("L1", 40.0, 70.0))
    assert words(half)[1] == "L1 · 40 % · 30 % unknown"
    assert 'fill="url(#unknown)"' in half
    assert 'fill="url(#unknown)"' not in badge("emergency", NONE)


def test_where_no_check_applies_there_is_no_number():
    assert words(badge("capacity", NONE)) == ["capacity", "no check applies"]


@pytest.mark.parametrize("colour", LEVEL_COLOURS.values())
def test_every_colour_of_a_level_carries_white_text(colour):
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


def axes(**given):
    return {axis: given.get(axis.value, GOOD) for axis in Axis}


def test_a_radar_names_every_axis_and_what_is_not_known_of_it():
    picture = radar("Shakespeare", axes(emergency=DARK, capacity=NONE, change=Shown("L2", 65.0, 80.0)))
    told = words(picture)
    assert {axis.value for axis in Axis} <= set(told)
    assert {"L0 · unknown", "no check applies", "L2 · 65 % · 20 % ?"} <= set(told)
    assert "Emergency response: level L0, 0 % passes, 100 % unknown" in described(picture)[1]
    assert picture.count("<circle") == 4  # neither the dark axis nor the one without checks has a point at zero


@pytest.mark.parametrize("shown", [NONE, DARK])
def test_a_radar_of_a_service_of_which_nothing_is_known_can_be_drawn(shown):
    picture = radar("Nobody", dict.fromkeys(Axis, shown))
    assert "<circle" not in picture
    words(picture)


def test_a_trend_tells_where_the_levels_moved():
    start = NOW - 90 * DAY
    points = [
        Point(start - DAY, Shown("L1", 30.0, 60.0)),
        Point(start + 30 * DAY, Shown("L2", 70.0, 90.0)),
        Point(start + 60 * DAY, NONE),
        Point(start + 70 * DAY, GOOD),
    ]
    picture = trend("Readiness", points, start, NOW)
    assert [word for word in words(picture) if re.fullmatch("L.|–", word)] == ["L3", "–", "L2", "L1"]
    (line,) = re.findall(r' d="(M[^"]*)"', picture)
    assert line.count("M") == 2  # a gap while no check applied
    assert "from L1 with 30 % passing and 40 % unknown to L3 with 87 % passing" in described(picture)[1]


def test_a_trend_of_a_service_that_is_known_since_lately_fills_the_picture():
    start = NOW - 90 * DAY
    lately = [Point(NOW - DAY, NONE), Point(NOW - timedelta(hours=2), GOOD)]
    picture = trend("Readiness", lately, start, NOW)
    (line,) = re.findall(r' d="M([0-9.]+),[0-9.]+ L([0-9.]+),', picture)
    assert line == ("48.0", "624.0")
    assert f"{NOW:%Y-%m-%d}" in words(picture)
    assert f"{start:%Y-%m-%d}" not in words(picture)
    assert "from no level to L3 with 87 % passing" in described(picture)[1]
    longer = trend("Readiness", [Point(NOW - 30 * DAY, GOOD)], start, NOW)
    assert re.findall(r' d="M([0-9.]+),', longer) == ["432.0"]
    assert f"{start:%Y-%m-%d}" in words(longer)


def test_where_it_stands_now_is_a_dot_even_where_no_line_can_be_drawn():
    assert 'class="dot" cx="624.0"' in trend("Readiness", [Point(NOW, GOOD)], NOW - 90 * DAY, NOW)


def test_a_trend_without_a_judgement_says_so():
    assert "nothing was judged in this time" in words(trend("Readiness", [], NOW - DAY, NOW))


def test_moves_that_lie_close_together_do_not_cover_each_other():
    points = [Point(NOW - timedelta(minutes=60 - n), Shown(f"L{n % 5}", 10.0, 100.0)) for n in range(60)]
    picture = trend("Readiness", points, NOW - 90 * DAY, NOW)
    places = sorted(float(x) for x in re.findall(r'<rect x="([\d.]+)" y="38"', picture))
    assert all(after - before >= 22 for before, after in zip(places, places[1:], strict=False))


def test_nothing_that_stands_in_a_name_breaks_out_of_a_picture():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for picture in (
        badge(NASTY, GOOD),
        missing_badge(NASTY),
        radar(NASTY, axes()),
        trend(NASTY, [Point(start, GOOD)], start, NOW),
    ):
        root = ElementTree.fromstring(picture)
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_the_width_of_a_text_grows_with_it():
    assert width_of("illi") < width_of("abcd") < width_of("WWWW") < width_of("日本日本")


@pytest.fixture
def judged(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    update(session, company.judging, None, NOW)
    session.commit()
    return company


@pytest.mark.parametrize(
    "path", ["badge.svg", "badge.svg?axis=change", "badge.svg?label=SRE", "radar.svg", "trend.svg"]
)
def test_a_picture_is_answered_as_svg_that_may_be_kept_a_while(judged, client, path):
    answer = client.get(f"{SERVICE}/{path}")
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "max-age=300"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    described(answer.text)


def test_the_badge_shows_what_is_stored(judged, client, session):
    row = session.get(Scorecard, REF)
    assert words(client.get(f"{SERVICE}/badge.svg").text)[1].startswith(f"{row.level} · {row.percent:.0f} %")
    label, message = words(client.get(f"{SERVICE}/badge.svg?axis=change").text)
    assert (label, message.split(" ")[0]) == ("change", row.change_level)


def test_a_level_that_an_outage_holds_is_shown_as_frozen_and_no_other(judged, client, session):
    held = {"arch.redundancy": ["prometheus", clock.format_time(NOW), clock.format_time(NOW + DAY)]}
    row = session.get(Scorecard, REF)
    row.document = orjson.dumps({**orjson.loads(row.document), "held": held})
    row.frozen_until, row.level, row.architecture_level, row.change_level = NOW + DAY, "L3", "L3", "L3"
    session.commit()
    badge_ = client.get(f"{SERVICE}/badge.svg").text
    assert words(badge_)[1].startswith("L3 frozen · ")
    assert "the level is held for a while" in described(badge_)[1]
    assert " frozen · " in words(client.get(f"{SERVICE}/badge.svg?axis=architecture").text)[1]
    assert " frozen" not in words(client.get(f"{SERVICE}/badge.svg?axis=change").text)[1]
    assert sum(" frozen · " in (word or "") for word in words(client.get(f"{SERVICE}/radar.svg").text)) == 1
    assert client.get(SERVICE).json["frozen_until"] == clock.format_time(NOW + DAY)
    row.level = "L1"
    session.commit()
    assert " frozen" not in words(client.get(f"{SERVICE}/badge.svg").text)[1]


@pytest.mark.parametrize("name", ["badge", "radar", "trend"])
def test_a_reader_who_has_a_picture_is_answered_without_drawing_it(judged, client, session, monkeypatch, name):
    path = f"{SERVICE}/{name}.svg"
    etag = client.get(path).headers["ETag"]

    def fail(*_given):
        raise AssertionError("was drawn")

    with monkeypatch.context() as patched:
        patched.setattr(views, name, fail)
        again = client.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    if name != "trend":
        changed = sql_update(Scorecard).values(level="L1", percent=12.0, change_percent=12.0)
        session.execute(changed)
        session.commit()
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_badge_of_no_service_is_not_found_and_says_so_as_a_picture(judged, client):
    answer = client.get("/api/services/component/default/nobody/badge.svg")
    assert (answer.status_code, answer.mimetype) == (404, "image/svg+xml")
    assert words(answer.text) == ["readiness", "service not found"]
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["component/default/nobody/radar.svg", "component/default/a%00b/trend.svg"])
def test_other_pictures_of_no_service_are_not_found(judged, client, path):
    assert client.get(f"/api/services/{path}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "badge.svg?axis=overall",
        "badge.svg?label=",
        f"badge.svg?label={'x' * 41}",
        "badge.svg?colour=red",
        "radar.svg?axis=change",
        "trend.svg?days=0",
        "trend.svg?days=100000",
        "trend.svg?days=ninety",
    ],
)
def test_an_unknown_or_bad_parameter_is_refused(judged, client, path):
    assert client.get(f"{SERVICE}/{path}").status_code == 400


def test_the_trend_shows_levels_of_other_days(judged, client, session, monkeypatch):
    judged.observe({"deploys.change_failure_rate_30d": 0.9}, now=NOW + DAY)
    update(session, judged.judging, None, NOW + DAY)
    session.commit()
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 2 * DAY))
    picture = client.get(f"{SERVICE}/trend.svg?days=30&axis=change").text
    assert described(picture)[0] == "Readiness of Shakespeare: Change management"
    (line,) = re.findall(r' d="(M[^"]*)"', picture)
    assert len(set(re.findall(r",([\d.]+)", line))) == 2  # it stood at one height, and then at another
