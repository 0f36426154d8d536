"""Numbers and lengths as JavaScript has them, which Backstage's search index is made with. Pure."""

from decimal import Decimal
from math import isfinite

EXACT = 2**53
"""Whole numbers below this are doubles as they are."""
PLAIN_DIGITS, PLAIN_ZEROS = 21, 6
"""More digits before the point than the one, or as many zeros behind it as the other, and an exponent is written."""
NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def number_text(number: int | float) -> str:
    """Write a number as JavaScript does: `7`, `1.5`, `1e+21`, `NaN`. Source: ECMA-262, Number::toString."""
    if isinstance(number, int) and -EXACT < number < EXACT:
        return str(number)
    if not isfinite(number):
        return NOT_FINITE[str(number)]
    _, figures, exponent = Decimal(repr(float(number))).as_tuple()
    written = "".join(map(str, figures))
    digits = written.rstrip("0")
    if not digits:
        return "0"
    return f"{'-' if number < 0 else ''}{_placed(digits, len(written) + int(exponent))}"


def utf16_length(text: str) -> int:
    """Return the length of a text as JavaScript counts it: characters beyond U+FFFF are two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _placed(digits: str, before: int) -> str:
    """Write digits with the point behind so many of them, or before them with zeros where that is negative."""
    if len(digits) <= before <= PLAIN_DIGITS:
        return digits + "0" * (before - len(digits))
    if 0 < before <= PLAIN_DIGITS:
        return f"{digits[:before]}.{digits[before:]}"
    if -PLAIN_ZEROS < before <= 0:
        return f"0.{'0' * -before}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{before - 1:+d}"
