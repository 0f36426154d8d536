"""HTTP: how the discovery of catalog files goes. Our addition to Backstage's catalog API."""

from typing import Any

from catalog import settings
from catalog.discovery.keeping import provider_states
from catalog.discovery.schemas import ProviderSchema
from catalog.views import blueprint
from portal_backend.core.db import reading


@blueprint.get("/providers")
@blueprint.response(200, ProviderSchema(many=True))
def list_providers() -> list[dict[str, Any]]:
    """List the providers of portal.yaml and how their last runs went."""
    with reading() as session:
        return provider_states(session, settings.current().providers)
