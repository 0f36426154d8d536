"""HTTP: the triage lists as stored, dismissals, what changed, and the queue."""

from typing import Any

from engagements import services
from engagements.blueprints import engagements_blueprint
from engagements.in_force import triage_settings
from engagements.triage_lists import dismissals, queue, snapshots
from engagements.triage_lists.dismissals import NewDismissal
from engagements.triage_lists.reading import TriageFilter, read, whereabouts
from engagements.triage_lists.schemas import (
    ChangesQuery,
    DismissalPageSchema,
    DismissalQuery,
    DismissalSchema,
    NewDismissalSchema,
    TriageChangesSchema,
    TriageQueuePageSchema,
    TriageQueueQuery,
    WhereaboutsSchema,
)
from engagements.triage_schemas import TriageQuery, TriageSchema
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.http import plain_json
from scorecards.judging import current as judging


@engagements_blueprint.get("/triage")
@engagements_blueprint.arguments(TriageQuery, location="query")
@engagements_blueprint.response(200, TriageSchema)
def triage(query: dict[str, Any]) -> Any:
    """List services that merit more support, and services that SRE might hand back, each with its reasons."""
    wanted = TriageFilter(query["owner"], query["criticality"], query["rule"], query["verdict"], query["dismissed"])
    with reading() as session:
        pages = read(session, clock.now(), wanted, query["direction"], query["cursor"], query["limit"])
    return plain_json({direction.value: vars(page) for direction, page in pages.items()})


@engagements_blueprint.get("/triage/changes")
@engagements_blueprint.arguments(ChangesQuery, location="query")
@engagements_blueprint.response(200, TriageChangesSchema)
def triage_changes(query: dict[str, Any]) -> dict[str, Any]:
    """Tell what entered, left and moved on the lists since a day, a week ago by default, and what moved it."""
    since = query["since"] or (clock.now() - snapshots.A_WEEK).date()
    with reading() as session:
        found = snapshots.changes(session, since)
    return {**vars(found), "items": found.items[: query["limit"]], "total": len(found.items)}


@engagements_blueprint.get("/triage/dismissals")
@engagements_blueprint.arguments(DismissalQuery, location="query")
@engagements_blueprint.response(200, DismissalPageSchema)
def list_dismissals(query: dict[str, Any]) -> Any:
    """List the dismissals that hold, or all there ever were, the newest first."""
    now = clock.now()
    with reading() as session:
        return dismissals.page(session, now, not query["ended"], query["cursor"], query["limit"])


@engagements_blueprint.post("/triage/dismissals")
@engagements_blueprint.arguments(NewDismissalSchema)
@engagements_blueprint.response(200, DismissalSchema)
@engagements_blueprint.alt_response(403, description="It takes the role sre, sre_lead or sre_manager.")
@engagements_blueprint.alt_response(409, description="Another dismissal of the service holds.")
def dismiss(body: dict[str, Any]) -> Any:
    """Take a service off a list until a day, for a reason. The same request once more changes nothing."""
    now = clock.now()
    with transaction() as session:
        kind, _, rest = body["ref"].partition(":")
        namespace, _, name = rest.partition("/")
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        wanted = NewDismissal(ref, body["direction"].value, body["reason"], body["until"])
        dismissal = dismissals.dismiss(session, wanted, current_principal(), triage_settings(), now)
        return plain_json(DismissalSchema().dump(dismissal))


@engagements_blueprint.delete("/triage/dismissals/<string:dismissal_id>")
@engagements_blueprint.response(200, DismissalSchema)
def end_dismissal(dismissal_id: str) -> Any:
    """Put a service back on its list before its dismissal ends."""
    with transaction() as session:
        ended = dismissals.end(session, dismissal_id, current_principal(), clock.now())
        return plain_json(DismissalSchema().dump(ended))


@engagements_blueprint.get("/triage/<string:kind>/<string:namespace>/<string:name>")
@engagements_blueprint.response(200, WhereaboutsSchema)
def triage_of(kind: str, namespace: str, name: str) -> Any:
    """Tell on which list a service is and where, or why it is on none."""
    now = clock.now()
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        found = vars(whereabouts(session, ref, now))
        return plain_json(WhereaboutsSchema().dump(found))


@engagements_blueprint.get("/triage/queue")
@engagements_blueprint.arguments(TriageQueueQuery, location="query")
@engagements_blueprint.response(200, TriageQueuePageSchema)
def triage_queue(query: dict[str, Any]) -> Any:
    """List the accepted engagements that wait for room, in the order in which they should start, with the reasons."""
    with reading() as session:
        page = queue.page(session, clock.now(), query["cursor"], query["limit"])
        return plain_json(TriageQueuePageSchema().dump(page))
