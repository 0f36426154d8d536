"""HTTP: questions about the whole fleet."""

from datetime import datetime, timedelta
from typing import Any

from engagements.blueprints import engagements_blueprint
from engagements.fleet.numbers import Period
from engagements.fleet.questions import QUESTIONS, ask
from engagements.fleet.schemas import FleetAnswerSchema, FleetQuery, QuestionListSchema
from engagements.unchanged import tag_without
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.http import plain_json

A_YEAR, LONGEST = timedelta(days=365), timedelta(days=3660)


@engagements_blueprint.get("/fleet")
@engagements_blueprint.response(200, QuestionListSchema)
def list_questions() -> Any:
    """List the questions about the fleet."""
    items = [
        {"question": name, "asks": asks, "path": f"/api/engagements/fleet/{name}"}
        for name, (asks, _) in QUESTIONS.items()
    ]
    return {"items": items}


@engagements_blueprint.get("/fleet/<string:question>")
@engagements_blueprint.arguments(FleetQuery, location="query")
@engagements_blueprint.response(200, FleetAnswerSchema)
def ask_fleet(query: dict[str, Any], question: str) -> Any:
    """Answer a question about the fleet, with its numbers, its period and its method."""
    now = clock.now()
    period = _period(query["since"], query["until"], now)
    with reading() as session:
        found = ask(session, question, period, now)
    told = {**vars(found), "period": vars(found.period)}
    answer = plain_json(told)
    # A period that ends now moves on by itself; one that was asked for is part of the address.
    answer.headers.update(tag_without(told, ("period",)))
    return answer


def _period(since: datetime | None, until: datetime | None, now: datetime) -> Period:
    """Return the period asked for; raises InvalidInput when it is empty, longer than ten years or in the future."""
    end = now if until is None else until
    begin = end - A_YEAR if since is None else since
    if not begin < end <= now or end - begin > LONGEST:
        message = "must lie before until, until not in the future, and both at most ten years apart"
        raise InvalidInput(f"since {message}", [Fault("since", message)])
    return Period(begin, end)
