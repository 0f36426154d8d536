"""Processes that are started without a database, or with an empty one, say so and end."""

import pytest

from tests import servers
from tests.e2e.installation import Installation


@pytest.fixture
def nowhere() -> str:
    return f"postgresql://nobody@127.0.0.1:{servers.free_port()}/nothing"


@pytest.mark.parametrize("command", [["db", "upgrade"], ["worker"], ["up"]], ids=" ".join)
def test_a_process_whose_database_is_away_says_so_in_a_line(tmp_path, nowhere, command):
    portal = Installation(tmp_path, f"server: {{port: {servers.free_port()}}}\n", nowhere)
    told = portal.run(*command, expect=2).stderr
    assert "The database does not answer: connection failed" in told
    assert "Traceback" not in told


def test_a_worker_without_a_schema_says_what_makes_one(tmp_path):
    told = Installation(tmp_path, "").run("worker", expect=2).stderr
    assert "The database has no schema yet; run `portal db upgrade`." in told


def test_metrics_are_kept_where_the_environment_says(tmp_path):
    folder = tmp_path / "in_memory"
    portal = Installation(tmp_path, "", PROMETHEUS_MULTIPROC_DIR=str(folder))
    portal.run("worker", expect=2)
    assert folder.is_dir()
    assert not (tmp_path / "data" / "metrics").exists()
