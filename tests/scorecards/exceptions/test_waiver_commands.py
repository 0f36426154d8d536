"""`portal scorecards waivers`, and the import of what was waived elsewhere."""

import json

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import select

from engagements.models import HistoryEvent
from portal_backend.commands import common
from portal_backend.commands import waivers as command
from portal_backend.core.principal import Role
from scorecards.exceptions.models import WaiverRow
from scorecards.exceptions.people import COMMAND_LINE, is_same_person
from tests.scorecards.exceptions.conftest import ATTESTABLE, QUILL

REF = "component:default/quill"
APPROVED = {
    "entity": REF,
    "check": ATTESTABLE,
    "reason": "The rotation is being formed.",
    "compensating_control": "The sister team answers.",
    "until": "2027-03-31",
    "requested_by": "ann",
    "approved_by": "dora",
    "approved_at": "2026-10-03",
}
ASKED = {"approved_by": None, "approved_at": None}
ASKING = ["quill", ATTESTABLE, "--reason", "The rotation is being formed.", "--compensating-control"]
ASKING += ["The sister team answers.", "--until", "2027-03-31T00:00:00Z"]


@pytest.fixture
def portal(app, judged, monkeypatch):
    def run(*arguments, account="mia"):
        monkeypatch.setattr(common.getpass, "getuser", lambda: account)
        return CliRunner().invoke(command.waivers, [str(word) for word in arguments])

    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    return run


@pytest.fixture
def file(tmp_path):
    def write(*entries):
        path = tmp_path / "waived.yaml"
        path.write_text(yaml.safe_dump([{**APPROVED, **entry} for entry in entries]))
        return path

    return write


def kept(session):
    session.expire_all()
    return list(session.scalars(select(WaiverRow).order_by(WaiverRow.requested_at)))


def verdict(client):
    card = client.get(f"{QUILL}/scorecard").json
    return next(one["status"] for one in card["results"] if one["check"] == ATTESTABLE)


def faults(result):
    lines = [line.strip().partition(": ") for line in result.stderr.splitlines()[1:]]
    return {place: message for place, _, message in lines}


def test_one_account_asks_and_another_decides(portal, session, client):
    asked = json.loads(portal("request", *ASKING, "--json").output)
    assert (asked["state"], asked["requested_by"]) == ("requested", "mia (command line)")
    assert f"requested, until 2027-03-31T00:00:00Z, as before; {asked['id']}" in portal("request", *ASKING).output
    refused = portal("approve", asked["id"])
    assert (refused.exit_code, "somebody else has to decide" in faults(refused)["second_person"]) == (2, True)
    assert verdict(client) == "unknown"
    granted = portal("approve", asked["id"], "--until", "2027-01-31T00:00:00Z", account="dora")
    assert granted.output.startswith(f"{REF} {ATTESTABLE}: approved, until 2027-01-31T00:00:00Z; {asked['id']}")
    assert verdict(client) == "waived"
    ended = portal("end", asked["id"], "--reason", "It was formed early.")
    assert ended.output.startswith(f"{REF} {ATTESTABLE}: ended; {asked['id']}")
    assert verdict(client) == "unknown"
    (row,) = kept(session)
    assert (row.state, row.decided_by, row.ended_by) == ("ended", "dora (command line)", "mia (command line)")
    listed = json.loads(portal("list", "--service", "quill", "--state", "ended", "--json").output)["items"]
    assert [one["id"] for one in listed] == [asked["id"]]
    first, second = portal("list", "--owner", "bards").output.splitlines()
    assert first == f"{REF} {ATTESTABLE}: ended; {asked['id']}"
    assert second.startswith("  asked by mia (command line), decided by dora (command line): ")


def test_an_account_is_no_second_person_to_whoever_has_its_name_elsewhere(portal, call, session):
    body = {"check": ATTESTABLE, "reason": APPROVED["reason"], "compensating_control": "Others answer."}
    asked = call("mia", [Role.DEV], "post", f"{QUILL}/waivers", {**body, "until": "2027-03-31T00:00:00Z"}).json
    assert "mia (command line) asked for it" in faults(portal("approve", asked["id"]))["second_person"]
    assert common.operator().name == "mia (command line)".removesuffix(COMMAND_LINE) + COMMAND_LINE
    assert portal("reject", asked["id"], "--reason", "Not while it pages.", account="dora").exit_code == 0
    assert [row.state for row in kept(session)] == ["rejected"]
    assert is_same_person("user:default/Ann", "ann")
    assert not is_same_person("ann", "dora")


def test_what_cannot_be_asked_for_is_refused_with_the_field(portal):
    result = portal("request", "quill", ATTESTABLE, "--reason", "no", "--compensating-control", "no", "--until", "soon")
    assert result.exit_code == 2
    assert set(faults(result)) == {"reason", "compensating_control", "until"}
    assert "There is no waiver nope" in portal("approve", "nope").stderr
    assert "must lie ahead" not in portal("approve", "nope", "--until", "2027-01-31").stderr


def test_what_was_waived_elsewhere_is_imported_once_under_the_names_of_both_people(portal, file, session, client):
    path = file({})
    told = json.loads(portal("import", path, "--dry-run", "--json").output)
    assert (told["dry_run"], told["recorded"], kept(session)) == (True, [f"{REF} {ATTESTABLE}"], [])
    assert portal("import", path).output == "1 recorded, 0 unchanged.\n"
    (row,) = kept(session)
    assert (row.state, row.requested_by, row.decided_by) == ("approved", "ann", "dora")
    assert row.requested_at == row.decided_at
    assert verdict(client) == "waived"
    (event,) = session.scalars(select(HistoryEvent).where(HistoryEvent.kind == "waiver.granted"))
    assert event.actor == "mia (command line)"
    assert event.summary.startswith("mia (command line) imported that dora waived on 2026-10-03 er.drill until 2027-03")
    assert portal("import", path).output == "0 recorded, 1 unchanged.\n"


def test_a_request_that_is_imported_waits_for_somebody_else(portal, file, session, client):
    path = file(ASKED)
    assert portal("import", path).output == "1 recorded, 0 unchanged.\n"
    (row,) = kept(session)
    assert (row.state, row.requested_by, verdict(client)) == ("requested", "ann", "unknown")
    assert "somebody else has to decide" in faults(portal("approve", row.id, account="ann"))["second_person"]
    shorter = portal("approve", row.id, "--until", "2027-01-31T00:00:00Z", account="dora")
    assert (shorter.exit_code, verdict(client)) == (0, "waived")
    assert portal("import", path).output == "0 recorded, 1 unchanged.\n"


@pytest.mark.parametrize(
    ("entry", "place", "words"),
    [
        ({"entity": "component:default/nobody"}, "[1].entity", "register it first"),
        ({"check": "er.none"}, "[1].check", "the catalogue has no check er.none"),
        ({"reason": "short"}, "[1].reason", "10 to 4000 characters"),
        ({"compensating_control": None}, "[1].compensating_control", "may not be null"),
        ({"approved_by": "Ann"}, "[1].approved_by", "a waiver takes a second person to approve it"),
        ({"approved_by": "user:default/ann"}, "[1].approved_by", "a second person"),
        ({"approved_by": None}, "[1].approved_by", "is required beside approved_at"),
        ({"approved_at": None}, "[1].approved_at", "is required beside approved_by"),
        ({"approved_at": "2027-01-01"}, "[1].approved_at", "must not lie in the future"),
        ({"requested_at": "2026-10-04"}, "[1].requested_at", "lies after approved_at"),
        ({"until": "2026-11-01"}, "[1].until", "it ended on 2026-11-01 and counts no longer"),
        ({"until": "2027-04-02"}, "[1].until", "180 days at most from its approval: 2027-04-01T00:00:00Z"),
        ({**ASKED, "until": "2027-05-22"}, "[1].until", "180 days at most"),
        ({"waived_by": "dora"}, "[1].waived_by", "Unknown field"),
    ],
)
def test_one_entry_that_cannot_be_taken_keeps_all_out(portal, file, session, entry, place, words):
    result = portal("import", file({"entity": "component:default/shakespeare"}, entry))
    assert (result.exit_code, kept(session)) == (2, [])
    assert words in faults(result)[place], result.stderr


def test_one_waiver_at_a_time_is_in_force_and_one_request_waits(portal, file, session):
    twice = faults(portal("import", file({}, ASKED)))
    assert twice == {"[1].check": "[0] has this check of this service already; keep one"}
    portal("import", file(ASKED))
    other = faults(portal("import", file({**ASKED, "requested_by": "ben"})))
    assert other["[0].check"].startswith("ann asked for one already (")
    assert portal("import", file({})).exit_code == 0
    again = faults(portal("import", file({"reason": "Another reason for the same."})))
    assert again["[0].check"].startswith("one is in force until 2027-03-31T00:00:00Z (")
    assert sorted(row.state for row in kept(session)) == ["approved", "requested"]
