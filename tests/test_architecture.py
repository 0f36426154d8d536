"""The walls of the house: imports run one way, and the linter sees a wrong one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("portal_backend", "plugins", "catalog", "scorecards", "engagements")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code without its tests, to plant a wrong import in."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def test_the_code_keeps_its_contracts(copy):
    answer = lint_imports(copy)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("file", "planted"),
    [
        ("portal_backend/core/clock.py", "import plugins.contract"),
        ("plugins/sources.py", "import catalog.models"),
        ("catalog/models.py", "import scorecards.facts"),
        ("scorecards/facts.py", "import engagements.history"),
        ("engagements/history.py", "import portal_backend.pipeline"),
        ("plugins/connectors/argocd/__init__.py", "import plugins.sources"),
        ("plugins/connectors/argocd/__init__.py", "import plugins.connectors.prometheus"),
        ("scorecards/evaluation.py", "import sqlalchemy"),
        ("engagements/triage/candidates.py", "import flask"),
        ("engagements/services.py", "import plugins.registry"),
    ],
)
def test_a_wrong_import_breaks_them(copy, file, planted):
    path = copy / file
    path.write_text(path.read_text() + f"\n{planted}\n")
    answer = lint_imports(copy)
    assert answer.returncode == 1
    assert "BROKEN" in answer.stdout


def test_the_roof_package_stays_empty():
    assert (ROOT / "portal_backend" / "__init__.py").read_text() == ""


def test_every_roof_module_is_named_in_the_layers():
    """A module that the contract does not name would be free to import, and to be imported by, anything."""
    layers = (ROOT / "setup.cfg").read_text()
    roof = {path.stem for path in (ROOT / "portal_backend").glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in (ROOT / "portal_backend").glob("*/__init__.py")} - {"core"}
    assert [name for name in sorted(roof | folders) if f"portal_backend.{name}" not in layers] == []
