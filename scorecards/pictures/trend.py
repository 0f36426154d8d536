"""A standing over time: the percent as steps, what is unknown hatched above them, levels where they moved. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from scorecards.pictures.drawing import CARD_STYLE, FONT, LEVEL_COLOURS, document, share, text
from scorecards.pictures.radar import shortened
from scorecards.pictures.shown import WORTH_SAYING, Point, Shown, words_of

WIDTH, HEIGHT = 640, 240
LEFT, TOP, RIGHT, BOTTOM = 48.0, 62.0, 624.0, 204.0
MARK_WIDTH = 22.0
SMALL_PART = 0.1
"""Of the time that is asked for: what is known of less is drawn over the whole width."""


def trend(title: str, points: Sequence[Point], start: datetime, end: datetime) -> str:
    """Draw the points from `start` to `end`; the one before `start`, if there is one, says where it stood then."""
    described = _description(points, start, end)
    start = _first_drawn(points, start, end)
    body = "".join(
        [
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
            f'<g font-family="{FONT}" font-size="11">',
            f'<text class="ink" x="16" y="24" font-size="13" font-weight="bold">{text(shortened(title))}</text>',
            *(_rule(percent) for percent in (0, 25, 50, 75, 100)),
            *(_date(start, start, end, "start"), _date(end, start, end, "end")),
            _drawn(points, start, end) if points else _nothing(),
            "</g>",
        ]
    )
    return document(WIDTH, HEIGHT, title, described, body, CARD_STYLE)


def _first_drawn(points: Sequence[Point], start: datetime, end: datetime) -> datetime:
    """Return where the picture begins: what is known of a small part of the time alone would be a mere stroke."""
    begun = next((point.at for point in points if point.shown.percent is not None), start)
    return begun if begun < end and end - begun < (end - start) * SMALL_PART else start


def _x(moment: datetime, start: datetime, end: datetime) -> float:
    whole = (end - start) / timedelta(seconds=1) or 1
    part = (max(start, min(moment, end)) - start) / timedelta(seconds=1)
    return LEFT + (RIGHT - LEFT) * part / whole


def _y(percent: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(percent, 0), 100) / 100


def _rule(percent: int) -> str:
    y = _y(percent)
    return (
        f'<line class="grid" x1="{LEFT:g}" y1="{y:.1f}" x2="{RIGHT:g}" y2="{y:.1f}"/>'
        f'<text class="faint" x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
    )


def _date(moment: datetime, start: datetime, end: datetime, anchor: str) -> str:
    x = _x(moment, start, end)
    return f'<text class="faint" x="{x:.1f}" y="{BOTTOM + 20:g}" text-anchor="{anchor}">{moment:%Y-%m-%d}</text>'


def _drawn(points: Sequence[Point], start: datetime, end: datetime) -> str:
    """Draw each stretch of time between two changes; where no check applied there is a gap."""
    ends = [*(point.at for point in points[1:]), end]
    hatched, lines = [], []
    last: tuple[float, float] | None = None
    for point, until in zip(points, ends, strict=True):
        if point.shown.percent is None:
            last = None
            continue
        x1, x2, y = _x(point.at, start, end), _x(until, start, end), _y(point.shown.percent)
        lines.append(f"{'L' if last else 'M'}{x1:.1f},{y:.1f} L{x2:.1f},{y:.1f}")
        last = (x2, y)
        hatched.append(_hatch(x1, x2, y, point.shown))
    line = f'<path class="line" stroke-width="2" stroke-linejoin="round" d="{" ".join(lines)}"/>' if lines else ""
    dot = f'<circle class="dot" cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="3"/>' if last else ""
    return "".join(hatched) + line + dot + _marks(points, start, end) + _now(points[-1].shown)


def _hatch(x1: float, x2: float, y: float, shown: Shown) -> str:
    if not shown.unknown or x2 <= x1:
        return ""
    top = _y((shown.percent or 0) + shown.unknown)
    return f'<rect x="{x1:.1f}" y="{top:.1f}" width="{x2 - x1:.1f}" height="{y - top:.1f}" fill="url(#unknown)"/>'


def _marks(points: Sequence[Point], start: datetime, end: datetime) -> str:
    """Write each level where it began; of those that would cover each other, the later."""
    moved = [
        point
        for before, point in zip([None, *points], points, strict=False)
        if before is None or before.shown.level != point.shown.level
    ]
    marks: list[str] = []
    edge = RIGHT + MARK_WIDTH
    for point in reversed(moved):
        x = min(_x(point.at, start, end), RIGHT - MARK_WIDTH)
        if x + MARK_WIDTH <= edge:
            marks.append(_mark(x, point.shown.level))
            edge = x
    return "".join(marks)


def _mark(x: float, level: str | None) -> str:
    colour = LEVEL_COLOURS.get(level, LEVEL_COLOURS[None])
    return (
        f'<rect x="{x:.1f}" y="38" width="{MARK_WIDTH - 2:g}" height="15" rx="3" fill="{colour}"/>'
        f'<text x="{x + (MARK_WIDTH - 2) / 2:.1f}" y="49" fill="#fff" text-anchor="middle" font-size="10">'
        f"{text(level or '–')}</text>"
    )


def _now(shown: Shown) -> str:
    middle = (LEFT + RIGHT) / 2
    return (
        f'<text class="faint" x="{RIGHT:g}" y="24" text-anchor="end">{text(words_of(shown))}</text>'
        f'<rect x="{middle - 62:g}" y="{BOTTOM + 11:g}" width="14" height="10" fill="url(#unknown)"/>'
        f'<text class="faint" x="{middle - 42:g}" y="{BOTTOM + 20:g}">unknown: no evidence</text>'
    )


def _nothing() -> str:
    middle = (LEFT + RIGHT) / 2
    return (
        f'<rect x="{LEFT:g}" y="{TOP:g}" width="{RIGHT - LEFT:g}" height="{BOTTOM - TOP:g}" fill="url(#unknown)" '
        f'opacity=".35"/><text class="ink" x="{middle:g}" y="{(TOP + BOTTOM) / 2:g}" text-anchor="middle">'
        "nothing was judged in this time</text>"
    )


def _description(points: Sequence[Point], start: datetime, end: datetime) -> str:
    begun = max(start, points[0].at) if points else start
    span = f"From {begun:%Y-%m-%d} to {end:%Y-%m-%d}"
    if not points:
        return f"{span}: nothing was judged."
    return f"{span}: from {_told(points[0].shown)} to {_told(points[-1].shown)}."


def _told(shown: Shown) -> str:
    if shown.percent is None or shown.unknown is None:
        return "no level"
    unknown = f" and {share(shown.unknown)} unknown" if shown.unknown >= WORTH_SAYING else ""
    return f"{shown.level} with {share(shown.percent)} passing{unknown}"
