"""Pages of lists that are short nearly always, such as an engagement's trade-offs: by place, and 200 at once.

Who asks for no page gets all that there is, as long as that is no more than a page may hold.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from marshmallow import Schema, fields, validate

from portal_backend.core.http import PageQuery
from portal_backend.core.pagination import MAX_LIMIT, bad_cursor, decode_cursor, encode_cursor

Item = TypeVar("Item")


class WholeQuery(PageQuery):
    """The page of a list that is short nearly always."""

    limit = fields.Integer(
        load_default=MAX_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": f"Items on a page, 1 to {MAX_LIMIT}."},
    )


class PagedSchema(Schema):
    """What every paged list says beside its items."""

    next_cursor = fields.String(allow_none=True, metadata={"description": "Of the next page; null on the last one."})


def page_of(items: Sequence[Item], name: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return `items` and `next_cursor` of the page that is asked for; raises InvalidInput on another list's cursor.

    `name` is that of the list, the same for all of its pages.
    """
    start = 0 if query["cursor"] is None else _place(query["cursor"], name)
    end = start + query["limit"]
    return {"items": items[start:end], "next_cursor": encode_cursor([name, end]) if end < len(items) else None}


def _place(cursor: str, name: str) -> int:
    match decode_cursor(cursor):
        case [str(of), int(place)] if of == name and not isinstance(place, bool) and place > 0:
            return place
    raise bad_cursor()
