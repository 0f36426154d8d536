"""What a load balancer and an orchestrator ask: is the process alive, can it serve. And what Prometheus scrapes."""

from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from plugins.health import SourceHealth, health
from portal_backend.core import clock, telemetry
from portal_backend.core.db import reading
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
    """Expose our own metrics and the health of the sources in Prometheus's text format.

    While the database does not answer, that is among them: who watches us is not to go blind just then.
    """
    registry = CollectorRegistry()
    up = Gauge("portal_database_up", "Whether the database answers.", registry=registry)
    try:
        with reading() as session:
            _measure_sources(health(session, clock.now()), registry)
        up.set(1)
    except SQLAlchemyError:
        up.set(0)
    return Response(telemetry.exposition() + generate_latest(registry), content_type=telemetry.CONTENT_TYPE)


def _measure_sources(states: Mapping[str, SourceHealth], registry: CollectorRegistry) -> None:
    """Add what an alert on a source that went dark needs: whether its last pull went well, and when one last did."""
    up = Gauge("portal_source_up", "Whether the source's last pull went well.", ["source"], registry=registry)
    last = Gauge(
        "portal_source_last_success_timestamp_seconds",
        "When a pull of the source last went well.",
        ["source"],
        registry=registry,
    )
    for name, state in states.items():
        up.labels(name).set(state.failure_kind is None and state.last_success_at is not None)
        if state.last_success_at:
            last.labels(name).set(state.last_success_at.timestamp())
