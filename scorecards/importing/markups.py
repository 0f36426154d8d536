"""Brings HTML, AsciiDoc, Org and reStructuredText into Markdown, and reads tables in CSV. Pure."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

from scorecards.importing.drafts import Item
from scorecards.importing.markup_tables import tables_as_markdown
from scorecards.importing.tables import Table

FRONT_MATTER = re.compile(r"\A---\n.*?\n---[ \t]*(?=\n|\Z)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ENDS = {
    "p",
    "div",
    "tr",
    "ul",
    "ol",
    "table",
    "section",
    "article",
    "br",
    "label",
    "td",
    "th",
    "dd",
    "dt",
    "blockquote",
}
UNSEEN = {"script", "style", "head", "nav", "footer", "template"}
UNDERLINES = re.compile(r"^([=\-~^\"'`#*+.:_])\1{2,}$")


def as_markdown(name: str, text: str) -> tuple[str, str]:
    """Return a document as Markdown, and what it was in words; lines keep their numbers, but for HTML's."""
    ending = name.lower().rpartition(".")[2]
    if ending in {"html", "htm", "xhtml"} or re.match(r"\s*<(!doctype html|html)\b", text, re.IGNORECASE):
        return _of_html(text), "an HTML checklist"
    for endings, convert, words in MARKUPS:
        if ending in endings:
            lines = tables_as_markdown(ending, _underlined(text))
            return "\n".join(convert(line) for line in lines), words
    return _blank(COMMENT, _blank(FRONT_MATTER, text)), "a Markdown checklist"


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """Take out what a pattern finds, and leave the lines that it took."""
    return pattern.sub(lambda found: "\n" * found[0].count("\n"), text)


def _underlined(text: str) -> list[str]:
    """Write titles that are underlined, as in reStructuredText, by their rank of first use."""
    lines = text.splitlines()
    ranks: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 1):
        title = lines[number - 1]
        if UNDERLINES.match(line) and title.strip() and not UNDERLINES.match(title) and len(line) >= len(title) - 2:
            rank = ranks.setdefault(line[0], len(ranks) + 1)
            lines[number - 1], lines[number] = f"{'#' * min(rank, 6)} {title.strip()}", ""
    return lines


def _of_asciidoc(line: str) -> str:
    heading = re.match(r"^(=+)\s+(.*)$", line)
    if heading:
        return f"{'#' * min(len(heading[1]), 6)} {heading[2]}"
    entry = re.match(r"^\s*(\*+|-|\.+)\s+(\[[ xX*]\]\s+)?(.*)$", line)
    if not entry:
        return line
    box = "" if entry[2] is None else "[ ] "
    return f"{'  ' * (len(entry[1]) - 1)}- {box}{entry[3]}"


def _of_org(line: str) -> str:
    heading = re.match(r"^(\*+)\s+(?:TODO |DONE )?(.*)$", line)
    return f"{'#' * min(len(heading[1]), 6)} {heading[2]}" if heading else line


def _of_rst(line: str) -> str:
    return re.sub(r"^(\s*)#\.\s", r"\1- ", line)


MARKUPS: tuple[tuple[set[str], Callable[[str], str], str], ...] = (
    ({"adoc", "asciidoc"}, _of_asciidoc, "an AsciiDoc checklist"),
    ({"org"}, _of_org, "an Org checklist"),
    ({"rst"}, _of_rst, "a reStructuredText checklist"),
)


def _of_html(text: str) -> str:
    reader = _Html()
    reader.feed(text)
    reader.close()
    return "\n".join(reader.lines())


class _Html(HTMLParser):
    """Writes headings, entries of lists, boxes to tick and rows of tables as Markdown; all else as paragraphs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.depth = self.unseen = 0
        self.start = ""
        self.words: list[str] = []
        self.row: list[str] | None = None
        self.has_rule = False

    def lines(self) -> list[str]:
        """Return what was read."""
        self._end()
        return self.out

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line where the tag does."""
        given: Mapping[str, str | None] = dict(attrs)
        if tag in UNSEEN:
            self.unseen += 1
        elif tag == "input" and given.get("type") == "checkbox":
            self.words.append("☐ " if self.start or self.row is not None else "- [ ] ")
        elif tag == "li":
            self._end()
            self.start = f"{'  ' * max(self.depth - 1, 0)}- "
        elif re.fullmatch(r"h[1-6]", tag):
            self._end()
            self.start = f"{'#' * int(tag[1])} "
        else:
            self._open(tag)

    def _open(self, tag: str) -> None:
        if tag in {"ul", "ol"}:
            self._end()
            self.depth += 1
        elif tag == "table":
            self._end()
            self.has_rule = False
        elif tag == "tr":
            self._end()
            self.row = []
        elif tag in ENDS and self.row is None and not self.start:
            self._end()

    def handle_endtag(self, tag: str) -> None:
        """End a line, a cell or a list."""
        if tag in UNSEEN:
            self.unseen = max(self.unseen - 1, 0)
        elif tag in {"td", "th"} and self.row is not None:
            self.row.append(self._said().replace("|", "\\|"))
        elif tag == "tr" and self.row is not None:
            self._end_row(self.row)
        elif tag in {"ul", "ol"}:
            self._end()
            self.depth = max(self.depth - 1, 0)
        elif tag in {"li", *(f"h{rank}" for rank in range(1, 7))} or (
            tag in ENDS and self.row is None and not self.start
        ):
            self._end()

    def handle_data(self, data: str) -> None:
        """Take words."""
        if not self.unseen:
            self.words.append(data)

    def _said(self) -> str:
        said = " ".join("".join(self.words).split())
        self.words = []
        return said

    def _end_row(self, row: list[str]) -> None:
        self.out.append(f"| {' | '.join(row)} |")
        if not self.has_rule:
            self.out.append("|" + " --- |" * max(len(row), 1))
            self.has_rule = True
        self.row = None

    def _end(self) -> None:
        said = self._said()
        if said and self.row is None:
            self.out += [f"{self.start}{said}"] if self.start else ["", said]
            self.start = ""


def items_of_csv(text: str) -> list[Item]:
    """Return what the rows of a table in CSV ask; commas, semicolons or tabs part its cells."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    parting = max(",;\t|", key=first.count)
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=parting))
    if not rows:
        return []
    table = Table(rows[0], rows[1:])
    found = [table.row(row, number, ()) for number, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    return [item for item in found if item]
