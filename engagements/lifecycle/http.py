"""What the views of engagements share: versions in ETag and If-Match, keys of requests, answers."""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from engagements.lifecycle import idempotency
from engagements.lifecycle.reading import show
from engagements.lifecycle.states import EngagementState
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import transaction
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.http import plain_json

KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,199}")

IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The ETag that was read: refused with 412 when it changed since. Optional.",
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 200},
    "description": "A word of your own: the same request under the same key is done once. Optional.",
}
HEADERS = [IF_MATCH, IDEMPOTENCY_KEY]


def writing(act: Callable[[Session], Mapping[str, Any]], status: int = 200) -> Response:
    """Answer a write in one transaction, once per Idempotency-Key."""
    key, now = _key(), clock.now()
    with transaction() as session:
        if key is None:
            answer: Mapping[str, Any] = act(session)
        else:
            digest = idempotency.digest_of(request.method, request.path, request.get_data())
            actor = current_principal().name
            answer, status = idempotency.once(session, actor, key, digest, now, lambda: (dict(act(session)), status))
    return tagged(answer, status)


def engagement(act: Callable[[Session], EngagementState], status: int = 200) -> Response:
    """Answer a write with the engagement after it."""
    return writing(lambda session: show(act(session)), status)


def tagged(answer: Mapping[str, Any], status: int = 200) -> Response:
    """Answer with JSON and, where it has a version, the ETag that If-Match takes."""
    response = plain_json(answer)
    response.status_code = status
    if isinstance(answer.get("version"), int):
        response.headers["ETag"] = f'"{answer["version"]}-{zlib.crc32(response.get_data()):08x}"'
    return response


def _key() -> str | None:
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not KEY.fullmatch(given):
        message = "must be 1 to 200 printable ASCII characters"
        raise InvalidInput(f"Idempotency-Key {message}", [Fault("Idempotency-Key", message)])
    return given
