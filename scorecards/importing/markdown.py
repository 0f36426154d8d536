"""Finds the lines of a checklist in Markdown: task lists, tables, plain lists, questions, paragraphs that a name leads.

Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scorecards.importing.drafts import Item
from scorecards.importing.statements import bare
from scorecards.importing.tables import Table, cells_of

HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
BOXES = "☐☑✅⬜❌□✔✓🔲🔳◻◽▢"
NUMBER = r"(?:\d+(?:\.\d+)+\.?|\(?(?:\d+|[a-zA-Z])[.)])"
TASK = re.compile(
    rf"^(\s*)(?:(?:[-*+•]|{NUMBER})\s*\[[ xX*/~-]?\]|"
    rf"(?:[-*+•]\s+|{NUMBER}\s+)?(?:[{BOXES}]\ufe0f?|\[[ xX]?\](?!\()))\s*(.*)$"
)
BULLET = re.compile(rf"^(\s*)(?:[-*+•·●‣・]|{NUMBER})\s+(.*)$")
HTML_TASK = re.compile(r"^(\s*)(?:<(?!input)[^>]+>\s*)*<input[^>]*type=[\"']?checkbox[^>]*>\s*(.*)$", re.IGNORECASE)
TABLE_RULE = re.compile(
    r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$|^(?=.*--)\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*){2,}\|?\s*$"
)
"""Below the head of a table; of three columns on, one dash will do for a narrow one."""
QUOTED = re.compile(r"^\s*>\s*(\S.*)$")
LED = re.compile(r"^(\*\*|__)(?P<name>[^*_]{3,80}?)[.:]?\1[.:]?\s+(?P<text>\S.{20,})$")
QUESTION = re.compile(r"^[A-ZÀ-ÝÄÖÜ\u3040-\u9fff\uac00-\ud7af].{8,}[?？]$")
NOT_ITEMS = re.compile(
    r"table of contents|^(contents|toc|links?|references?|credits?|licen[sc]e|resources|installation|hosting)$|"
    r"further reading|see also|^contribut(ing|ors?|e)$|how (can|to) (i )?contribut|acknowledg|^changelog|"
    r"^technical overview$|getting help|^(useful|other|external|more) (links|resources)|目次|参考|inhaltsverzeichnis",
    re.IGNORECASE,
)
"""Headings under which plain lists ask nothing."""
BESIDE = re.compile(
    r"^[*_]*(?:owners?|assignees?|responsible|due(?: date)?|status|evidence|proof|notes?|comments?|links?|references?|"
    r"examples?|why|rationale|reason|how to (?:verify|check|fix)|remediation|collector\(s\)|collectors?)[*_]*\s*:",
    re.IGNORECASE,
)
"""What an entry says of the one that it stands under, and asks nothing by itself."""
GRADE = re.compile(r"^(?:priority|severity|criticality)\s*:\s*(.+)$", re.IGNORECASE)
MIN_QUESTIONS = 5
MAX_ITEMS = 2_000
MAX_DETAIL = 1_000


def items_of(text: str) -> tuple[list[Item], list[str]]:
    """Return the lines that a document asks for, in order, at most MAX_ITEMS, and the entries that were passed over.

    A document with a task list or a table of marks is one for these alone, and its plain lists are passed over; without
    them its plain lists are taken, the questions among its headings and quotations, and paragraphs that a name leads.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    found = _ticked(lines)
    if not found:  # a list to copy, which the document shows as code
        lines = _opened(lines)
        found = _ticked(lines)
    passed = []
    if found:
        told = " ".join(f"{item.text} {item.detail}" for item in found)
        found += _questionnaire(lines)
        beside = [*_listed(lines, strict=False), *_tables(lines, any_table=True)]
        passed = [item.text for item in beside if item.text and item.text[:60] not in told]
    else:
        found = [*_tables(lines, any_table=True), *_listed(lines, strict=False)]
    found = found or list(_led(lines))
    return sorted(found, key=lambda item: item.line or 0)[:MAX_ITEMS], passed


def _ticked(lines: Sequence[str]) -> list[Item]:
    return [*_tables(lines), *_listed(lines, strict=True)]


def _questionnaire(lines: Sequence[str]) -> list[Item]:
    """Return the questions in headings, where most headings of their depth are some; a few may head an introduction."""
    headings = [(number, line.strip(), section) for number, line, section, is_heading in _sections(lines) if is_heading]
    found: list[Item] = []
    for depth in range(1, 7):
        peers = [one for one in headings if one[1].startswith("#" * depth + " ")]
        asked = [(number, bare(line.lstrip("#")), section) for number, line, section in peers if line.endswith("?")]
        if len(asked) >= MIN_QUESTIONS and len(asked) * 2 > len(peers):
            found += [Item(text, number, section) for number, text, section in asked]
    return found


def _opened(lines: Sequence[str]) -> list[str]:
    """Return the lines without the marks around those blocks of code that hold tasks; one may have no end."""
    opened, marks = list(lines), [number for number, line in enumerate(lines) if FENCE.match(line)]
    if len(marks) % 2 and any(TASK.match(line) for line in lines[marks[-1] :]):
        opened[marks[-1]] = ""
    for start, end in zip(marks[::2], marks[1::2], strict=False):
        if any(TASK.match(line) for line in lines[start:end]):
            opened[start] = opened[end] = ""
    return opened


def _sections(lines: Sequence[str]) -> Iterator[tuple[int, str, tuple[str, ...], bool]]:
    """Go through the lines outside of code, each with its number, its headings, and whether it is a heading itself."""
    headings: list[tuple[int, str]] = []
    fenced = False
    for number, line in enumerate(lines, 1):
        if FENCE.match(line):
            fenced = not fenced
            continue
        if fenced:
            continue
        heading = HEADING.match(line)
        underlined = number < len(lines) and re.match(r"^(={3,}|-{3,})$", lines[number]) and line.strip()
        if heading or (underlined and "|" not in line and not BULLET.match(line)):
            depth = len(heading[1]) if heading else (1 if lines[number].startswith("=") else 2)
            headings = [one for one in headings if one[0] < depth]
            yield number, line, tuple(words for _, words in headings), True
            headings.append((depth, bare(heading[2] if heading else line)))
        else:
            yield number, line, tuple(words for _, words in headings), False


def _listed(lines: Sequence[str], strict: bool) -> Iterator[Item]:
    """Find the entries of lists; what stands below an entry without being one is its detail."""
    reading = _Lists(strict)
    for number, line, section, is_heading in _sections(lines):
        reading.take(number, line, section, is_heading)
    return iter(reading.found)


@dataclass(frozen=True)
class _Above:
    """An entry that others may stand under."""

    indent: int
    words: str
    line: int | None
    """The line found that it is, or tells of."""
    tells: bool = False
    """It is no line of its own."""

    def is_told_by(self, words: str) -> bool:
        """Say whether an entry below tells of this one, as `Owner: …` does, or goes on with what does."""
        return self.tells or bool(BESIDE.match(words) or GRADE.match(bare(words)))


class _Lists:
    """The entries so far, and what the next one may stand under."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.found: list[Item] = []
        self._parents: list[_Above] = []
        self._is_open = False
        """Whether what follows still belongs to the last entry."""

    def take(self, number: int, line: str, section: tuple[str, ...], is_heading: bool) -> None:
        """Go on by a line."""
        entry = None if is_heading else _entry(line, self.strict)
        if entry:
            self._enter(number, *entry, section)
            return
        if is_heading:
            self._parents = []
        if not self.strict:
            self._ask(number, line, section, is_heading)
        self._is_open = self._is_open and line.startswith((" ", "\t"))
        if self._is_open:
            self.found[-1] = _with_detail(self.found[-1], line)

    def _ask(self, number: int, line: str, section: tuple[str, ...], is_heading: bool) -> None:
        """Take a question that stands by itself: a heading, a quotation or a paragraph."""
        quoted = QUOTED.match(line)
        if is_heading:
            title = bare(line.lstrip("# "))
            asked = title if title.endswith(("?", "？")) else ""
        else:
            title = bare(quoted[1]) if quoted else bare(line)
            asked = title if (quoted and "?" in title) or QUESTION.match(title) else ""
        if asked and not NOT_ITEMS.search(asked):
            self.found.append(Item(asked, number, section))

    def _enter(self, number: int, indent: int, words: str, section: tuple[str, ...]) -> None:
        self._parents = [one for one in self._parents if one.indent < indent]
        self._is_open = self.strict or not _is_aside(section)
        above = self._parents[-1] if self._parents else None
        if self._is_open and above and above.line is not None and not self.strict and above.is_told_by(words):
            self.found[above.line] = _told(self.found[above.line], words)
            self._parents.append(_Above(indent, bare(words), above.line, tells=True))
            self._is_open = False
            return
        if self._is_open and bare(words):
            self.found.append(_item(words, number, (*section, *(one.words for one in self._parents))))
        else:
            self._is_open = False
        self._parents.append(_Above(indent, bare(words), len(self.found) - 1 if self._is_open else None))


def _entry(line: str, strict: bool) -> tuple[int, str] | None:
    found = TASK.match(line) or HTML_TASK.match(line) or (None if strict else BULLET.match(line))
    if found is None or (not strict and re.match(r"^\[[^\]]*\]\(#", found[2])):  # an entry of a table of contents
        return None
    return len(found[1].expandtabs(4)), found[2]


def _item(words: str, number: int, section: tuple[str, ...]) -> Item:
    """Part `**Name**: what is asked` into what is asked and its name."""
    text = bare(words.lstrip("#"))
    head = re.match(r"^\s*(?:\*\*|__)(.+?)(?:\*\*|__)\s*[:–—-]\s*(\S.*)$", words)
    if head and len(bare(head[2]).split()) > 2:
        return Item(bare(head[2]), number, section, bare(head[1]).rstrip(":"))
    return Item(text, number, section)


def _told(item: Item, words: str) -> Item:
    grade = GRADE.match(bare(words))
    return replace(item, grade=grade[1]) if grade else _with_detail(item, words)


def _with_detail(item: Item, line: str) -> Item:
    words = bare(re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line))
    return replace(item, detail=f"{item.detail} {words}".strip()[:MAX_DETAIL]) if words else item


def _is_aside(section: tuple[str, ...]) -> bool:
    return any(NOT_ITEMS.search(heading) for heading in section[-1:])


def _led(lines: Sequence[str]) -> Iterator[Item]:
    """Find paragraphs that begin with a name in bold: `**Audit log.** Enable one of each type.`"""
    for number, line, section, is_heading in _sections(lines):
        found = None if is_heading else LED.match(line)
        if found:
            yield Item(bare(found["text"]), number, section, bare(found["name"]))


def _tables(lines: Sequence[str], any_table: bool = False) -> Iterator[Item]:
    """Find the rows of tables whose columns name levels by marks or hold boxes, or which describe what is asked."""
    header: list[str] | None = None
    rows: list[tuple[int, list[str], tuple[str, ...]]] = []
    previous = ""
    for number, line, section, _ in _sections([*lines, ""]):
        if TABLE_RULE.match(line) and "|" in previous:
            header, rows = cells_of(previous), []
        elif header is not None and "|" in line:
            rows.append((number, cells_of(line), section))
        elif header is not None:
            yield from _rows(header, rows, any_table)
            header = None
        previous = line


def _rows(header: list[str], rows: Sequence[tuple[int, list[str], tuple[str, ...]]], any_table: bool) -> Iterator[Item]:
    held = [cells for _, cells, _ in rows]
    table = Table(header, held)
    if not (any_table or table.is_checklist(held)):
        return
    for number, cells, section in rows:
        item = table.row(cells, number, section)
        if item and not _is_aside(section):
            yield item
