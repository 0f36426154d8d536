"""Writes the part of docs/checks.md that lists the default checks, from the checks themselves."""

from collections.abc import Iterator
from pathlib import Path

from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import AXIS_TITLES, Axis, Check
from scorecards.evidence.derivations import FACTS as DERIVED

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"
HEADING = "## The default checks\n"


def main() -> None:
    """Replace everything from the heading on."""
    from catalog.facts import FACTS as OF_THE_CATALOG

    catalogue = load_catalogue((), {spec.key: spec for spec in (*OF_THE_CATALOG, *DERIVED)})
    head, _, _ = PAGE.read_text().partition(HEADING)
    lines = [
        HEADING.rstrip(),
        "",
        "Ids, levels, weights and criticalities are those of the SRE production readiness review as this product has",
        f"it: {len(catalogue.checks)} checks. Their thresholds are configuration: each has a name, and an",
        "override changes it. `tools/write_checks_page.py` writes this list from the checks.",
    ]
    for axis in Axis:
        lines += ["", "", f"### {AXIS_TITLES[axis]} (`{axis}`)"]
        for check in catalogue.checks.values():
            if check.axis is axis:
                lines += ["", *_about(check)]
    PAGE.write_text(head + "\n".join(lines) + "\n")


def _about(check: Check) -> Iterator[str]:
    yield f'<a id="{check.guide.partition("#")[2]}"></a>'
    yield f"#### `{check.id}`: {check.title}"
    yield ""
    evidence = f"Facts: {', '.join(f'`{key}`' for key in check.facts)}. " if check.facts else ""
    thresholds = "".join(f" `{name}` {value}," for name, value in check.thresholds.items()).rstrip(",")
    evidence += f"Thresholds:{thresholds}. " if thresholds else ""
    yield (
        f"{check.question} L{check.level}, weight {check.weight}, {check.criticality}. {evidence}"
        f"Source: {'; '.join(check.sources)}."
    )
    yield ""
    yield check.why
    yield ""
    yield from (f"- {step}" for step in check.how_to_fix)
    if check.attested_for:
        when = "Where no source supplies the facts" if check.rule else "No fact can show it"
        yield ""
        yield f"{when}: attested for {check.attested_for.days} days. “{check.confirms}”"
    if check.applies_to:
        yield ""
        yield f"Does not apply when: {check.applies_to.otherwise}"
    if check.needs:
        yield ""
        yield "Judged only when there is enough to judge by (`needs`)."


if __name__ == "__main__":
    main()
