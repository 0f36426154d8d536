"""The web server's own limits, as far as the published clients come near them."""

from urllib.parse import quote, urlencode

from portal_backend.commands.serving import WebServer
from portal_backend.core.config import Config

MOUNT = "/api/tech-insights"


def test_a_request_for_all_facts_fits_into_the_request_line_as_the_published_client_writes_it(client):
    ids = [schema["id"] for schema in client.get(f"{MOUNT}/fact-schemas").json]
    listed = urlencode({f"ids[{number}]": one for number, one in enumerate(ids)}, quote_via=quote)
    path = f"{MOUNT}/facts/latest?entity=component%3Adefault%2F{63 * 'x'}&{listed}"
    assert client.get(path).json == {}
    assert 4094 < len(f"GET {path} HTTP/1.1") < WebServer(Config()).cfg.limit_request_line
