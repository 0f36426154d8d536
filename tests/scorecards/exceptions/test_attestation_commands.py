"""`portal scorecards attestations`, and the import of what was attested elsewhere."""

import json

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import select

from engagements.models import HistoryEvent
from portal_backend.commands import attestations as command
from portal_backend.commands import common
from portal_backend.core.faults import MOST_FAULTS
from scorecards.exceptions.models import AttestationRow
from tests.scorecards.exceptions.conftest import ATTESTABLE, MEASURED
from tests.scorecards.samples import DAY, NOW

REF = "component:default/quill"
ENTRY = {
    "entity": REF,
    "check": ATTESTABLE,
    "statement": "Wheel of misfortune on 3 October, all six of the rotation attended.",
    "evidence_url": "https://wiki.example/quill/drills/2026-10",
    "attested_by": "ann",
    "attested_at": "2026-10-03",
}


@pytest.fixture
def portal(app, judged, monkeypatch):
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    monkeypatch.setattr(common.getpass, "getuser", lambda: "mia")
    return lambda *arguments: CliRunner().invoke(command.attestations, [str(word) for word in arguments])


@pytest.fixture
def file(tmp_path):
    def write(*entries):
        path = tmp_path / "attested.yaml"
        path.write_text(yaml.safe_dump([{**ENTRY, **entry} for entry in entries]))
        return path

    return write


def kept(session):
    session.expire_all()
    return list(session.scalars(select(AttestationRow).order_by(AttestationRow.attested_at)))


def test_what_was_attested_elsewhere_is_imported_once_under_its_authors_names(portal, file, session):
    path = file({})
    told = json.loads(portal("import", path, "--dry-run", "--json").output)
    assert (told["dry_run"], told["recorded"], kept(session)) == (True, [f"{REF} {ATTESTABLE}"], [])
    result = portal("import", path)
    assert (result.exit_code, result.output) == (0, "1 recorded, 0 unchanged.\n"), result.output
    (row,) = kept(session)
    assert (row.attested_by, row.attested_at.isoformat(), row.check_version) == ("ann", "2026-10-03T00:00:00+00:00", 1)
    assert (row.expires_at - row.attested_at) == 180 * DAY
    (event,) = session.scalars(select(HistoryEvent).where(HistoryEvent.kind == "attestation.given"))
    assert event.actor == "mia (command line)"
    assert event.summary.startswith("mia (command line) imported what ann attested on 2026-10-03: er.drill is so")
    assert portal("import", path).output == "0 recorded, 1 unchanged.\n"
    assert len(kept(session)) == 1


def test_the_service_is_judged_by_it_at_once(portal, file, client):
    portal("import", file({}))
    card = client.get("/api/services/component/default/quill/scorecard").json
    result = next(one for one in card["results"] if one["check"] == ATTESTABLE)
    assert (result["status"], result["evidence"], result["attestation"]["attested_by"]) == ("pass", "attested", "ann")


@pytest.mark.parametrize(
    ("entry", "place", "words"),
    [
        ({"entity": "component:default/nobody"}, "[1].entity", "register it first"),
        ({"entity": "component:"}, "[1].entity", "component:"),
        ({"check": "er.none"}, "[1].check", "the catalogue has no check er.none"),
        ({"check": MEASURED}, "[1].check", "measured"),
        ({"check": "cap.limits"}, "[1].check", "only ever measured"),
        ({"statement": "short"}, "[1].statement", "10 to 4000 characters"),
        ({"evidence_url": None}, "[1].evidence_url", "no pass goes without"),
        ({"evidence_url": "wiki"}, "[1].evidence_url", "http or https address"),
        ({"attested_by": ""}, "[1].attested_by", "1 to 200 characters"),
        ({"attested_at": "yesterday"}, "[1].attested_at", "Not a time"),
        ({"attested_at": "2027-01-01"}, "[1].attested_at", "must not lie in the future"),
        ({"attested_at": "2025-01-01"}, "[1].attested_at", "it ended on 2025-06-30 and answers no longer"),
        ({"expires_at": "2028-01-01"}, "[1].expires_at", "180 days at most"),
        ({"holds": "perhaps"}, "[1].holds", "Not a valid boolean"),
        ({"said_by": "ann"}, "[1].said_by", "Unknown field"),
    ],
)
def test_one_entry_that_cannot_be_taken_keeps_all_out(portal, file, session, entry, place, words):
    other = {"entity": "component:default/shakespeare"}
    result = portal("import", file(other, {**entry}))
    assert result.exit_code == 2
    assert kept(session) == []
    shown = portal_faults(result)
    assert words in shown[place], result.stderr


def portal_faults(result):
    lines = [line.strip().partition(": ") for line in result.stderr.splitlines()[1:]]
    return {place: message for place, _, message in lines}


def test_every_fault_of_a_file_is_told_and_of_a_long_one_the_first_with_the_count_of_the_rest(portal, file):
    shown = portal_faults(portal("import", file({"check": "er.none"}, {"entity": "component:default/nobody"}, {}, {})))
    assert sorted(shown) == ["[0].check", "[1].entity", "[3].check"]
    assert shown["[3].check"] == "[2] has this check of this service already; keep one"
    many = [{"entity": f"component:default/nobody-{number}"} for number in range(MOST_FAULTS + 30)]
    result = portal("import", file(*many))
    assert len(result.stderr.splitlines()) == MOST_FAULTS + 2
    assert "30 more faults" in result.stderr.splitlines()[-1]


def test_a_newer_answer_stands_and_an_older_one_is_superseded(portal, file, session):
    portal("import", file({"attested_at": "2026-10-03"}))
    refused = portal("import", file({"attested_at": "2026-09-01", "statement": "An earlier drill in the summer."}))
    assert portal_faults(refused)["[0].attested_at"] == "ann answered it on 2026-10-03, which stands; leave it out"
    portal("import", file({"attested_at": "2026-11-01T10:00:00Z", "statement": "A later drill in the autumn."}))
    assert [(row.statement[:7], row.end_kind) for row in kept(session)] == [
        ("Wheel o", "superseded"),
        ("A later", None),
    ]
    assert portal("import", file({})).output == "0 recorded, 1 unchanged.\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("entity: x", "must be one YAML list"),
        ("- a\n---\n- b", "must be one YAML list"),
        ("- [", "cannot be read"),
        ("- plain", "Must be an object"),
        (b"\xff\xfe\xfa", "it is not UTF-8"),
    ],
)
def test_what_is_no_list_of_attestations_is_refused(portal, tmp_path, text, words):
    path = tmp_path / "attested.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = portal("import", path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "cannot be read" in portal("import", tmp_path / "none.yaml").stderr
    path.write_text("")
    assert portal("import", path).output == "0 recorded, 0 unchanged.\n"


def test_somebody_attests_at_the_command_line(portal, session, monkeypatch):
    said = ["quill", ATTESTABLE, "--statement", "Wheel of misfortune today, all six attended."]
    refused = portal("give", *said)
    assert (refused.exit_code, "evidence_url" in refused.stderr) == (2, True)
    said += ["--evidence-url", "https://wiki.example/quill/drills"]
    assert "attested by mia (command line) until 2027-05-21T12:00:00Z." in portal("give", *said).output
    assert "until 2027-05-21T12:00:00Z, as before." in portal("give", *said).output
    (row,) = kept(session)
    assert (row.holds, row.attested_at) == (True, NOW)
    assert "10 to 4000" in portal("give", "quill", ATTESTABLE, "--statement", "no").stderr
    denied = json.loads(
        portal(
            "give", "quill", ATTESTABLE, "--does-not-hold", "--statement", "No drill was ever held.", "--json"
        ).output
    )
    assert (denied["holds"], denied["state"]) == (False, "in_force")
    listed = json.loads(portal("list", "--service", "quill", "--json").output)["items"]
    assert {one["state"]: one["holds"] for one in listed} == {"in_force": False, "superseded": True}
    monkeypatch.setattr(common, "console", Console(width=300))
    table = portal("list", "--state", "in_force", "--owner", "bards").output
    assert "No drill was ever held." in table
    assert "2026-11-22T12:00:00Z" in table
    assert "There is more: --cursor " in portal("list", "--limit", "1", "--service", "quill").output
