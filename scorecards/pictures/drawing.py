"""What the pictures share: colours, the hatching that stands for unknown, text and its width. Pure.

Every colour has a contrast of at least 4.5:1 to the text on it (WCAG 2.2, 1.4.3), and no meaning rests on colour alone:
the level is always written out, and unknown is hatched.
"""

import hashlib
from collections.abc import Mapping
from xml.sax.saxutils import escape

VERSION = "2"
"""Changes when a picture of the same data comes to look different, so that caches let the old one go."""

LEVEL_COLOURS: Mapping[str | None, str] = {
    "L0": "#b3261e",
    "L1": "#a8480a",
    "L2": "#7a6000",
    "L3": "#1a7f37",
    "L4": "#0b63b5",
    None: "#59636e",
}
"""Behind white text."""

WIDTHS = dict.fromkeys("fijlrtI.,:;'|!()[] /-", 0.42) | dict.fromkeys("mwMW%@ABCDGHKNOQRUVXYZ&", 0.82)
"""Of the signs that are narrower or wider than most, in Verdana, as shares of the font size."""
FULL_WIDTH = "\u2e80"
"""From here on signs are as wide as high."""
CARD_STYLE = """
.card{fill:#ffffff;stroke:#d1d9e0}.ink{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d1d9e0;fill:none}
.line{stroke:#0b63b5;fill:none}.area{fill:#0b63b5}.dot{fill:#0b63b5;stroke:#ffffff}.hatch{stroke:#6e7781}
@media (prefers-color-scheme:dark){.card{fill:#151b23;stroke:#3d444d}.ink{fill:#f0f6fc}.faint{fill:#9198a1}
.grid{stroke:#3d444d}.line{stroke:#58a6ff}.area{fill:#58a6ff}.dot{fill:#58a6ff;stroke:#151b23}.hatch{stroke:#9198a1}}
""".replace("\n", "")
"""A card with a background of its own: the picture reads on light and on dark pages."""

HATCHING = (
    '<pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="2.4"/></pattern>'
)
FONT = "Verdana,DejaVu Sans,Geneva,sans-serif"


def text(value: object) -> str:
    """Return a value as it may stand in XML, in an attribute too; what XML cannot hold becomes a question mark."""
    clean = "".join(sign if sign >= " " and sign not in "\ufffe\uffff" else "?" for sign in str(value))
    return escape(clean.encode("utf-8", "replace").decode(), {'"': "&quot;"})


def width_of(value: str, size: float = 11) -> float:
    """Return about how wide a text is, in pixels; `textLength` makes it exact whatever font is there."""
    return sum(1.0 if sign >= FULL_WIDTH else WIDTHS.get(sign, 0.64) for sign in value) * size


def document(width: float, height: float, title: str, description: str, body: str, style: str = "") -> str:
    """Return a whole SVG document with its accessible name and description."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title desc">'
        f'<title id="title">{text(title)}</title><desc id="desc">{text(description)}</desc>'
        f"<defs>{f'<style>{style}</style>' if style else ''}{HATCHING}</defs>{body}</svg>"
    )


def etag_of(*shown: object) -> str:
    """Return a tag that is the same exactly while a picture of these values looks the same."""
    return hashlib.sha256(repr((VERSION, *shown)).encode()).hexdigest()[:24]


def share(percent: float | None) -> str:
    """Write a percentage for a person: `87 %`, and `unknown` where there is none."""
    return "unknown" if percent is None else f"{percent:.0f} %"
