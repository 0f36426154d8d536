"""Writes a draft as a file of checks, each beside the line that it comes from. Pure."""

from collections.abc import Mapping
from typing import Any

import yaml

from scorecards.importing.drafts import Draft, Outcome, Said, short

WIDTH = 116
OUTCOMES = {
    Outcome.EXISTING: "asked by a check of the catalogue already",
    Outcome.AUTOMATIC: "answered by facts",
    Outcome.ATTESTED: "attested by people",
    Outcome.NOT_SAID: "could not be said",
}
FILES = (
    "The sources `github` and `gitlab` supply these of the facts above, out of the files of the repositories, once "
    "their `options:` in portal.yaml hold:"
)


def report(draft: Draft) -> dict[str, Any]:
    """Return what became of each line, for programs."""
    return {
        "file": draft.name,
        "format": draft.format,
        "counts": {outcome.value: number for outcome, number in draft.counts().items()},
        "notes": draft.notes,
        "facts": list(draft.facts.values()),
        "files": list(draft.files.values()),
        "lines": [
            {
                "line": one.item.line,
                "text": one.item.text,
                "section": list(one.item.section),
                "outcome": one.outcome.value,
                "check": one.check or None,
                "why": one.why,
                "definition": dict(one.definition) or None,
            }
            for one in draft.said
        ],
        **draft.sections,
    }


def counted(draft: Draft) -> str:
    """Say how many lines there were, and what became of them."""
    counts = draft.counts()
    parts = [f"{counts[outcome]} {words}" for outcome, words in OUTCOMES.items() if counts[outcome]]
    number = len(draft.said)
    return f"{number} line{'' if number == 1 else 's'}: {', '.join(parts) or 'none'}."


def as_yaml(draft: Draft, defaults: Mapping[str, Any]) -> str:
    """Return the file of checks; what has no check of its own is told in comments."""
    parts = [_comment(f"From {draft.name} ({draft.format}). {counted(draft)}")]
    parts += [_comment(note) for note in draft.notes]
    for outcome, head in (
        (Outcome.EXISTING, "Asked by a check of the catalogue already:"),
        (Outcome.NOT_SAID, "Could not be said:"),
    ):
        lines = [_told(one) for one in draft.said if one.outcome is outcome]
        if lines:
            parts.append("\n".join([_comment(head), *lines]))
    new = [one for one in draft.said if one.definition]
    if new:
        parts.append(_dump({"defaults": dict(defaults)}))
    if draft.facts:
        parts.append(
            "# Something has to supply these; until then their checks are unknown.\n" + _dump({"facts": _facts(draft)})
        )
    if draft.files:
        parts.append(f"{_comment(FILES)}\n{_commented(_dump({'files': list(draft.files.values())}))}")
    parts += [_dump({name: content}) for name, content in draft.sections.items()]
    if new:
        parts.append("checks:")
        parts += [_check(one) for one in new]
    elif not draft.sections:
        parts.append("checks: []")
    return "\n\n".join(parts) + "\n"


def _facts(draft: Draft) -> list[dict[str, Any]]:
    return list(draft.facts.values())


def _check(one: Said) -> str:
    body = _dump([one.definition]).replace("\n", "\n  ")
    where = f"line {one.item.line}: " if one.item.line else ""
    return f"  # {where}{_one_line(one.item.text)}\n  # {one.why}\n  {body}"


def _told(one: Said) -> str:
    where = f"line {one.item.line}: " if one.item.line else ""
    asked = f" → {one.check}" if one.check else f" ({one.why})"
    return f"#   {where}{_one_line(one.item.text)}{asked}"


def _one_line(text: str) -> str:
    return short(" ".join(text.split()), 100)


def _comment(text: str) -> str:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + len(word) > WIDTH:
            lines.append(line)
            line = "#"
        line = f"{line} {word}"
    return "\n".join([*lines, line])


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=WIDTH).rstrip()
