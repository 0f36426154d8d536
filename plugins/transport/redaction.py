"""Takes secrets out of texts that people and logs get to see."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST_SECRET = 4
"""Shorter values are not searched for in a text: hiding every `a` would only make it unreadable."""

_USERINFO = re.compile(r"(?<=://)[^/@\s\"']+@")
_QUERY_VALUE = re.compile(
    r"(?i)\b([\w.-]*(?:token|key|secret|password|passwd|pwd|auth|credential|signature|sig)[\w.-]*)=([^&\s\"'#]+)"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic|token|genie ?key|authorization:)\s+[A-Za-z0-9._~+/=-]{8,}")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without the given secrets, without credentials in URLs and without values named like secrets."""
    for secret in sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _USERINFO.sub(f"{HIDDEN}@", text)
    text = _QUERY_VALUE.sub(rf"\1={HIDDEN}", text)
    return _SCHEME.sub(rf"\1 {HIDDEN}", text)


def shorten(text: str, limit: int = 300) -> str:
    """Return the text on one line, printable, and cut to `limit` characters."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
