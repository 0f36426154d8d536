"""Brings the tables of AsciiDoc, Org and reStructuredText into Markdown's. Pure.

A table takes no more lines than before and ends where it ended, so that rows of one line keep their numbers.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from scorecards.importing.tables import Table

Rows = list[list[str]]

ASCIIDOC_END = re.compile(r"^\|={3,}\s*$")
ASCIIDOC_CELL = re.compile(r"(?:(?<=\s)|^)(?:(\d+)(?:\.\d+)?([+*]))?[.<^>]{0,4}[a-z]?(?<!\\)\|")
"""What begins a cell: how many columns it spans or is repeated for, how it is set."""
ASCIIDOC_COLUMNS = re.compile(r"cols\s*=\s*(?:\"([^\"]*)\"|([^\],]+))")
RST_LIST = re.compile(r"^\.\. list-table::")
RST_HEAD = re.compile(r"^\s*:header-rows:\s*([1-9])")
RST_GRID = re.compile(r"^\s*\+(?:[-=]{2,}\+)+\s*$")
RST_SIMPLE = re.compile(r"^\s*={2,}(?: +={2,})+\s*$")
ORG_RULE = re.compile(r"^\s*\|-[-+|]*$")


def tables_as_markdown(ending: str, lines: Sequence[str]) -> list[str]:
    """Return the lines of a document with its tables written as Markdown's; `ending` is that of the file's name."""
    if ending == "org":
        return [line.replace("+", "|") if ORG_RULE.match(line) else line for line in lines]
    out = list(lines)
    found = _asciidoc(lines) if ending in {"adoc", "asciidoc"} else _rst(lines)
    for start, end, rows, has_head in found:
        columns = max(map(len, rows), default=0)
        if not has_head and not (rows and Table(rows[0]).is_head):
            rows = [[""] * columns, *rows]
        made = [_row(row, columns) for row in rows]
        made[1:1] = ["|" + " --- |" * columns]
        spare = end - start - len(made)
        if columns and spare >= 0:
            below = min(spare, 1)  # where the mark of its end stood
            out[start:end] = [""] * (spare - below) + made + [""] * below
    return out


def _row(cells: Sequence[str], columns: int) -> str:
    padded = [*cells, *[""] * (columns - len(cells))]
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in padded)} |"


def _asciidoc(lines: Sequence[str]) -> Iterator[tuple[int, int, Rows, bool]]:
    """Find tables between `|===`; each with its lines, its rows and whether the first is its head."""
    marks = [number for number, line in enumerate(lines) if ASCIIDOC_END.match(line)]
    for start, end in zip(marks[::2], marks[1::2], strict=False):
        told = lines[start - 1] if start and lines[start - 1].startswith("[") else ""
        inside = lines[start + 1 : end]
        first = next((place for place, line in enumerate(inside) if line.strip()), 0)
        cells = _cells(inside)
        asked = ASCIIDOC_COLUMNS.search(told)
        columns = _columns(asked[1] or asked[2]) if asked else len(_cells(inside[first : first + 1]))
        if not columns or not cells:
            continue
        rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
        is_apart = len(_cells(inside[first : first + 1])) == columns and not "".join(inside[first + 1 : first + 2])
        yield start, end + 1, rows, "header" in told or is_apart


def _columns(told: str) -> int:
    """Count the columns of `1,2a,3`, or of `3*`."""
    return sum(int(found[1]) if (found := re.match(r"\s*(\d+)\*", part)) else 1 for part in told.split(","))


def _cells(lines: Sequence[str]) -> list[str]:
    cells: list[str] = []
    for line in lines:
        before, *parts = ASCIIDOC_CELL.split(line)
        if cells:
            cells[-1] = f"{cells[-1]} {before}".strip()
        for number, sign, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            times = int(number or 1)
            cells += [text.strip()] * times if sign == "*" else [text.strip(), *[""] * (times - 1)]
    return cells


def _rst(lines: Sequence[str]) -> Iterator[tuple[int, int, Rows, bool]]:
    """Find list tables, grid tables and simple ones; each with its lines, its rows and whether the first is a head."""
    at = 0
    while at < len(lines):
        start = at
        if RST_LIST.match(lines[at]):
            at = _while(lines, at + 1, lambda line: not line.strip() or line.startswith((" ", "\t")))
            block = lines[start:at]
            yield start, at, _listed(block), any(RST_HEAD.match(line) for line in block)
        elif RST_GRID.match(lines[at]):
            at = _while(lines, at, lambda line: line.strip().startswith(("+", "|")))
            yield start, at, _gridded(lines[start:at]), any("+=" in line for line in lines[start:at])
        elif RST_SIMPLE.match(lines[at]):
            at = _while(lines, at, lambda line: bool(line.strip()))
            block = lines[start:at]
            yield start, at, _simple(block), sum(bool(RST_SIMPLE.match(line)) for line in block) > 2
        else:
            at += 1


def _while(lines: Sequence[str], at: int, fits: Callable[[str], bool]) -> int:
    """Return the number of the first line from there on that does not fit."""
    while at < len(lines) and fits(lines[at]):
        at += 1
    return at


def _listed(block: Sequence[str]) -> Rows:
    """Read `* - cell` and the cells below it; what stands deeper goes on with the cell."""
    rows: Rows = []
    for line in block[1:]:
        begun = re.match(r"^\s*\*\s+-(?:\s+(.*))?$", line)
        cell = re.match(r"^\s+-(?:\s+(.*))?$", line)
        if begun:
            rows.append([begun[1] or ""])
        elif cell and rows:
            rows[-1].append(cell[1] or "")
        elif rows and line.strip():
            rows[-1][-1] = f"{rows[-1][-1]} {line.strip()}"
    return rows


def _gridded(block: Sequence[str]) -> Rows:
    """Read the rows between rules; a cell may go on over several lines."""
    rules = [number for number, line in enumerate(block) if RST_GRID.match(line)]
    rows: Rows = []
    for above, below in pairwise(rules):
        parts = [line.strip().strip("|").split("|") for line in block[above + 1 : below]]
        rows.append([" ".join(cell.strip() for cell in cells) for cells in zip(*parts, strict=False)])
    return rows


def _simple(block: Sequence[str]) -> Rows:
    """Read rows by the columns that the first rule marks; a line without a first cell goes on with the row above."""
    starts = [found.start() for found in re.finditer(r"=+", block[0])]
    rows: Rows = []
    for line in block[1:]:
        if RST_SIMPLE.match(line):
            continue
        cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
    return rows
