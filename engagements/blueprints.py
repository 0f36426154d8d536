"""The blueprints that every module of views in this package adds its routes to: one permission scope each."""

from portal_backend.core.http import make_blueprint

services_blueprint = make_blueprint(
    "services", __name__, "/api/services", "Every service: how important, how supported, how ready."
)
engagements_blueprint = make_blueprint(
    "engagements", __name__, "/api/engagements", "What SRE does about services: triage in both directions."
)

SERVICE = "/<string:kind>/<string:namespace>/<string:name>"
"""Below `services_blueprint`: one service."""
ENGAGEMENT = "/<string:engagement_id>"
"""Below `engagements_blueprint`: one engagement."""
