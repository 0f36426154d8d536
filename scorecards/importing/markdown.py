"""Finds the lines of a checklist in Markdown: task lists, tables, plain lists, questions in headings. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from scorecards.importing.drafts import Item
from scorecards.importing.statements import bare

HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
TASK = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+(?:\[[ xX]?\]|[☐☑✅⬜❌□✔✓])\s*(.*)$")
BULLET = re.compile(r"^(\s*)(?:[-*+•]|\d+[.)])\s+(.*)$")
HTML_TASK = re.compile(r"^(\s*)(?:<(?!input)[^>]+>\s*)*<input[^>]*type=[\"']?checkbox[^>]*>\s*(.*)$", re.IGNORECASE)
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
MARK = re.compile(r"^(x|yes|y|✓|✔|✅|☑|●|•|required|must|:white_check_mark:|:heavy_check_mark:|:x:)\W*$", re.IGNORECASE)
NOT_ITEMS = re.compile(
    r"table of contents|^contents$|^links?$|references?|credits?|licen[sc]e|further reading|see also|contribut|"
    r"resources$|acknowledg|^changelog|installation$|technical overview|getting help|hosting",
    re.IGNORECASE,
)
DESCRIBING = (
    "description",
    "check",
    "item",
    "question",
    "requirement",
    "criteria",
    "what",
    "practice",
    "task",
    "detail",
)
NAMING = ("name", "title", "check", "item", "requirement", "area", "topic", "#", "id")
STATE = (
    "status",
    "done",
    "state",
    "owner",
    "notes",
    "comment",
    "evidence",
    "link",
    "who",
    "date",
    "answer",
    "complete",
)
MAX_ITEMS = 2_000


def items_of(text: str) -> list[Item]:
    """Return the lines that a document asks for, in order, at most MAX_ITEMS.

    A document with a task list or a table of marks is one for these alone; without them its plain lists and the
    questions among its headings are taken.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    found = [*_tables(lines), *_listed(lines, strict=True)]
    if not found:
        found = [*_tables(lines, any_table=True), *_listed(lines, strict=False)]
    return sorted(found, key=lambda item: item.line or 0)[:MAX_ITEMS]


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
        if heading or (underlined and "|" not in line):
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


class _Lists:
    """The entries so far, and what the next one may stand under."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.found: list[Item] = []
        self._parents: list[tuple[int, str]] = []
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
            title = bare(line.lstrip("# "))
            if not self.strict and title.endswith("?") and not NOT_ITEMS.search(title):
                self.found.append(Item(title, number, section))
        self._is_open = self._is_open and line.startswith((" ", "\t"))
        if self._is_open:
            self.found[-1] = _with_detail(self.found[-1], line)

    def _enter(self, number: int, indent: int, words: str, section: tuple[str, ...]) -> None:
        self._parents = [one for one in self._parents if one[0] < indent]
        self._is_open = self.strict or not _is_aside(section)
        if self._is_open:
            self.found.append(_item(words, number, (*section, *(one for _, one in self._parents))))
        self._parents.append((indent, bare(words)))


def _entry(line: str, strict: bool) -> tuple[int, str] | None:
    found = TASK.match(line) or HTML_TASK.match(line) or (None if strict else BULLET.match(line))
    if found is None or (not strict and re.match(r"^\[[^\]]*\]\(#", found[2])):  # an entry of a table of contents
        return None
    return len(found[1].expandtabs(4)), found[2]


def _item(words: str, number: int, section: tuple[str, ...]) -> Item:
    """Part `**Name**: what is asked` into what is asked and its name."""
    text = bare(words)
    head = re.match(r"^\s*(?:\*\*|__)(.+?)(?:\*\*|__)\s*[:–—-]\s*(\S.*)$", words)
    if head and len(bare(head[2]).split()) > 2:
        return Item(bare(head[2]), number, section, bare(head[1]).rstrip(":"))
    return Item(text, number, section)


def _with_detail(item: Item, line: str) -> Item:
    words = bare(re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line))
    return replace(item, detail=f"{item.detail} {words}".strip()[:1_000]) if words else item


def _is_aside(section: tuple[str, ...]) -> bool:
    return any(NOT_ITEMS.search(heading) for heading in section[-1:])


def _tables(lines: Sequence[str], any_table: bool = False) -> Iterator[Item]:
    """Find the rows of tables whose columns name levels by marks, or which describe what is asked."""
    table: _Table | None = None
    previous = ""
    for number, line, section, _ in _sections(lines):
        if TABLE_RULE.match(line) and "|" in previous:
            table = _Table(_cells(previous))
        elif table and "|" in line:
            item = table.row(_cells(line), number, section)
            if item and (table.asks or any_table) and not _is_aside(section):
                yield item
        else:
            table = None
        previous = line


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


class _Table:
    """Which columns hold what."""

    def __init__(self, header: list[str]) -> None:
        names = [bare(cell).lower() for cell in header]
        self.ranks = [place for place, name in enumerate(names) if re.search(r"\b(level|tier|grade|stage)\b", name)]
        describing = [place for place, name in enumerate(names) if any(word in name for word in DESCRIBING)]
        naming = [place for place, name in enumerate(names) if any(word in name for word in NAMING)]
        plain_ones = [
            place
            for place, name in enumerate(names)
            if place not in self.ranks and not any(word in name for word in STATE) and name not in {"#", "id", ""}
        ]
        free = [place for place in describing if place in plain_ones]
        self.text = free[-1] if free else (plain_ones[-1] if plain_ones else 0)
        named = [place for place in naming if place in plain_ones and place != self.text]
        self.name = named[0] if named else None
        self.asks = bool(self.ranks) or bool(free) or any(word in name for name in names for word in ("done", "status"))

    def row(self, cells: list[str], number: int, section: tuple[str, ...]) -> Item | None:
        """Return what a row asks for; None for one without words."""
        if self.text >= len(cells):
            return None
        text = bare(cells[self.text])
        name = bare(cells[self.name]) if self.name is not None and self.name < len(cells) else ""
        if not text and not name:
            return None
        marked = [rank for rank, place in enumerate(self.ranks, 1) if place < len(cells) and MARK.match(cells[place])]
        level = min(marked[0], 4) if marked else None
        return Item(text or name, number, section, name if text else "", level=level)
