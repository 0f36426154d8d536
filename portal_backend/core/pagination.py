"""Opaque cursors and bounded pages, the same for every list."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from portal_backend.core.errors import Fault, InvalidInput

Item = TypeVar("Item")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A page of a list, and the cursor of the next one (None on the last page)."""

    items: list[Item]
    next_cursor: str | None = None


def encode_cursor(position: Any) -> str:
    """Write a position (any JSON value) as an opaque, URL-safe cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> Any:
    """Read a cursor back; raises InvalidInput when it was not one of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise bad_cursor() from error


def bad_cursor() -> InvalidInput:
    """Return the error for a cursor that does not fit the list it is given to."""
    message = "is not a cursor of this list; take it from the previous page, or leave it out"
    return InvalidInput(f"cursor {message}", [Fault("cursor", message)])
