"""The production guide: a section per check from the catalogue of checks, and the organisation's own Markdown.

In a Markdown file each heading begins a section. A line `<!-- checks: obs.golden, er.drill -->` below it says which
checks it helps with, `<!-- axis: capacity -->` which axis it is about.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scorecards.checks.definitions import Check, CheckCatalogue

HEADING = re.compile(r"^(#{1,4})\s+(.+?)\s*#*$")
MARK = re.compile(r"<!--\s*(checks|axis):\s*([^>]*?)\s*-->")
FENCE = re.compile(r"^\s*(```|~~~)")
MAX_FILE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Section:
    """A section of the guide."""

    id: str
    """`<file>#<anchor>`, as checks name it in `guide`."""
    title: str
    text: str
    """Markdown."""
    axis: str | None = None
    checks: tuple[str, ...] = ()
    source: str = "checks"
    """`checks` for what the catalogue says itself, `guide` for the organisation's text."""


def sections(catalogue: CheckCatalogue, folder: Path | None) -> dict[str, Section]:
    """Return every section by id; the organisation's go before those that the catalogue makes."""
    found = {section.id: section for section in map(_of_check, catalogue.checks.values())}
    for section in _of_folder(folder):
        found[section.id] = section
    return found


def for_check(check: Check, all_sections: Mapping[str, Section]) -> list[Section]:
    """Return the sections that help with a check, the organisation's first."""
    helpful = [each for each in all_sections.values() if check.id in each.checks or each.id == check.guide]
    return sorted(helpful, key=lambda each: (each.source != "guide", each.id))


def anchor(title: str) -> str:
    """Return the anchor of a heading as Markdown viewers make it. Pure."""
    kept = re.sub(r"[^\w\s-]", "", title.replace("`", "").replace(".", "-").lower())
    return re.sub(r"\s+", "-", kept.strip())


def parse(name: str, text: str) -> Iterator[Section]:
    """Yield the sections of a Markdown file. Pure. What stands before the first heading belongs to none."""
    title, lines, fenced = None, [], False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        heading = None if fenced else HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        if title is not None:
            yield _section(name, title, lines)
        title, lines = heading.group(2), []
    if title is not None:
        yield _section(name, title, lines)


def _section(name: str, title: str, lines: Sequence[str]) -> Section:
    text = "\n".join(lines).strip()
    marks: dict[str, str] = dict(MARK.findall(text))
    checks = tuple(each.strip() for each in marks.get("checks", "").split(",") if each.strip())
    return Section(
        f"{name}#{anchor(title)}", title, MARK.sub("", text).strip(), marks.get("axis"), checks, source="guide"
    )


def _of_check(check: Check) -> Section:
    steps = "\n".join(f"{n}. {step}" for n, step in enumerate(check.how_to_fix, 1))
    text = f"{check.question}\n\n{check.why}\n\n{steps}"
    return Section(check.guide or f"checks#{check.id}", check.title, text, check.axis.value, (check.id,))


def _of_folder(folder: Path | None) -> Sequence[Section]:
    if folder is None or not folder.is_dir():
        return ()
    files = [path for path in sorted(folder.rglob("*.md")) if path.stat().st_size <= MAX_FILE_BYTES]
    return _read(folder, tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=4)
def _read(folder: Path, files: tuple[tuple[Path, int], ...]) -> tuple[Section, ...]:
    found: list[Section] = []
    for path, _ in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += parse(path.relative_to(folder).as_posix(), text)
    return tuple(found)
