"""What the tags of YAML 1.1 make of a value, as JSON holds it after Backstage's `yaml` library. Pure."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

TIMESTAMP, BINARY, SET, ORDERED, PAIRS, MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("timestamp", "binary", "set", "omap", "pairs", "merge")
)
TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:(?:[tT]|[ \t]+)(\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?"
    r"(?:[ \t]*(?:Z|([-+])([012]?\d)(?::(\d\d))?))?)?",
    re.ASCII,
)
NO_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
TWO_DIGIT_YEARS = 100
"""Years below are those of the 20th century, as JavaScript's Date.UTC has it."""


class BadTag(Exception):
    """The value is none of what its tag says; the message says what it should be."""


def tagged_scalar(tag: str, text: str) -> Any:
    """Return what a tag makes of a text: a moment is written out, bytes are what Node's Buffer is as JSON.

    Raises BadTag. What is tagged as the key of a merge is nothing as a value, whatever it says. Of any other tag the
    text is returned as it is.
    """
    if tag == MERGE:
        return None
    if tag == TIMESTAMP:
        return _moment(text)
    return {"type": "Buffer", "data": list(_bytes(text))} if tag == BINARY else text


def tagged_collection(tag: str, value: dict[str, Any] | list[Any]) -> dict[str, Any] | list[Any]:
    """Return what a tag makes of a mapping or a list: sets and ordered maps are empty as JSON. Raises BadTag."""
    if tag == SET and isinstance(value, dict):
        if any(inner is not None for inner in value.values()):
            raise BadTag("is a set, whose items must have no values")
        return {}
    if tag not in {ORDERED, PAIRS} or not isinstance(value, list):
        return value
    pairs = [_pair(item) for item in value]
    if tag == PAIRS:
        return pairs
    keys = [key for pair in pairs for key in pair]
    if len(set(keys)) < len(keys):
        raise BadTag("is an ordered map with a key that stands twice")
    return {}


def _pair(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {str(item): None}
    if len(item) > 1:
        raise BadTag("is a list of pairs, each of which must be an item of its own")
    return item or {"": None}


def _moment(text: str) -> str:
    """Write a moment as JavaScript does, in UTC with milliseconds; parts beyond their range carry over."""
    found = TIME.fullmatch(text)
    if found is None:
        raise BadTag("is no timestamp: write it as yyyy-mm-dd, or yyyy-mm-ddThh:mm:ssZ")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    milliseconds = int(f"{found[7] or ''}000"[:3])
    first = year + (month - 1) // 12 + (1900 if year < TWO_DIGIT_YEARS else 0)
    since = timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, milliseconds=milliseconds)
    try:
        moment = datetime(first, (month - 1) % 12 + 1, 1, tzinfo=UTC) + since - _zone(found)
    except (OverflowError, ValueError):
        raise BadTag("is a timestamp beyond the year 9999") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(found: re.Match[str]) -> timedelta:
    if found[8] is None:
        return timedelta()
    ahead = timedelta(hours=int(found[9]), minutes=int(found[10] or 0))
    return -ahead if found[8] == "-" else ahead


def _bytes(text: str) -> bytes:
    """Decode base64 as Node does: up to the first `=`, either alphabet, anything else passed over."""
    letters = NO_BASE64.sub("", text.partition("=")[0].replace("-", "+").replace("_", "/"))
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return base64.b64decode(letters + "=" * (-len(letters) % 4))
