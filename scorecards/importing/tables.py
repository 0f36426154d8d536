"""Finds what the rows of a table ask: which column says it, names it, grades it. Pure."""

import re
from collections.abc import Sequence

from scorecards.importing.drafts import Item
from scorecards.importing.statements import bare

MARK = re.compile(
    r"^(x|yes|y|✓|✔|✅|☑|●|•|required|must|mandatory|必須|:white_check_mark:|:heavy_check_mark:|:x:)\W*$", re.IGNORECASE
)
BOX = re.compile(r"^\W*(\[[ xX]?\])?\W*$")
"""A cell that is a box to tick, or empty."""
DESCRIBING = (
    *("description", "question", "requirement", "criteri", "statement", "practice", "task", "control", "check", "item"),
    *("what", "detail", "beschreibung", "frage", "anforderung", "prüfung", "prüfpunkt", "kriteri", "maßnahme"),
    *("descripci", "descriç", "requisit", "pregunta", "pergunta", "comproba", "verifica", "vérifi", "exigence"),
    *("内容", "項目", "要件", "설명", "항목", "检查", "要求"),
)
"""What columns are called that say what is asked, the plainest first."""
NAMING = ("name", "title", "check", "item", "requirement", "topic", "control", "prüfpunkt", "項目", "항목")
GROUPING = (
    *("category", "area", "section", "domain", "theme", "pillar", "phase", "scope", "group", "module", "tags"),
    *("chapter", "kategorie", "bereich", "カテゴリ", "分類", "분류"),
)
GRADING = (
    "priority",
    "severity",
    "criticality",
    "importance",
    "moscow",
    "mandatory",
    "required",
    "priorität",
    "pflicht",
    "obligator",
    "prioridad",
    "priorité",
    "優先度",
    "优先级",
)
STATE = (
    *("status", "done", "state", "owner", "notes", "comment", "evidence", "link", "who", "date", "answer", "complete"),
    *(
        "assignee",
        "responsible",
        "verified",
        "due",
        "result",
        "score",
        "reference",
        "url",
        "doc",
        "備考",
        "担当",
        "状態",
    ),
)
ENTRY = re.compile(r"^\s*[-*+•]\s+(?:\\?\[(?P<name>[^\]\\]{2,})\\?\]$)?")
"""What marks an entry of a list that goes on in the next row, and the brackets around all of it."""
MAX_NAME = 3
"""Words in the name of a column."""
RANK = re.compile(r"\b(level|tier|grade|stage)(?:[ _-]?\d)?\b")


class Table:
    """Which columns hold what; where the head tells nothing, the longest cell of a row says what is asked."""

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> None:
        """Take the cells of the head, and the rows, which tell the columns that hold nothing but boxes to tick."""
        names = [bare(cell).lower() for cell in header]
        boxes = {place for place in range(len(names)) if _is_of_boxes([_cell(cells, place) for cells in rows])}
        self.grades = [place for place, name in enumerate(names) if _has(name, GRADING) and len(name.split()) < 4]
        self.groups = [place for place, name in enumerate(names) if _has(name, GROUPING)]
        self.ranks = _ranks(names)
        if len(self.ranks) == 1:  # one column of words, such as Critical and Recommended
            self.grades, self.ranks = [*self.grades, *self.ranks], []
        taken = {*self.ranks, *self.grades, *self.groups}
        free = [
            place
            for place, name in enumerate(names)
            if place not in taken | boxes and not _has(name, STATE) and name not in {"#", "id", "no", "no.", "nr", ""}
        ]
        self.is_headless = not any(names)
        self.has_short_names = all(len(name.split()) <= MAX_NAME for name in names)
        said = [place for word in DESCRIBING for place in free if word in names[place]]
        longest = max(free, key=lambda place: (sum(len(_cell(cells, place)) for cells in rows), place), default=0)
        self.text = said[0] if said else longest
        named = [place for word in NAMING for place in free if word in names[place] and place != self.text]
        self.name = named[0] if named else None
        self.asks = bool(self.ranks or said or self.grades) or any(_has(name, ("done", "status")) for name in names)

    def row(self, cells: Sequence[str], number: int, section: tuple[str, ...]) -> Item | None:
        """Return what a row asks for; None for one without words."""
        place = max(range(len(cells)), key=lambda at: len(cells[at])) if self.is_headless else self.text
        text, detail = _summary(_cell(cells, place))
        name = bare(_cell(cells, self.name))
        if not text and not name:
            return None
        marked = [rank for rank, at in enumerate(self.ranks, 1) if MARK.match(_cell(cells, at))]
        groups = tuple(bare(_cell(cells, at)) for at in self.groups if _cell(cells, at))
        grade = " ".join(bare(_cell(cells, at)) for at in self.grades)
        level = min(marked[0], 4) if marked else None
        return Item(text or name, number, (*section, *groups), name if text else "", detail, level, grade=grade)

    @property
    def is_head(self) -> bool:
        """Say whether its head, which nothing marks as one, is made of names of columns."""
        return self.asks and self.has_short_names

    def is_checklist(self, rows: Sequence[Sequence[str]]) -> bool:
        """Say whether its head or its boxes to tick tell it from a table that merely informs."""
        boxes = sum(any(BOX.match(bare(cell)) and cell.strip() for cell in row) for row in rows)
        return self.asks or bool(rows) and boxes * 2 > len(rows)


def cells_of(line: str) -> list[str]:
    """Return the cells of a row of Markdown."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _is_of_boxes(cells: Sequence[str]) -> bool:
    return any(cells) and all(BOX.match(cell) for cell in cells)


def _ranks(names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names) if RANK.search(name)]


def _has(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place] if place is not None and place < len(cells) else ""


def _summary(cell: str) -> tuple[str, str]:
    """Part a cell that folds its explanation away: what is asked, and the explanation."""
    found = re.search(r"<summary>(.*?)</summary>(.*)", cell, re.IGNORECASE | re.DOTALL)
    return (
        (bare(found[1]), bare(found[2]))
        if found
        else (bare(ENTRY.sub(lambda mark: mark["name"] or "", cell.strip())), "")
    )
