"""Builds the application: the one module that knows every package."""

from collections.abc import Iterable

from flask import Blueprint as PlainBlueprint
from flask import Flask
from flask_migrate import Migrate
from flask_smorest import Api, Blueprint
from flask_swagger_ui import get_swaggerui_blueprint

import catalog.discovery.views
import catalog.life.views
import catalog.querying.views
import catalog.registering.views
import catalog.views
import engagements.blueprints
import engagements.capacity.views
import engagements.chain.views
import engagements.fleet.views
import engagements.history_export.views
import engagements.incident_view.views
import engagements.knowledge.views
import engagements.lifecycle.signals.views
import engagements.lifecycle.terms.views
import engagements.lifecycle.views
import engagements.reviews.launching.views
import engagements.reviews.views
import engagements.triage_lists.views
import engagements.views
import scorecards.blueprints
import scorecards.campaigns.views
import scorecards.exceptions.modules.views
import scorecards.exceptions.views
import scorecards.exports.views
import scorecards.fleet_trends.views
import scorecards.pictures.views
import scorecards.simulation.views
import scorecards.tech_insights.views
import scorecards.views
import scorecards.webhooks.views
from portal_backend import health, pages, push
from portal_backend.core import auth, cors, db, errors, http, processes, telemetry, tokens, wire
from portal_backend.core.config import Config
from portal_backend.core.error_schemas import describe_errors
from portal_backend.foundation import create_foundation
from portal_backend.migrations import FOLDER

API_BLUEPRINTS: Iterable[Blueprint] = (
    catalog.views.blueprint,
    push.blueprint,
    scorecards.blueprints.blueprint,
    scorecards.tech_insights.views.blueprint,
    engagements.blueprints.services_blueprint,
    engagements.blueprints.engagements_blueprint,
)
DOCS = {"app_name": "Portal backend API", "docExpansion": "none", "defaultModelsExpandDepth": -1}
"""Of Swagger UI: closed at first, since two hundred operations drawn at once take a browser seconds."""
JUDGING = ("catalog.ingestion.judging", "scorecards.assessment.portions")
"""Modules whose functions other processes are asked to do."""
PLAIN_BLUEPRINTS: Iterable[PlainBlueprint] = (
    health.blueprint,
    health.metrics_blueprint,
    pages.blueprint,
    get_swaggerui_blueprint("/docs", "/openapi.json", DOCS, blueprint_name="docs"),
)


def create_app(config: Config) -> Flask:
    """Return the WSGI application for a checked configuration."""
    app = create_foundation(config)
    processes.import_there(JUDGING)
    app.config.update(
        API_TITLE="Portal backend",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        API_SPEC_OPTIONS={
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "security": [{"token": []}],
        },
    )
    cors.init_app(app, config.cors_origins, trust_loopback=not config.service_tokens)
    http.init_app(app)
    telemetry.init_app(app)
    Migrate(app, db.db, directory=str(FOLDER))
    auth.init_app(app, [tokens.authenticate] if config.service_tokens else [])
    wire.init_app(app)
    api = Api(app)
    app.url_map.strict_slashes = False  # as Express: a slash at the end of an API's address changes nothing
    for blueprint in API_BLUEPRINTS:
        api.register_blueprint(blueprint)
    describe_errors(api.spec)
    app.url_map.strict_slashes = True
    for plain in PLAIN_BLUEPRINTS:
        app.register_blueprint(plain)
    errors.init_app(app)
    return app
