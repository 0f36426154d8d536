"""Requests that carry an Idempotency-Key are answered once: the same key and request get the same answer again."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete
from sqlalchemy.orm import Session

from engagements.lifecycle.models import AnsweredRequest
from portal_backend.core.db import serialise
from portal_backend.core.errors import Conflict, Fault

KEPT_FOR = timedelta(days=30)
"""How long a repeated request is known as one."""

Answered = tuple[dict[str, Any], int]


def digest_of(method: str, path: str, body: bytes) -> str:
    """Return the digest of a request: what a key is good for."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()


def once(session: Session, actor: str, key: str, digest: str, now: datetime, act: Callable[[], Answered]) -> Answered:
    """Return what `act` answers, or what it answered when the same request came before.

    Raises Conflict when the key came with another request. An answer that failed is not kept: it may be tried again.
    """
    serialise(session, f"request/{actor}/{key}")
    known = session.get(AnsweredRequest, (actor, key))
    if known is not None:
        if known.digest == digest:
            return known.answer, known.status
        message = "came with another request before; a key is good for one request only"
        raise Conflict(f"Idempotency-Key {message}.", [Fault("Idempotency-Key", message)])
    answer, status = act()
    session.execute(delete(AnsweredRequest).where(AnsweredRequest.answered_at < now - KEPT_FOR))
    kept = orjson.loads(orjson.dumps(answer))
    session.add(AnsweredRequest(actor=actor, key=key, digest=digest, answer=kept, status=status, answered_at=now))
    return answer, status
