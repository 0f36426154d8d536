"""Writes docs/facts.md: every fact that a check or a connector knows, and who supplies it."""

from collections.abc import Iterator
from pathlib import Path

from catalog.facts import FACTS as OF_THE_CATALOG
from engagements.own_facts import FACTS as OF_THE_PORTAL
from plugins import registry
from plugins.contract import FactSpec
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.vocabulary import SYSTEMS, VOCABULARY
from scorecards.evidence.derivations import FACTS as DERIVED

PAGE = Path(__file__).parents[1] / "docs" / "facts.md"
HEAD = """# Facts, and who supplies them

Every fact that a default check asks for or a connector supplies. `tools/write_facts_page.py` writes this page from the
declarations. Where no connector supplies a fact, the last column says which kind of system could: let it
[push](connectors/push.md) the fact, or [write a connector](writing-connectors.md). Checks that need a fact which nobody
supplies are unknown, and say so.

| fact | type | unit | asked for by | supplied by | else from |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(rows()) + "\n"


def rows() -> Iterator[str]:
    """Yield a row of the table for each fact, by key."""
    suppliers: dict[str, list[str]] = {}
    specs: dict[str, FactSpec] = dict(VOCABULARY)
    for name, connector in sorted(registry.connectors().items()):
        for spec in connector.facts:
            specs[spec.key] = spec
            suppliers.setdefault(spec.key, []).append(f"[{name}](connectors/{name}.md)")
    for names, own in (("the catalog", OF_THE_CATALOG), ("the portal", OF_THE_PORTAL), ("derived", DERIVED)):
        for spec in own:
            specs[spec.key] = spec
            suppliers.setdefault(spec.key, []).append(names)
    asked = asked_for(specs)
    for key, spec in sorted(specs.items()):
        checks = ", ".join(f"[{check}](checks.md#{anchor})" for check, anchor in asked.get(key, ()))
        supplied = ", ".join(suppliers.get(key, ()))
        other = "" if supplied else f"push: {SYSTEMS[key]}"
        yield f"| `{key}` | {spec.type} | {spec.unit} | {checks} | {supplied} | {other} |"


def asked_for(specs: dict[str, FactSpec]) -> dict[str, list[tuple[str, str]]]:
    """Return the default checks that ask for each fact, with their places on the checks' page."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check in load_catalogue((), specs).checks.values():
        for key in check.facts:
            found.setdefault(key, []).append((check.id, check.guide.partition("#")[2]))
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
