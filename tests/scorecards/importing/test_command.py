"""`portal scorecards import`: from a checklist to a file of checks that validates, without any database."""

import json

import pytest
import yaml
from click.testing import CliRunner

from portal_backend.cli import main
from portal_backend.core import clock
from tests.scorecards.samples import NOW

LIST = "- [ ] Every alert has a runbook\n- [ ] TLS certificates are renewed before they expire\n"


@pytest.fixture
def portal(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    (tmp_path / "list.md").write_text(LIST)
    return lambda *arguments: CliRunner().invoke(main, ["scorecards", *arguments])


def test_a_checklist_becomes_a_file_that_validates(portal, tmp_path):
    result = portal("import", "list.md", "--output", "checks.yaml", "--owner", "platform")
    assert result.exit_code == 0, result.output
    assert "2 lines: 1 asked by a check of the catalogue already, 1 answered by facts." in result.stdout
    written = yaml.safe_load((tmp_path / "checks.yaml").read_text())
    assert written["defaults"]["owner"] == "platform"
    assert (written["defaults"]["introduced_at"], written["defaults"]["enforce_from"]) == ("2026-11-22", "2026-12-22")
    assert [fact["key"] for fact in written["facts"]] == ["tls.expires_at"]
    assert json.loads(portal("validate", "checks.yaml", "--json").stdout)["checks"] == 58


def test_without_a_file_the_checks_are_printed_and_the_rest_stands_beside(portal):
    result = portal("import", "list.md", "--enforce-from", "2027-03-01", "--prefix", "org")
    written = yaml.safe_load(result.stdout)
    assert written["defaults"]["enforce_from"] == "2027-03-01"
    assert [check["id"] for check in written["checks"]] == ["org.tls_certificates_are_renewed_before_they"]
    assert "1 answered by facts" in result.stderr


@pytest.mark.parametrize(("text", "code"), [("- [ ] TODO\n", 1), ("no list", 1), (LIST, 0)])
def test_what_could_not_be_said_shows_in_the_exit_code(portal, tmp_path, text, code):
    (tmp_path / "list.md").write_text(text)
    result = portal("import", "list.md", "--json")
    assert result.exit_code == code
    assert {"lines", "counts", "notes", "facts"} <= json.loads(result.stdout).keys()


def test_what_cannot_be_read_is_said(portal, tmp_path):
    (tmp_path / "list.yaml").write_text("a: [")
    (tmp_path / "list.bin").write_bytes(b"\xff\xfe\x00")
    for name in ("list.yaml", "list.bin"):
        result = portal("import", name)
        assert result.exit_code == 2
        assert "cannot be read" in result.output
    assert "it is not written in UTF-8" in result.output


def test_a_mark_of_its_encoding_at_the_head_of_a_file_hides_no_line(portal, tmp_path):
    (tmp_path / "list.md").write_text("- [ ] Every alert has a runbook\n", encoding="utf-8-sig")
    result = portal("import", "list.md", "--json")
    assert (result.exit_code, json.loads(result.stdout)["counts"]["existing"]) == (0, 1)
