"""A badge in the manner of shields.io: what is judged on the left, the level on the right. Pure."""

from scorecards.pictures.drawing import FONT, LEVEL_COLOURS, document, share, text, width_of
from scorecards.pictures.shown import Shown, words_of

HEIGHT = 20
PADDING = 6
LABEL_COLOUR = "#3b434b"


def badge(label: str, shown: Shown) -> str:
    """Draw the level and percent of a service or an axis; the unknown share is a hatched strip, and written out."""
    description = f"Level {shown.level or 'unknown'}, {share(shown.percent)} of the weight of its checks passes"
    if shown.unknown:
        description += f"; {share(shown.unknown)} cannot be judged for want of evidence"
    if shown.frozen:
        description += "; a source is dark, and the level is held for a while"
    return _draw(label, words_of(shown), LEVEL_COLOURS.get(shown.level, LEVEL_COLOURS[None]), f"{description}.", shown)


def missing_badge(label: str) -> str:
    """Draw the badge of a service that does not exist."""
    nothing = Shown(None, None, None)
    return _draw(label, "service not found", LEVEL_COLOURS[None], "There is no scorecard of this service.", nothing)


def _draw(label: str, message: str, colour: str, description: str, shown: Shown) -> str:
    left, right = width_of(label), width_of(message)
    label_width, message_width = left + 2 * PADDING, right + 2 * PADDING
    width = label_width + message_width
    body = (
        f'<clipPath id="edge"><rect width="{width:g}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#edge)"><rect width="{label_width:g}" height="{HEIGHT}" fill="{LABEL_COLOUR}"/>'
        f'<rect x="{label_width:g}" width="{message_width:g}" height="{HEIGHT}" fill="{colour}"/>'
        f"{_strip(label_width, message_width, shown)}</g>"
        f'<g fill="#fff" font-family="{FONT}" font-size="11">'
        f"{_words(PADDING, left, label)}{_words(label_width + PADDING, right, message)}</g>"
    )
    return document(width, HEIGHT, f"{label}: {message}", description, body, ".hatch{stroke:#fff}")


def _strip(x: float, width: float, shown: Shown) -> str:
    """Draw along the lower edge what passes, solid, and what is unknown, hatched; what fails stays empty."""
    if shown.percent is None or shown.unknown is None:
        return ""
    passing, unknown = width * shown.percent / 100, width * shown.unknown / 100
    return (
        f'<rect x="{x:g}" y="17.5" width="{passing:.1f}" height="2.5" fill="#fff" opacity=".75"/>'
        f'<rect x="{x + passing:.1f}" y="17.5" width="{unknown:.1f}" height="2.5" fill="url(#unknown)"/>'
    )


def _words(x: float, width: float, words: str) -> str:
    return f'<text x="{x:g}" y="13.5" textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{text(words)}</text>'
