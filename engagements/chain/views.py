"""HTTP: whether the history still holds together."""

from typing import Any

from sqlalchemy.orm import Session

from catalog.format.refs import BadReference, normal_ref
from engagements.blueprints import engagements_blueprint
from engagements.chain.schemas import VerifyQuery, VerifySchema
from engagements.chain.verification import Place, place_after, verify
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import bad_cursor, decode_cursor, encode_cursor

MAX_SEQUENCE = 2**31


@engagements_blueprint.get("/history/verify")
@engagements_blueprint.arguments(VerifyQuery, location="query")
@engagements_blueprint.response(200, VerifySchema)
def verify_history(query: dict[str, Any]) -> dict[str, Any]:
    """Check every event against its hash and every service against its head: what was changed, removed or put in."""
    ref = _ref(query["service"])
    with reading() as session:
        after = _place(session, query["cursor"]) if query["cursor"] is not None else None
        report = verify(session, ref, after, query["limit"])
    last = report.last
    return {
        "ok": report.ok,
        "events": report.events,
        "services": report.services,
        "faults": report.faults,
        "more_faults": report.more_faults,
        "next_cursor": encode_cursor([last.entity_ref, last.sequence]) if last else None,
        "checked_at": clock.now(),
    }


def _ref(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return normal_ref(text)
    except BadReference as error:
        raise InvalidInput(f"{error}.", [Fault("service", str(error))]) from error


def _place(session: Session, cursor: str) -> Place:
    match decode_cursor(cursor):
        case [str(ref), int(sequence)] if not isinstance(sequence, bool) and abs(sequence) < MAX_SEQUENCE:
            place = place_after(session, ref, sequence) if "\0" not in ref else None
            if place is not None:
                return place
    raise bad_cursor()
