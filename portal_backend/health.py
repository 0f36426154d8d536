"""What a load balancer and an orchestrator ask: is the process alive, can it serve. And what Prometheus scrapes."""

from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from portal_backend.core import telemetry
from portal_backend.core.errors import PortalError
from portal_backend.migrations import require_schema

blueprint = Blueprint("health", __name__)
metrics_blueprint = Blueprint("metrics", __name__)


class NotReady(PortalError):
    """The server runs, but cannot serve."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_ready"


@blueprint.get("/healthz", endpoint="live")
@blueprint.get("/.backstage/health/v1/liveness", endpoint="backstage_live")
def live() -> Response:
    """Answer as long as the process can."""
    return jsonify(status="ok")


@blueprint.get("/readyz", endpoint="ready")
@blueprint.get("/.backstage/health/v1/readiness", endpoint="backstage_ready")
def ready() -> Response:
    """Answer when the database answers and has the schema of this release; 503 with the reason otherwise."""
    try:
        require_schema()
    except SQLAlchemyError as error:
        raise NotReady(f"The database does not answer ({type(error).__name__}).") from error
    return jsonify(status="ok")


@metrics_blueprint.get("/metrics")
def metrics() -> Response:
    """Expose our own metrics in Prometheus's text format."""
    return Response(telemetry.exposition(), content_type=telemetry.CONTENT_TYPE)
