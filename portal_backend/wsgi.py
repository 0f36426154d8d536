"""The WSGI application for servers that are given a module: `granian --interface wsgi portal_backend.wsgi:app`."""

from portal_backend.app import create_app
from portal_backend.core.config import load_config
from portal_backend.core.memory import keep_what_is_loaded
from portal_backend.core.telemetry import configure_logging
from portal_backend.settings import option_schemas

configure_logging()
app = create_app(load_config(option_schemas=option_schemas()))
keep_what_is_loaded()
