"""The scalars of YAML 1.2's core schema, as JavaScript holds them afterwards. Pure."""

import re
from typing import Any

from catalog.format.numbers import number_text

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
"""Unquoted words that are no strings."""
OCTAL = re.compile(r"0o[0-7]+")
INTEGER = re.compile(r"[-+]?[0-9]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
FRACTION = re.compile(rf"(?!{INTEGER.pattern}\Z){FLOAT.pattern}")

SPECIAL_STARTS = frozenset("~nNtTfF.+-0123456789")
"""What a scalar that is not a string may start with."""

MAX_SAFE_INTEGER = 2**53
MAX_DIGITS = 400
"""Past this every number is infinite as a double anyway."""

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, type] = {f"{_TAG}null": type(None), f"{_TAG}bool": bool}
_NUMBERS = {f"{_TAG}int": (INTEGER, OCTAL, HEXADECIMAL), f"{_TAG}float": (FRACTION, NOT_FINITE)}
"""What a tag makes a number; otherwise the text stays one."""


def resolve(text: str, tag: str | None, plain: bool) -> Any:
    """Return the value of a scalar: `plain` says that it was written without quotes, `tag` is its tag if it has one."""
    if tag is None:
        return resolve_plain(text) if plain else text
    if tag in _NUMBERS:
        return _number(text) if any(written.fullmatch(text) for written in _NUMBERS[tag]) else text
    value = resolve_plain(text)
    return value if isinstance(value, _WORDS.get(tag, ())) else text


def resolve_plain(text: str) -> Any:
    """Return the value of an unquoted scalar: null, a boolean, a number, or the text itself."""
    if text and text[0] not in SPECIAL_STARTS:
        return text
    if text in WORDS:
        return WORDS[text]
    return text if text[0].isalpha() else _number(text)


def _number(text: str) -> Any:
    if INTEGER.fullmatch(text):
        return _integer(text, 10)
    if OCTAL.fullmatch(text):
        return _integer(text[2:], 8)
    if HEXADECIMAL.fullmatch(text):
        return _integer(text[2:], 16)
    if FLOAT.fullmatch(text):
        return _double(float(text))
    if NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


def _integer(digits: str, base: int) -> int | float:
    if len(digits) > MAX_DIGITS:
        return float("-inf" if digits[0] == "-" else "inf")
    number = int(digits, base)
    return number if abs(number) <= MAX_SAFE_INTEGER else _rounded(number)


def _rounded(number: int) -> int | float:
    try:
        return _double(float(number))
    except OverflowError:
        return float("inf" if number > 0 else "-inf")


def _double(number: float) -> int | float:
    """Write whole numbers without a fraction, as JavaScript does; within what JSON readers hold in 64 bits."""
    if number.is_integer() and abs(number) < 2**63:
        return int(number)
    return number


def key_text(key: Any) -> str:
    """Return a mapping's key as the property name that JavaScript makes of it."""
    if isinstance(key, str):
        return key
    if key is None:
        return ""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, dict):
        return "{ " + ", ".join(_pair_text(name, value) for name, value in key.items()) + " }" if key else "{}"
    if isinstance(key, list):
        return "[ " + ", ".join(key_text(item) for item in key) + " ]" if key else "[]"
    return number_text(key)


def _pair_text(name: str, value: Any) -> str:
    return name if value is None else f"{name}: {key_text(value)}"
