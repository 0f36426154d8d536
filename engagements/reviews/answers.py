"""What a checklist says: each item with what is measured, what a person answered, and which of them counts. Pure.

A measured answer follows the facts. A person's answer stands above it, and both are shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engagements.reviews.words import Answer, Severity
from engagements.triage.candidates import counted
from engagements.triage.settings import TriageSettings
from scorecards.checks.definitions import Axis

UNANSWERED = "unanswered"
_FOUND_BY = {"lesson": "lesson", "incident": "incident"}
_MEASURED = {
    "pass": "pass", "inherited": "inherited", "fail": "fail", "not_applicable": "na", "waived": "waived",
}  # fmt: skip
_COUNTS_AS = {"pass": "pass", "inherited": "pass", "fail": "fail", "na": "na", "waived": "waived"}


@dataclass(frozen=True)
class Item:
    """An item as the checklist has it."""

    key: str
    axis: str
    severity: str
    question: str
    guide: str
    checks: tuple[str, ...]
    stage: str | None = None
    source: str = "template"
    source_ref: str = ""
    added_by: str | None = None


@dataclass(frozen=True)
class Measured:
    """What the checks of an item say, one verdict for all of them."""

    verdict: str
    """`pass`, `inherited`, `fail`, `na`, `waived` or `unknown`."""
    sentence: str
    judged: tuple[str, ...] = ()
    """The checks among them that are judged for the service."""


@dataclass(frozen=True)
class Given:
    """What a person answered."""

    answer: str
    reason: str
    evidence_url: str
    by: str
    at: datetime
    measured_then: str


@dataclass(frozen=True)
class Line:
    """An item with its answers."""

    item: Item
    measured: Measured | None
    """None where no check is linked: only a person can answer."""
    given: Given | None
    finding: str | None = None
    """The open finding that says the same."""
    counts: str = field(init=False)
    """The answer that counts: `pass`, `fail`, `na`, `waived` or `unanswered`."""

    def __post_init__(self) -> None:
        measured = _COUNTS_AS.get(self.measured.verdict, UNANSWERED) if self.measured else UNANSWERED
        object.__setattr__(self, "counts", self.given.answer if self.given else measured)

    @property
    def inherited(self) -> bool:
        """Say whether a framework module answers the item."""
        return self.given is None and self.measured is not None and self.measured.verdict == "inherited"

    @property
    def contradicts(self) -> bool:
        """Say whether a person says otherwise than the facts."""
        if self.given is None or self.measured is None:
            return False
        said = _COUNTS_AS.get(self.measured.verdict)
        return said is not None and said != self.given.answer


def measure(item: Item, results: Mapping[str, Mapping[str, Any]]) -> Measured | None:
    """Return what the scorecard's results say to an item: the worst verdict of its checks."""
    if not item.checks:
        return None
    verdicts, sentences = [], []
    for check in item.checks:
        result = results.get(check)
        verdicts.append(_MEASURED.get(result["status"], "unknown") if result else "unknown")
        sentences.append(f"{check}: {result['sentence'] if result else 'No such check is judged for this service.'}")
    for verdict in ("fail", "unknown", "waived", "pass", "inherited", "na"):
        if verdict in verdicts:
            return Measured(verdict, " ".join(sentences), tuple(check for check in item.checks if check in results))
    raise AssertionError("an item with checks has a verdict")


def lines(
    items: Iterable[Item],
    results: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Given],
    findings: Mapping[str, str],
) -> list[Line]:
    """Put items, measurements, answers and open findings (by item) together."""
    return [Line(item, measure(item, results), given.get(item.key), findings.get(item.key)) for item in items]


def failing_blockers(all_lines: Iterable[Line]) -> tuple[str, ...]:
    """Return the blockers that a person answered with fail, by key; what is measured bars by the level."""
    return tuple(
        line.item.key
        for line in all_lines
        if line.given is not None and line.given.answer == Answer.FAIL and line.item.severity == Severity.BLOCKER
    )


def progress(all_lines: Sequence[Line]) -> dict[str, Any]:
    """Count how far the review has come, in all and by axis."""
    return {
        **_count(all_lines),
        "axes": {axis.value: _count([x for x in all_lines if x.item.axis == axis]) for axis in Axis},
    }


def _count(some: Sequence[Line]) -> dict[str, Any]:
    counts = Counter(line.counts for line in some)
    return {
        "items": len(some),
        "answered": len(some) - counts[UNANSWERED],
        **{answer.value: counts[answer.value] for answer in Answer},
        "waived": counts["waived"],
        "inherited": sum(line.inherited for line in some),
        "overridden": sum(line.contradicts for line in some),
    }


def effort(all_lines: Sequence[Line], model: str, numbers: TriageSettings | None = None) -> dict[str, Any]:
    """Return what a review like this takes, and say how many items a framework answers."""
    inherited, total = sum(line.inherited for line in all_lines), len(all_lines)
    on_framework = model == "framework" or (total > 0 and inherited * 2 >= total)
    known = numbers or TriageSettings()
    sres, quarters = (
        (known.framework_review_sres, known.framework_review_quarters)
        if on_framework
        else (known.simple_review_sres, known.simple_review_quarters)
    )
    takes = f"about {counted(sres, 'SRE')} for {counted(quarters, 'quarter')}"
    return {
        "inherited": inherited,
        "items": total,
        "sres": list(sres),
        "quarters": list(quarters),
        "sentence": f"{inherited} of {total} inherited; {takes}.",
    }


def line_form(line: Line) -> dict[str, Any]:
    """Return a line as it is answered by HTTP."""
    item = line.item
    offers = line.counts == "fail" and line.finding is None
    return {
        "key": item.key, "axis": item.axis, "severity": item.severity, "question": item.question,
        "guide": item.guide, "checks": list(item.checks), "stage": item.stage, "source": item.source,
        "source_ref": item.source_ref, "added_by": item.added_by,
        "counts": line.counts,
        "measured": None if line.measured is None else {"verdict": line.measured.verdict,
                                                       "sentence": line.measured.sentence},
        "given": None if line.given is None else {
            "answer": line.given.answer, "reason": line.given.reason, "evidence_url": line.given.evidence_url,
            "by": line.given.by, "at": line.given.at, "measured_then": line.given.measured_then,
        },
        "contradicts_measurement": line.contradicts,
        "inherited": line.inherited,
        "finding": line.finding,
        "offered_finding": _offer(line) if offers else None,
    }  # fmt: skip


def _offer(line: Line) -> dict[str, Any]:
    """Return the finding that a failing item suggests, ready to be sent back.

    It names a check where one can show that the defect is gone; not where a person knows better than the check.
    """
    item = line.item
    judged = line.measured.judged if line.measured and not line.contradicts else ()
    return {
        "title": item.question,
        "source": "check" if judged else _FOUND_BY.get(item.source, "design"),
        "axis": item.axis,
        "severity": item.severity,
        "item": item.key,
        "check": judged[0] if judged else None,
    }
