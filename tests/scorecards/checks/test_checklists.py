"""Public production-readiness checklists, translated line by line into checks: what cannot be said would be a gap."""

import re
from collections import Counter
from datetime import timedelta

import pytest
import yaml

from plugins.contract import FactSpec, FactType
from scorecards.checks.catalogue import load_catalogue
from tests.conftest import shared
from tests.scorecards.checks import checklists
from tests.scorecards.samples import SPECS

OWN = {
    "axis": "change",
    "level": 2,
    "weight": 1,
    "criticality": "minor",
    "version": 1,
    "owner": "sre",
    "sources": ["public checklist"],
    "why": "The checklist asks for it.",
    "how_to_fix": ["See the checklist."],
    "guide": "https://checklist.example",
    "effort": "days",
}
ITEM = re.compile(r"^\s*[-*] \[ \] +(.*)$")


def mercari():
    text = shared(
        "corpus", "checklists", "mercari__production-readiness-checklist__docs-references-pre-production-checklist.md"
    ).read_text()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 5 and cells[1] not in {"Check name", ":---------"}:
            name = re.sub(r"^\[(.*)\]\(.*\)$", r"\1", cells[1])
            yield f"{name}: {cells[2]}", checklists.MERCARI.get(name, "attest")


def microsoft():
    text = shared(
        "corpus", "checklists", "microsoft__code-with-engineering-playbook__docs-engineering-fundamentals-checklist.md"
    ).read_text()
    for line in text.splitlines():
        found = ITEM.match(line)
        if found:
            said = (said for start, said in checklists.MICROSOFT.items() if found[1].startswith(start))
            yield found[1], next(said, "attest")


def bregman():
    text = shared("corpus", "checklists", "bregman-arie__sre-checklist__README.md").read_text()
    for number, line in enumerate(text.splitlines(), 1):
        found = ITEM.match(line)
        if found:
            none = number in checklists.NO_STATEMENT
            yield found[1], "none" if none else checklists.BREGMAN.get(number, "attest")


def kind(said):
    if said.startswith("="):
        return "own rule"
    return {"attest": "attested", "none": "none"}.get(said, "ours")


def own_checks(lines):
    for number, (line, said) in enumerate(lines):
        plain = line.replace("{", "(").replace("}", ")")
        about = {"id": f"list.line_{number}", "title": plain[:120], "question": plain}
        if said == "attest":
            yield OWN | about | {"attest": {"for": "365d", "confirms": plain}}
        elif said.startswith("="):
            yield OWN | about | {"rule": said[1:].strip(), "passes": "It is so.", "fails": "It is not so."}


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (mercari, {"ours": 29, "own rule": 29, "attested": 16}),
        (microsoft, {"ours": 4, "own rule": 12, "attested": 40}),
        (bregman, {"ours": 19, "own rule": 11, "attested": 50, "none": 62}),
    ],
)
def test_every_line_is_asked_by_a_check_or_can_be(lines, wanted, tmp_path):
    found = list(lines())
    facts = [
        {"key": key, "type": type_, "unit": unit, "description": f"The {key}"}
        for key, (type_, unit) in checklists.FACTS.items()
    ]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"facts": facts, "checks": list(own_checks(found))}))
    catalogue = load_catalogue([tmp_path / "list.yaml"], SPECS)
    assert {said for _, said in found if kind(said) == "ours"} <= set(catalogue.checks)
    assert Counter(kind(said) for _, said in found) == wanted


def test_the_translations_name_lines_that_exist():
    names = {line.partition(":")[0] for line, _ in mercari()}
    assert set(checklists.MERCARI) <= names
    texts = [line for line, _ in microsoft()]
    assert all(any(text.startswith(start) for text in texts) for start in checklists.MICROSOFT)


OTHER_PRODUCTS = [
    # Soundcheck: factRef and JSONPath, operator, value
    ("repo_details.open_issues < 10", {"repo_details.open_issues": "number"}),
    ("repo_details.private == false", {"repo_details.private": "boolean"}),
    ("repo_details.default_branch == main", {"repo_details.default_branch": "string"}),
    ("foundation.readme_exists == true", {"foundation.readme_exists": "boolean"}),
    ("workflow.matches", {"workflow.matches": "boolean"}),
    # Cortex: CQL on relations, custom data and tags
    ("cortex.destinations has at least 1", {"cortex.destinations": "set"}),
    ("custom.lineCount <= 200", {"custom.lineCount": "number"}),
    ("not (entity.metadata.name matches '*claude*' or entity.metadata.name matches '*anthropic*')", {}),
    ("not custom.hasDeepReferences", {"custom.hasDeepReferences": "boolean"}),
    # Port: combinator, property, operator, value
    ("resource.new_alerts_count <= 2", {"resource.new_alerts_count": "number"}),
    ("resource.new_alerts_count = 0", {"resource.new_alerts_count": "number"}),
]


@pytest.mark.parametrize(("rule", "facts"), OTHER_PRODUCTS)
def test_rules_of_other_products_can_be_said(rule, facts, tmp_path):
    specs = {key: FactSpec(key, FactType(kind), "", key, timedelta(days=1)) for key, kind in facts.items()}
    check = OWN | {"id": "other.rule", "title": "x", "question": "x", "rule": rule, "passes": "x.", "fails": "y."}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump([check]))
    assert load_catalogue([tmp_path / "other.yaml"], specs, None).checks["other.rule"].rule
