"""`portal engagements rebuild` and `verify-history` as an operator uses them."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, update

from engagements import history, support
from engagements.chain import append_only
from engagements.models import HistoryEvent, HistoryHead, Support
from engagements.support import SupportRecord
from engagements.tiers import Tier
from portal_backend.commands import common
from portal_backend.commands.engagements import engagements
from tests.engagements.conftest import MANAGER, NOW, component, ref
from tests.engagements.test_history import deploy


@pytest.fixture
def portal(app, catalog_of, session, monkeypatch):
    catalog_of(component("globe"), component("rose"))
    support.adopt(session, [SupportRecord(ref("rose"), Tier.FULL_SRE, NOW, "mia", "early", "active")], MANAGER, NOW)
    history.record(session, [deploy(n, ref=ref("globe")) for n in range(3)], NOW)
    session.commit()
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    monkeypatch.setattr(common.console, "size", (250, 100))
    return lambda *arguments: CliRunner().invoke(engagements, [str(argument) for argument in arguments])


@pytest.fixture
def tampered(session):
    append_only.unprotect(session.connection())
    session.execute(update(HistoryEvent).where(HistoryEvent.kind == "tier.changed").values(actor="mallory"))
    append_only.protect(session.connection())
    session.commit()


def test_a_history_that_holds_together(portal):
    result = portal("verify-history")
    assert (result.exit_code, result.stdout) == (0, "4 events of 2 services checked, 0 faults.\n")
    body = json.loads(portal("verify-history", "--service", "globe", "--json").stdout)
    assert (body["ok"], body["events"], body["faults"]) == (True, 3, [])


def test_a_changed_event_ends_with_its_place_and_exit_code_1(portal, tampered):
    result = portal("verify-history", "--json")
    assert result.exit_code == 1
    (fault,) = json.loads(result.stdout)["faults"]
    assert (fault["entity_ref"], fault["sequence"], fault["kind"]) == (ref("rose"), 1, "changed")
    assert "Event 1 of component:default/rose" in portal("verify-history").stdout
    assert portal("verify-history", "--service", "globe").exit_code == 0


def test_an_earlier_check_shows_what_was_cut_off_together_with_its_head(portal, session, tmp_path):
    kept = tmp_path / "kept.json"
    assert portal("verify-history", "--save", kept).exit_code == 0
    append_only.unprotect(session.connection())
    session.execute(delete(HistoryEvent).where(HistoryEvent.entity_ref == ref("rose")))
    session.execute(delete(HistoryHead).where(HistoryHead.entity_ref == ref("rose")))
    append_only.protect(session.connection())
    session.commit()
    assert portal("verify-history").exit_code == 0
    result = portal("verify-history", "--against", kept)
    assert result.exit_code == 1
    assert "Event 1 was the last one of component:default/rose" in result.stdout


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"a": {"sequence": "1", "hash": ""}}'])
def test_a_file_that_holds_something_else_is_refused(portal, tmp_path, content):
    path = tmp_path / "kept.json"
    path.write_text(content)
    assert portal("verify-history", "--against", path).exit_code == 2


def test_states_that_are_as_the_history_tells(portal):
    result = portal("rebuild", "--verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["differences"]) == (0, 0)


def test_rebuild_mends_only_when_told_to(portal, session):
    session.execute(update(Support).values(tier="platform"))
    session.commit()
    for arguments in (["--verify"], []):
        result = portal("rebuild", *arguments)
        assert result.exit_code == 1
        assert "support: 1 not as the history tells" in result.stdout
        assert "component:default/rose" in result.stdout
    result = portal("rebuild", "--yes", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["mended"] is True
    assert json.loads(result.stdout)["parts"]["support"] == [ref("rose")]
    assert portal("rebuild", "--verify").exit_code == 0
    session.rollback()
    assert support.read(session, ref("rose")).tier is Tier.FULL_SRE


def test_nothing_is_made_from_a_history_that_was_tampered_with(portal, session, tampered):
    session.execute(update(Support).values(tier="platform"))
    session.commit()
    result = portal("rebuild", "--yes")
    assert result.exit_code == 2
    assert "does not hold together" in result.stderr
    session.rollback()
    assert support.read(session, ref("rose")).tier is Tier.PLATFORM


def test_looking_and_mending_at_once_is_refused(portal):
    assert portal("rebuild", "--verify", "--yes").exit_code == 2
