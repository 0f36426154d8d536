"""A connector in a distribution of its own: built, installed beside the product, and there without a line changed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.misbehaving import Server, always, serving

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "third_party_connector"
CHECKS = {"checks": [{"name": "nightly", "tags": "checkout", "status": "up", "last_ping": None}]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has built and installed the example, and nothing else."""
    folder = tmp_path_factory.mktemp("third-party")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--target", str(folder / "site"), str(source),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("pip finds no package index to build with")
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(always(200, json.dumps(CHECKS).encode())) as running:
        yield running


def run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]), "JOBS_KEY": "read-only"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_it_appears_among_the_connectors(installed, tmp_path):
    program = "from plugins import registry; print(sorted(registry.connectors()), registry.load_faults())"
    done = run(installed, tmp_path, "-c", program)
    assert "'healthchecks'" in done.stdout, done.stderr
    assert "'prometheus'" in done.stdout
    assert done.stdout.endswith("{}\n")


def test_without_it_there_is_no_such_connector(tmp_path):
    done = run(tmp_path, tmp_path, "-c", "from plugins import registry; print(sorted(registry.connectors()))")
    assert "healthchecks" not in done.stdout
    assert "'prometheus'" in done.stdout


def test_a_source_of_its_kind_is_checked_by_the_command(installed, tmp_path, server):
    (tmp_path / "portal.yaml").write_text(
        "sources:\n"
        f"  - {{name: jobs, plugin: healthchecks, url: '{server.url}/', options: {{tag: prod}},\n"
        "     auth: {header: X-Api-Key, value: '${JOBS_KEY}'}}\n"
    )
    upgraded = run(installed, tmp_path, "-m", "portal_backend.cli", "db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    done = run(installed, tmp_path, "-m", "portal_backend.cli", "sources", "check", "jobs", "--json")
    assert "Healthchecks knows 1 checks" in done.stdout, done.stdout + done.stderr
    assert server.seen[-1].path == "/api/v3/checks/?tag=prod"
    assert server.seen[-1].headers["X-Api-Key"] == "read-only"


def test_a_wrong_option_is_named_by_its_own_schema(installed, tmp_path):
    (tmp_path / "portal.yaml").write_text(
        "sources: [{name: jobs, plugin: healthchecks, url: 'http://127.0.0.1:9/', options: {tags: a}}]\n"
    )
    done = run(installed, tmp_path, "-m", "portal_backend.cli", "sources", "check", "jobs")
    assert done.returncode != 0
    assert "sources[0].options.tags" in done.stdout + done.stderr


def test_its_own_tests_run_it_through_the_conformance_kit(installed, tmp_path):
    shutil.copy(EXAMPLE / "tests" / "test_conforms.py", tmp_path)
    done = run(installed, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_conforms.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
