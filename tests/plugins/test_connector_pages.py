"""The sources that the pages show can be pasted into portal.yaml as they are."""

import re
from pathlib import Path

import pytest
import yaml

from plugins import registry
from portal_backend.core.config import load_config
from portal_backend.settings import declared_facts, option_schemas

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [*sorted((DOCS / "connectors").glob("*.md")), DOCS / "connectors.md", DOCS / "repository-files.md"]
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def shown_sources(page: Path) -> list[list[dict[str, object]]]:
    """Return the examples of a page that are sources, each as the list that stands under `sources:`."""
    examples = []
    for block in BLOCK.findall(page.read_text()):
        found = next(yaml.safe_load_all(block))
        found = found.get("sources") if isinstance(found, dict) else found
        if found and all("plugin" in one for one in found):
            examples.append(found)
    return examples


SHOWN = [(page, number, example) for page in PAGES for number, example in enumerate(shown_sources(page))]


@pytest.mark.parametrize(
    ("page", "example"), [(page, one) for page, _, one in SHOWN], ids=[f"{page.stem}-{n}" for page, n, _ in SHOWN]
)
def test_a_shown_source_can_be_pasted(page, example, tmp_path, monkeypatch) -> None:
    for variable in re.findall(r"\$\{(\w+)\}", str(example)):
        monkeypatch.setenv(variable, "secret")
    (tmp_path / "portal.yaml").write_text(yaml.safe_dump({"sources": example}))
    config = load_config(tmp_path / "portal.yaml", option_schemas())
    assert [source.plugin for source in config.sources] == [one["plugin"] for one in example]
    declared_facts(config)


def test_every_page_of_a_connector_shows_how_it_is_configured() -> None:
    shown = {source["plugin"] for page, _, example in SHOWN for source in example if page.stem == source["plugin"]}
    assert shown == registry.connectors().keys() - {"catalog"}
