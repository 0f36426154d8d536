"""Answers that are sent again as they were: never once anything that they rest on is another."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, transaction
from portal_backend.core.tokens import issue_token
from scorecards.exceptions.models import AttestationRow, WaiverRow
from scorecards.judging import init_app, make_judging
from scorecards.scorecard import update
from scorecards.tech_insights.answers import LARGEST_ANSWER, Answers, Told
from scorecards.tech_insights.lasting import reads_alike_until
from scorecards.tech_insights.looking import is_from_afar
from scorecards.tech_insights.tokens import STATE
from scorecards.tech_insights.views import SHELF
from scorecards.wording import write
from tests.scorecards.conftest import QUILL, REF, SHAKESPEARE, SOURCES, catalogue_and_specs
from tests.scorecards.samples import DAY, MINUTE, NOW
from tests.scorecards.tech_insights.conftest import MANY, ONE

HOUR = timedelta(hours=1)
ASKED = {ONE: {}, MANY: {"entities": [REF, QUILL, "component:default/nobody"]}}
EVERYWHERE = pytest.mark.parametrize("path", [ONE, MANY])


def afresh(app, client, path):
    """Return what a process says that has kept nothing, and leave what is kept."""
    kept = app.extensions.pop(SHELF, None)
    answer = client.post(path, json=ASKED[path])
    app.extensions[SHELF] = kept
    return answer.data


def a_fact(judged, _session):
    judged.observe({"deploys.change_failure_rate_30d": 0.41})


def a_verdict(judged, session):
    judged.observe({"deploys.change_failure_rate_30d": 0.1}, now=NOW + MINUTE)
    update(session, judged.judging, None, NOW + MINUTE)


def a_waiver(judged, session):
    days = {"requested_at": NOW - DAY, "decided_at": NOW - HOUR, "until": NOW + 30 * DAY}
    asked = {
        "reason": "The old pipeline goes in May.",
        "compensating_control": "We look.",
        "requested_by": "ann",
    }
    row = WaiverRow(id="w", entity_ref=REF, check_id="chg.cfr", state="approved", decided_by="bob", **days, **asked)
    session.add(row)
    update(session, judged.judging, None, NOW)


def an_attestation(judged, session):
    unattested = next(check for check in judged.judging.catalogue.checks.values() if check.rule is None)
    given = {"holds": True, "statement": "We do.", "attested_by": "ann", "check_version": unattested.version}
    days = {"attested_at": NOW - DAY, "expires_at": NOW + 30 * DAY}
    session.add(AttestationRow(id="a", entity_ref=REF, check_id=unattested.id, **given, **days))
    update(session, judged.judging, None, NOW)


def the_catalog(judged, session):
    judged.write("shakespeare.yaml", SHAKESPEARE.replace("criticality: T1", "criticality: T3"), NOW + MINUTE)
    update(session, judged.judging, None, NOW)


def a_neighbour(judged, _session):
    judged.observe({"slo.availability.target": 0.99999}, QUILL)


def a_source(_judged, session):
    session.execute(text("DELETE FROM entity_facts WHERE source = 'argocd'"))


@EVERYWHERE
@pytest.mark.parametrize(
    "change",
    [a_fact, a_verdict, a_waiver, an_attestation, the_catalog, a_neighbour, a_source],
    ids=lambda it: it.__name__,
)
def test_the_very_next_answer_tells_of(change, path, judged, client, session, app):
    before = client.post(path, json=ASKED[path]).data
    assert client.post(path, json=ASKED[path]).data == before
    change(judged, session)
    session.flush()
    assert client.post(path, json=ASKED[path]).data == before  # nothing is committed yet
    session.commit()
    answer = client.post(path, json=ASKED[path]).data
    assert answer != before
    assert answer == afresh(app, client, path)
    assert answer == client.post(path, json=ASKED[path]).data


def test_what_rests_on_a_service_alone_follows_each_thing_that_it_rests_on(judged, client, session, app):
    near = [check.id for check in judged.judging.catalogue.checks.values() if not is_from_afar(check)]
    asked = {"entities": [REF, QUILL], "checks": near}

    def answer():
        return client.post(MANY, json=asked).data

    for change in (a_waiver, an_attestation, a_fact, a_verdict, a_source):
        before = answer()
        assert answer() == before
        change(judged, session)
        session.commit()
        after = answer()
        kept = app.extensions.pop(SHELF)
        assert after == answer()
        app.extensions[SHELF] = kept
        assert after != before, change.__name__
        assert after == answer()


def test_of_many_services_only_the_one_that_changed_is_told_anew(judged, client, session, statements):
    asked = {"entities": [REF, QUILL], "checks": ["chg.cfr"]}
    before = client.post(MANY, json=asked).json
    judged.observe({"deploys.change_failure_rate_30d": 0.41}, QUILL)
    session.commit()
    statements.clear()
    after = client.post(MANY, json=asked).json
    assert (after[0], after[1] == before[1]) == (before[0], False)
    assert len([sql for sql in statements if "card.document" in sql]) == 1


def test_sources_that_change_places_are_told_of_at_once(judged, client, session):
    judged.observe({"deploys.change_failure_rate_30d": 0.4})
    session.execute(text("UPDATE entity_facts SET source = 'elsewhere' WHERE source = 'prometheus'"))
    session.commit()
    asked = {"entities": [REF], "checks": ["cap.limits"]}
    assert b"elsewhere" in client.post(MANY, json=asked).data
    rest = "document, batch_observed_at, batch_collected_at, updated_at"
    again = f"SELECT entity_ref, 'prometheus', {rest} FROM entity_facts WHERE source = 'elsewhere'"
    session.execute(text(f"INSERT INTO entity_facts (entity_ref, source, {rest}) {again}"))
    session.commit()
    assert b"elsewhere" not in client.post(MANY, json=asked).data
    session.execute(text("UPDATE plugin_source SET configured = false WHERE name = 'prometheus'"))
    session.commit()
    assert b"elsewhere" in client.post(MANY, json=asked).data


def test_a_failing_source_is_told_of_at_once(judged, client, session, app):
    judged.observe({}, QUILL)
    session.execute(text("DELETE FROM entity_facts WHERE source = 'argocd'"))
    session.commit()
    before = client.post(ONE, json={}).data
    judged.touch(SOURCES[3], failure_kind="timeout", failure_message="no answer")
    session.commit()
    answer = client.post(ONE, json={}).data
    assert b"no answer" in answer
    assert b"no answer" not in before
    assert answer == afresh(app, client, ONE)


@EVERYWHERE
def test_other_checks_are_told_of_at_once(path, judged, client, app):
    before = client.post(path, json=ASKED[path]).json
    catalogue, specs = catalogue_and_specs()
    checks = {id_: check for id_, check in catalogue.checks.items() if id_ != "chg.cfr"}
    fewer = replace(catalogue, checks=checks, version="fewer")
    init_app(app, make_judging(fewer, specs, {}, ("service",)))
    assert client.post(path, json=ASKED[path]).json != before
    assert b"chg.cfr" not in client.post(path, json=ASKED[path]).data


@EVERYWHERE
def test_what_another_process_writes_is_told_of_at_once(path, judged, client, app, database_url):
    before = client.post(path, json=ASKED[path]).data
    program = (
        "import sys, sqlalchemy as sa\n"
        "with sa.create_engine(sys.argv[1]).begin() as connection:\n"
        "    connection.execute(sa.text(\"DELETE FROM entity_facts WHERE source = 'argocd'\"))"
    )
    with app.app_context():
        url = db.engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", program, url], check=True)
    answer = client.post(path, json=ASKED[path]).data
    assert answer != before
    assert answer == afresh(app, client, path)


@EVERYWHERE
def test_what_began_before_the_answer_and_ends_after_it_is_told_of(path, judged, client, app, database):
    if database == "sqlite":
        pytest.skip("keeps no whole answers, and lets no two write at a time")
    with app.app_context():
        engine = db.engine
    with Session(engine) as slow, Session(engine) as quick:
        slow.execute(text("DELETE FROM entity_facts WHERE source = 'argocd'"))
        quick.execute(text("UPDATE plugin_source SET position = position"))
        quick.commit()
        before = client.post(path, json=ASKED[path]).data
        slow.commit()
    answer = client.post(path, json=ASKED[path]).data
    assert answer != before
    assert answer == afresh(app, client, path)


@EVERYWHERE
def test_what_was_answered_follows_the_clock(path, judged, client, app, monkeypatch):
    told = []
    midnight = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC) + DAY
    for moment in (NOW, NOW + MINUTE, NOW + HOUR, midnight, NOW + DAY + HOUR, NOW + 4 * DAY, NOW + 40 * DAY):
        monkeypatch.setenv(clock.VARIABLE, clock.format_time(moment))
        told.append(client.post(path, json=ASKED[path]).data)
        assert told[-1] == afresh(app, client, path)
    assert told[0] == told[1] != told[-1]


@EVERYWHERE
def test_one_statement_tells_that_nothing_was_written(path, judged, client, statements, database):
    if database == "sqlite":
        pytest.skip("has nothing that tells of any write")
    client.post(path, json=ASKED[path])
    asked = []
    for _ in range(20):  # the server may write of its own accord in between
        statements.clear()
        client.post(path, json=ASKED[path])
        asked.append(list(statements))
    assert [STATE] in asked


@EVERYWHERE
def test_the_same_bytes_as_something_else_are_refused_as_ever(path, judged, client):
    body = b'{"entities": ["component:default/quill"]}' if path == MANY else b"{}"
    assert client.post(path, data=body, content_type="application/json").status_code == 200
    assert client.post(path, data=body, content_type="text/plain").status_code == 400
    assert client.post(path, data=body + b"]", content_type="application/json").status_code == 400


@pytest.mark.parametrize("now", [NOW, datetime(2026, 11, 22, 23, 59, 59, 500_000, tzinfo=UTC)])
@pytest.mark.parametrize("away", [0, 0.4, 1, 59.7, 60, 3_599, 3_600, 7_205.3, 86_399, 86_400, 200_000.25, 9_000_000])
def test_a_moment_reads_alike_for_as_long_as_is_said(now, away):
    for moment in (now - timedelta(seconds=away), now + timedelta(seconds=away)):
        until = reads_alike_until(moment, now)
        assert until >= now
        between = [now + (until - now) * part / 7 for part in range(8)]
        assert {write(moment, "", at) for at in between} == {write(moment, "", now)}


def test_only_what_is_not_too_large_is_kept_and_only_with_a_state():
    answers = Answers()
    answers.keep("small", b"{}", "1:1:", Told(b"[]", NOW))
    answers.keep("large", b"{}", "1:1:", Told(b" " * LARGEST_ANSWER, None))
    answers.keep("stateless", b"{}", None, Told(b"[]", None))
    assert answers.get("small", "1:1:", NOW) == (Told(b"[]", NOW), True)
    assert answers.get("small", "1:2:", NOW) == (Told(b"[]", NOW), False)
    assert answers.get("small", "1:1:", NOW + MINUTE) == (None, False)
    assert answers.get("large", "1:1:", NOW) == (None, False)
    assert answers.get("stateless", None, NOW) == (None, False)


def test_what_else_is_written_costs_an_answer_its_tokens_only(judged, client, session, statements):
    before = client.post(MANY, json=ASKED[MANY]).data
    session.execute(text("UPDATE plugin_source SET next_due_at = NULL"))
    session.commit()
    statements.clear()
    assert client.post(MANY, json=ASKED[MANY]).data == before
    assert len([sql for sql in statements if sql != STATE]) == 2


def test_who_may_not_ask_is_refused_what_is_kept_for_others(tmp_path):
    app = create_app(Config(database_url=f"sqlite:///{tmp_path}/t.db", data_dir=tmp_path, service_tokens=True))
    with app.app_context():
        Model.metadata.create_all(db.engine)
        with transaction() as session:
            tokens = [
                issue_token(session, "robot", (), [scope], DAY, clock.now()).text
                for scope in ("tech-insights:read", "catalog:read")
            ]
    client = app.test_client()
    codes = [
        client.post(MANY, json={"entities": [REF]}, headers={"Authorization": f"Bearer {token}"}).status_code
        for token in (tokens[0], tokens[0], tokens[1], "none")
    ]
    assert codes == [200, 200, 403, 401]
