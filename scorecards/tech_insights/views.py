"""HTTP: checks, their results and facts in the shapes of Backstage's Tech Insights API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

from flask import Response, current_app, request

from catalog.format.refs import make_ref
from portal_backend.core import clock
from portal_backend.core.auth import reads
from portal_backend.core.db import reading
from portal_backend.core.http import json_bytes, make_blueprint, plain_json
from portal_backend.core.quick_reading import quick_reading
from portal_backend.core.streams import streamed
from scorecards import judging
from scorecards.schemas import NoQuery
from scorecards.tech_insights import fact_rows, runs
from scorecards.tech_insights.answers import Told
from scorecards.tech_insights.checks import check_form
from scorecards.tech_insights.fragments import Desk
from scorecards.tech_insights.results import PAGE
from scorecards.tech_insights.schemas import BulkBody, IdsQuery, LatestQuery, RangeQuery, RunBody
from scorecards.tech_insights.shelf import Shelf
from scorecards.tech_insights.tokens import is_still_true, state_of
from scorecards.tech_insights.writing import Stencils

SHELF, STENCILS = "tech_insights_shelf", "tech_insights_stencils"
Lasting = TypeVar("Lasting")
View = Callable[..., Response | Told]

UNREADABLE = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "field": {"type": "string"},
        "value": {"type": ["string", "null"]},
    },
}
"""What the Tech Insights backend says of ids (`error`) and times (the others) that it cannot read."""

blueprint = make_blueprint(
    "tech-insights", __name__, "/api/tech-insights", "The same verdicts and facts as Backstage's Tech Insights API."
)


def _answers(description: str) -> Any:
    return blueprint.doc(responses={"200": {"description": description, "content": {"application/json": {}}}})


def _told_again(view: View) -> Any:
    """Send the answer of a view again as it was sent, as long as nothing that it rests on was written and it holds.

    Everybody who may ask is told the same: who is asking has no part in the question.
    """

    @wraps(view)
    def tell(*args: Any, **kwargs: Any) -> Response:
        basis = judging.current()
        answers, now = _shelf(basis).answers, clock.now()
        words = request.get_data()
        question = request.path, request.mimetype, words
        with quick_reading() as reader:
            state = state_of(reader)
            before, is_of_now = answers.get(question, state, now)
            told = before if is_of_now or (before and is_still_true(reader, before)) else None
        if told is None:
            made = view(*args, **kwargs)
            if not isinstance(made, Told):
                return made
            told = made
        if not is_of_now:
            answers.keep(question, words, state, told)
        return json_bytes(told.body)

    return tell


def _cannot_read(what: str) -> Any:
    content = {"application/json": {"schema": UNREADABLE}}
    return blueprint.doc(responses={"422": {"description": f"There is no reading {what}.", "content": content}})


@blueprint.get("/checks")
@blueprint.arguments(NoQuery, location="query")
@_answers("An array of checks.")
def list_checks(_query: dict[str, Any]) -> Response:
    """List every check as configured."""
    return plain_json([check_form(check) for check in judging.current().catalogue.checks.values()])


@blueprint.post("/checks/run/<string:namespace>/<string:kind>/<string:name>")
@reads
@_told_again
@blueprint.arguments(RunBody)
@_answers("An array of results; empty for what is no service.")
def run_checks(body: dict[str, Any], namespace: str, kind: str, name: str) -> Told:
    """Run checks on one entity (namespace comes first here); 404 for a check that there is not."""
    with _desk() as desk:
        return runs.run_on(desk, make_ref(kind, namespace, name), body["checks"])


@blueprint.post("/checks/run")
@reads
@_told_again
@blueprint.arguments(BulkBody)
@_answers("An array of `{entity, results, error?}` in the order asked.")
def run_bulk_checks(body: dict[str, Any]) -> Response | Told:
    """Run checks on many entities: the stored verdicts, sent as they are read."""
    asked = body["entities"]
    if 0 < len(asked) <= PAGE:
        with _desk() as desk:
            return runs.run_on_some(desk, _shelf(desk.judging), asked, body["checks"])
    return Response(streamed(_array(asked, body["checks"])), mimetype="application/json")


def _array(asked: list[runs.Asked], ids: list[str] | None) -> Iterator[bytes]:
    with _desk() as desk:
        yield from runs.run_on_many(desk, _shelf(desk.judging), asked, ids)


@contextmanager
def _desk() -> Iterator[Desk]:
    basis = judging.current()
    stencils = _lasting(STENCILS, basis, lambda: Stencils(basis.told_facts))
    with reading() as session, quick_reading() as reader:
        yield Desk(session, reader, basis, stencils, clock.now())


def _shelf(basis: judging.Judging) -> Shelf:
    """Return what this process keeps of earlier answers."""
    return _lasting(SHELF, basis, Shelf)


def _lasting(name: str, basis: judging.Judging, make: Callable[[], Lasting]) -> Lasting:
    """Return what an application keeps under a name; other checks or facts begin with a new one."""
    of, found = current_app.extensions.get(name, (None, None))
    if of is not basis or found is None:
        found = make()
        current_app.extensions[name] = basis, found
    lasting: Lasting = found
    return lasting


@blueprint.get("/fact-schemas")
@blueprint.arguments(IdsQuery, location="query")
@_answers("An array of schemas; ids that nothing declares are left out.")
def list_fact_schemas(query: dict[str, Any]) -> Response:
    """List what each fact means."""
    return plain_json(fact_rows.schemas(judging.current(), query["ids"]))


@blueprint.get("/facts/latest")
@blueprint.arguments(LatestQuery, location="query")
@_answers("An object by id; facts without an observation are absent.")
@_cannot_read("the ids")
def get_latest_facts(query: dict[str, Any]) -> Response:
    """Read the latest observations of facts."""
    if not query["ids"]:
        return _no_ids()
    with reading() as session, quick_reading() as reader:
        entity, ids, now = query["entity"], query["ids"], clock.now()
        return plain_json(fact_rows.latest(session, reader, judging.current(), entity, ids, now))


@blueprint.get("/facts/range")
@blueprint.arguments(RangeQuery, location="query")
@_answers("An object of arrays by id, in order of time.")
@_cannot_read("the ids or the times")
def get_facts_of_range(query: dict[str, Any]) -> Response:
    """Read what was observed from one moment to another, both inclusive."""
    if not query["ids"]:
        return _no_ids()
    span = []
    for parameter, field in (("startDatetime", "startDateTime"), ("endDatetime", "endDateTime")):
        moment = _moment(query[parameter])
        if moment is None:
            return _unprocessable({"message": "Failed to parse datetime from request", "field": field, "value": None})
        span.append(moment)
    with reading() as session, quick_reading() as reader:
        entity, ids = query["entity"], query["ids"]
        found = fact_rows.between(session, reader, judging.current(), entity, ids, (span[0], span[1]), clock.now())
        return plain_json(found)


def _moment(text: str) -> datetime | None:
    """Read an ISO 8601 time; one without an offset is UTC. None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _no_ids() -> Response:
    return _unprocessable({"error": "Failed to parse ids from request"})


def _unprocessable(document: dict[str, Any]) -> Response:
    response = plain_json(document)
    response.status_code = 422
    return response
