"""The pages of the connectors: what is declared stands there as it is declared."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from plugins import declarations, registry
from plugins.contract import Connector
from portal_backend.commands.sources import sources

PAGES = Path(__file__).parents[2] / "docs" / "connectors"
OURS = sorted(page.stem for page in PAGES.glob("*.md"))


def connector(name: str) -> Connector:
    return registry.connector(name)


def test_every_connector_of_ours_has_a_page() -> None:
    ours = {name for name, found in registry.connectors().items() if type(found).__module__.startswith("plugins.")}
    assert ours == set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_a_page_says_what_is_declared(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert declarations.with_block(page, connector(name)) == page, "run: portal sources docs --write docs/connectors"


@pytest.mark.parametrize("name", OURS)
def test_every_option_is_described(name: str) -> None:
    options = connector(name).options_schema().fields
    assert [key for key, field in options.items() if not field.metadata.get("description")] == []


def test_a_block_holds_facts_events_annotations_options_and_permissions() -> None:
    block = declarations.page_block(connector("pagerduty"))
    assert "| `oncall.members` | integer | count | 3 d | People on the first escalation level. |" in block
    assert "| `incident.opened` | An incident was opened. |" in block
    assert "| `pagerduty.com/service-id` |" in block
    assert "### Permissions\n\n- a read-only REST API key" in block


def test_what_a_person_wrote_around_the_block_stays() -> None:
    once = declarations.with_block("# x\n\nMine.\n", connector("push"))
    changed = once.replace("### Permissions", "### Outdated") + "\nBelow.\n"
    again = declarations.with_block(changed, connector("push"))
    assert again == once + "\nBelow.\n"


def test_the_command_prints_writes_and_refuses(tmp_path: Path) -> None:
    runner = CliRunner()
    printed = runner.invoke(sources, ["docs", "push"])
    assert printed.exit_code == 0
    assert printed.output.startswith(declarations.BEGIN)
    written = runner.invoke(sources, ["docs", "push", "--write", str(tmp_path / "new"), "--json"])
    [told] = json.loads(written.output)
    assert Path(told["written"]).read_text() == declarations.new_page(connector("push"))
    unknown = runner.invoke(sources, ["docs", "nothing"])
    assert unknown.exit_code == 2
