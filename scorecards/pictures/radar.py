"""The six axes as a radar: what passes, and around it what is not known. Pure."""

from collections.abc import Mapping, Sequence
from math import cos, pi, sin

from scorecards.checks.definitions import AXIS_TITLES, Axis
from scorecards.pictures.drawing import CARD_STYLE, FONT, document, share, text
from scorecards.pictures.shown import Shown, words_of

WIDTH, HEIGHT = 520, 380
CENTRE = (260.0, 196.0)
RADIUS = 112.0
RINGS = (25, 50, 75, 100)


def radar(name: str, axes: Mapping[Axis, Shown]) -> str:
    """Draw the percent of each axis as a filled shape, and its unknown share as a hatched rim outside of it.

    An axis on which no check applies has a dashed spoke and no corner.
    """
    applying = [axis for axis in Axis if axes[axis].percent is not None]
    passing = [_corner(axis, axes[axis].percent or 0) for axis in applying]
    possible = [_corner(axis, (axes[axis].percent or 0) + (axes[axis].unknown or 0)) for axis in applying]
    known = [_corner(axis, axes[axis].percent or 0) for axis in applying if axes[axis].coverage]
    body = "".join(
        [
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
            f'<g font-family="{FONT}" font-size="11" text-anchor="middle">',
            f'<text class="ink" x="{WIDTH / 2:g}" y="26" font-size="14" font-weight="bold">',
            f"{text(shortened(name))}</text>",
            *(f'<polygon class="grid" points="{_points([_corner(axis, ring) for axis in Axis])}"/>' for ring in RINGS),
            *(_spoke(axis, axes[axis]) for axis in Axis),
            _shape(possible, 'fill="url(#unknown)" fill-rule="evenodd"', passing),
            _shape(passing, 'class="area" fill-opacity=".35"'),
            _shape(passing, 'class="line" stroke-width="2"'),
            *(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in known),
            *(_label(axis, axes[axis]) for axis in Axis),
            _legend(),
            "</g>",
        ]
    )
    return document(WIDTH, HEIGHT, f"Readiness of {name}", _description(axes), body, CARD_STYLE)


def shortened(name: str) -> str:
    """Return a name that fits the card."""
    return name if len(name) <= 48 else f"{name[:47]}…"


def _angle(axis: Axis) -> float:
    return 2 * pi * list(Axis).index(axis) / len(Axis) - pi / 2


def _corner(axis: Axis, percent: float) -> tuple[float, float]:
    reach = RADIUS * min(percent, 100) / 100
    return CENTRE[0] + reach * cos(_angle(axis)), CENTRE[1] + reach * sin(_angle(axis))


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _shape(corners: Sequence[tuple[float, float]], look: str, hole: Sequence[tuple[float, float]] = ()) -> str:
    if len(corners) < 2:
        return ""
    outline = f"M{_points(corners)}Z" + (f" M{_points(hole)}Z" if hole else "")
    return f'<path d="{outline}" {look}/>'


def _spoke(axis: Axis, shown: Shown) -> str:
    x, y = _corner(axis, 100)
    dashes = "" if shown.percent is not None else ' stroke-dasharray="3 4"'
    return f'<line class="grid" x1="{CENTRE[0]:g}" y1="{CENTRE[1]:g}" x2="{x:.1f}" y2="{y:.1f}"{dashes}/>'


def _label(axis: Axis, shown: Shown) -> str:
    angle = _angle(axis)
    x, y = CENTRE[0] + (RADIUS + 16) * cos(angle), CENTRE[1] + (RADIUS + 22) * sin(angle)
    anchor = "middle" if abs(cos(angle)) < 0.1 else "start" if cos(angle) > 0 else "end"
    place = f'x="{x:.1f}" text-anchor="{anchor}"'
    return (
        f'<text class="ink" y="{y - 3:.1f}" {place} font-weight="bold">{text(axis.value)}</text>'
        f'<text class="faint" y="{y + 11:.1f}" {place}>{text(words_of(shown, "?"))}</text>'
    )


def _legend() -> str:
    y = HEIGHT - 18
    return (
        f'<g text-anchor="start"><rect class="area" fill-opacity=".45" x="150" y="{y - 9}" width="14" height="10"/>'
        f'<text class="faint" x="170" y="{y}">passes</text>'
        f'<rect x="236" y="{y - 9}" width="14" height="10" fill="url(#unknown)"/>'
        f'<text class="faint" x="256" y="{y}">? unknown: no evidence</text></g>'
    )


def _description(axes: Mapping[Axis, Shown]) -> str:
    return "; ".join(f"{AXIS_TITLES[axis]}: {_spoken(axes[axis])}" for axis in Axis) + "."


def _spoken(shown: Shown) -> str:
    if shown.percent is None:
        return "no check applies"
    return f"level {shown.level}, {share(shown.percent)} passes, {share(shown.unknown)} unknown"
