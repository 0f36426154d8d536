"""Scorecards as CSV: stable columns, bounded memory, and nothing that a spreadsheet would run."""

import csv
import io

import pytest
from sqlalchemy import update as sql_update

from portal_backend.core import clock
from scorecards.exports import tables
from scorecards.exports.tables import csv_text
from scorecards.models import Scorecard
from scorecards.scorecard import update
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import NOW

ALL = "/api/scorecards.csv"
ONE = "/api/services/component/default/shakespeare/scorecard.csv"


@pytest.fixture
def judged(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    update(session, company.judging, None, NOW)
    session.commit()
    return company


def rows(answer):
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_every_service_has_a_row(judged, client, session):
    found = rows(client.get(ALL))
    assert [row["ref"] for row in found] == [QUILL, REF]
    stored = session.get(Scorecard, REF)
    row = found[1]
    assert (row["level"], float(row["percent"]), float(row["coverage"])) == (
        stored.level,
        stored.percent,
        stored.coverage,
    )
    assert row["criticality"] == "T1"
    assert row["owner"].endswith("bards")
    assert row["change_level"] == stored.change_level
    assert row["evaluated_at"] == "2026-11-22T12:00:00Z"
    assert row["next_step"] == stored.next_step


@pytest.mark.parametrize("path", [ALL, ONE])
def test_a_table_is_sent_again_only_when_it_changed(judged, client, session, monkeypatch, path):
    first = client.get(path)
    assert first.data.startswith(b"ref,") or first.data.startswith(b"check,")
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    judged.observe({"runtime.replicas": 1}, now=NOW)
    update(session, judged.judging, [REF], NOW)
    session.commit()
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.headers["ETag"] != first.headers["ETag"]) == (200, True)
    assert changed.data not in {b"", first.data}


def test_the_columns_keep_their_order(judged, client):
    header = client.get(ALL).text.splitlines()[0].split(",")
    assert header[:7] == ["ref", "owner", "criticality", "required_level", "level", "percent", "coverage"]
    assert header[7:10] == ["architecture_level", "architecture_percent", "architecture_coverage"]
    assert header[-3:] == ["next_step", "evaluated_at", "frozen_until"]
    assert len(header) == 7 + 18 + 3


def test_without_services_there_are_the_columns_alone(client):
    assert rows(client.get(ALL)) == []


def test_pages_are_read_one_after_the_other_and_none_is_lost(judged, client, monkeypatch):
    monkeypatch.setattr(tables, "PAGE", 1)
    assert [row["ref"] for row in rows(client.get(ALL))] == [QUILL, REF]


def test_every_verdict_on_a_service_has_a_row(judged, client):
    card = client.get("/api/services/component/default/shakespeare/scorecard").json
    found = {row["check"]: row for row in rows(client.get(ONE))}
    assert found.keys() == {result["check"] for result in card["results"]}
    for result in card["results"]:
        row = found[result["check"]]
        assert (row["status"], row["axis"], row["level"]) == (result["status"], result["axis"], result["level"])
        assert row["sentence"] == result["sentence"]
    assert "runtime.resources.set = yes" in found["cap.limits"]["facts"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_is_text(text):
    (row,) = csv.reader(io.StringIO(csv_text([[text]]), newline=""))
    assert row == [f"'{text}"]


def test_numbers_and_plain_texts_stay_as_they_are():
    (row,) = csv.reader(io.StringIO(csv_text([[-1.5, "a=b", 'say "x", y', "two\nlines", None]]), newline=""))
    assert row == ["-1.5", "a=b", 'say "x", y', "two\nlines", ""]


def test_a_formula_from_the_catalog_is_neutralised(judged, client, session):
    session.execute(sql_update(Scorecard).where(Scorecard.entity_ref == REF).values(next_step='=HYPERLINK("x")'))
    session.commit()
    assert rows(client.get(ALL))[1]["next_step"] == '\'=HYPERLINK("x")'


def test_the_verdicts_on_no_service_are_not_found(judged, client):
    for name in ("nobody", "a%00b"):
        assert client.get(f"/api/services/component/default/{name}/scorecard.csv").status_code == 404


@pytest.mark.parametrize("path", [f"{ALL}?owner=x", f"{ONE}?a=b"])
def test_an_unknown_parameter_is_refused(judged, client, path):
    assert client.get(path).status_code == 400
