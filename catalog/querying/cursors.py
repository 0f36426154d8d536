"""Places in lists as opaque tokens: base64 of JSON, as the published client expects to decode them. Pure."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from catalog.querying.selection import LARGEST, Position
from portal_backend.core.errors import Fault, InvalidInput

MAX_ID = 2**63 - 1


def encode_position(carried: bytes, position: Position, total: int | None) -> str:
    """Write a place in a query's list, with what the query was (a JSON object) and its total."""
    place = orjson.dumps({"at": [position.value, position.id], "back": position.backwards, "total": total})
    return base64.b64encode(b"%b,%b" % (carried[:-1], place[1:]) if carried != b"{}" else place).decode()


def decode_position(cursor: str) -> tuple[Mapping[str, Any], Position, int | None]:
    """Return what the query was, the place and the total; raises InvalidInput when the cursor is none of ours."""
    carried = _decode(cursor, "cursor")
    match carried:
        case {"at": [None | str() as value, int() as id_], "back": bool() as backwards, "total": None | int() as total}:
            if _whole(id_, MAX_ID) and (total is None or _whole(total, LARGEST)):
                return carried, Position(value, id_, backwards), total
    raise _bad("cursor")


def encode_after(limit: int, offset: int) -> str:
    """Write the place of the next page of a bare list."""
    return base64.b64encode(orjson.dumps({"limit": limit, "offset": offset})).decode()


def decode_after(token: str) -> tuple[int, int]:
    """Return limit and offset; raises InvalidInput when the token is none of ours."""
    match _decode(token, "after"):
        case {"limit": int() as limit, "offset": int() as offset} if _whole(limit - 1, LARGEST):
            if _whole(offset, LARGEST):
                return limit, offset
    raise _bad("after")


def _decode(token: str, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(base64.b64decode(token.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise _bad(name) from error
    if not isinstance(found, dict):
        raise _bad(name)
    return found


def _whole(number: int, most: int) -> bool:
    return not isinstance(number, bool) and 0 <= number <= most


def _bad(name: str) -> InvalidInput:
    message = "is no place in this list; take it from the previous page, or leave it out"
    return InvalidInput(f"{name} {message}.", [Fault(name, message)])
