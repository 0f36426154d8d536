"""ETag and If-Match: the version that whoever replaces something has seen."""

import hashlib
import re
from typing import Any

import orjson
from flask import request

from portal_backend.core.errors import Fault, InvalidInput

ENTITY_TAG = re.compile(r'(?:W/)?"(\d{1,9})(?:-[0-9a-f]{1,64})?"')
"""A version, and what tells the content where more changes than the version counts; weak once a proxy packed it."""

Tagged = tuple[Any, int, dict[str, str]]


def version_asked_for() -> int | None:
    """Return the version in If-Match, None without one; raises InvalidInput when it is no ETag of ours."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    tag = ENTITY_TAG.fullmatch(given.strip())
    if tag is None:
        message = 'must be the ETag that the GET answered, such as "3"'
        raise InvalidInput(f"If-Match {message}", [Fault("If-Match", message)])
    return int(tag.group(1))


def with_tag(value: Any, version: int) -> Tagged:
    """Return an answer that carries its version as the ETag."""
    return value, 200, {"ETag": f'"{version}"'}


def with_content_tag(value: dict[str, Any], version: int) -> Tagged:
    """Return an answer of which more changes than its version counts: the ETag names the version and the content."""
    seen = hashlib.sha256(orjson.dumps(value, default=str)).hexdigest()[:16]
    return value, 200, {"ETag": f'"{version}-{seen}"'}
