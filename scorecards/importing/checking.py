"""Sees that every check of a draft loads: one whose rule does not becomes one that people attest. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plugins.contract import FactSpec, FactType
from scorecards.checks.building import build_check
from scorecards.checks.json_rules import MAX_AGE
from scorecards.importing.drafts import Draft, Outcome, Said, plain
from scorecards.importing.making import Options

OF_RULES = frozenset({"rule", "passes", "fails"})
SHOWN = 3
READ_OF_FILES = (
    "Facts that files of the repository tell ({}): the source github or gitlab reads them, once the entries of "
    "`files:` stand among its `options:` in portal.yaml."
)


def load_or_attest(draft: Draft, options: Options, defaults: Mapping[str, Any]) -> None:
    """Hold each new check against the facts; what does not load is said otherwise, with the reason."""
    draft.facts = {key: fact for key, fact in draft.facts.items() if key not in options.known}
    specs = dict(options.known) | {key: _spec(fact) for key, fact in draft.facts.items()}
    draft.said = [
        _loading(_narrowed(one, specs, defaults, draft.notes), specs, options, defaults) for one in draft.said
    ]
    asked = " ".join(str(one.definition.get("rule", "")) for one in draft.said)
    draft.facts = {key: fact for key, fact in draft.facts.items() if key in asked or key in draft.collected}
    draft.files = {key: entry for key, entry in draft.files.items() if key in draft.facts}
    if draft.files:
        draft.notes.append(
            READ_OF_FILES.format(", ".join(draft.files) if len(draft.files) <= SHOWN else len(draft.files))
        )


def _spec(fact: Mapping[str, Any]) -> FactSpec:
    return FactSpec(fact["key"], FactType(fact["type"]), fact.get("unit", ""), fact["description"], MAX_AGE)


def _narrowed(one: Said, specs: Mapping[str, FactSpec], defaults: Mapping[str, Any], notes: list[str]) -> Said:
    """Leave out a filter that does not load, and say so: the check itself may."""
    if "applies_to" not in one.definition:
        return one
    faults = build_check({**defaults, **one.definition}, specs)[1]
    wrong = next((fault for fault in faults if fault.path.startswith("applies_to")), None)
    if wrong is None:
        return one
    notes.append(f"The filter of {one.check} does not load here ({wrong.message}): say it in `applies_to`.")
    return replace(one, definition={key: value for key, value in one.definition.items() if key != "applies_to"})


def _loading(one: Said, specs: Mapping[str, FactSpec], options: Options, defaults: Mapping[str, Any]) -> Said:
    if not one.definition:
        return one
    _, faults = build_check({**defaults, **one.definition}, specs)
    if not faults:
        return one
    reason = f"{faults[0].path}: {faults[0].message}".strip(": ")
    kept = {name: value for name, value in one.definition.items() if name not in OF_RULES}
    kept["attest"] = {"for": options.attested_for, "confirms": plain(one.item.text)}
    _, still = build_check({**defaults, **kept}, specs)
    if still:
        return Said(one.item, Outcome.NOT_SAID, f"No check of it loads: {still[0].path}: {still[0].message}")
    return replace(one, outcome=Outcome.ATTESTED, definition=kept, why=f"Its rule does not load here ({reason}).")
