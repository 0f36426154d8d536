"""The application without its routes: the database, and what the configuration fixes. Commands need no more."""

from flask import Flask

from portal_backend import exception_events, settings
from portal_backend.core import db, tokens
from portal_backend.core.application import PortalApplication
from portal_backend.core.config import Config


def create_foundation(config: Config) -> Flask:
    """Return an application that answers no request; raises InvalidInput that names each fault of the configuration."""
    app = PortalApplication("portal_backend")
    db.init_app(app, config.database_url)
    settings.init_app(app, config)
    tokens.init_app(app)
    exception_events.init_app(app)
    return app
