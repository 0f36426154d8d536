"""HTTP: the incident view of a service."""

from flask import Response

from engagements.blueprints import SERVICE, services_blueprint
from engagements.in_force import incident_settings
from engagements.incident_view.evidence import gather
from engagements.incident_view.page import build
from engagements.incident_view.schemas import IncidentViewSchema
from engagements.unchanged import tag_without
from portal_backend.core import clock
from portal_backend.core.http import plain_json
from scorecards.judging import current as judging


@services_blueprint.get(f"{SERVICE}/incident-view")
@services_blueprint.response(200, IncidentViewSchema)
def get_incident_view(kind: str, namespace: str, name: str) -> Response:
    """Read on one page what somebody needs who was just paged for this service, from what is stored."""
    settings, now = incident_settings(), clock.now()
    material = gather(judging(), kind, namespace, name, settings, now)
    page = build(material, settings, now)
    answer = plain_json(page)
    answer.headers.update(tag_without(page, ("generated_at", "age_seconds")))
    return answer
