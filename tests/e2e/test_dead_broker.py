"""Redis dies, was never there, or says nothing: what people ask for is answered, and done later."""

import socket
from contextlib import ExitStack

import pytest
import requests

from tests import servers
from tests.e2e.installation import Installation, wait_until
from tests.e2e.test_web_server import serving
from tests.e2e.test_worker import SERVICE

ASKED = ("/healthz", "/readyz", "/metrics", "/api/catalog/entities?limit=1", "/api/plugins/sources")
QUICK_SECONDS = 10
MOST_LINES = 60
"""That all processes may write meanwhile: two threads of the worker try again and again, more and more rarely."""


@pytest.mark.parametrize("broker", ["died", "never there", "silent"])
def test_without_its_broker_the_portal_answers_and_the_worker_catches_up_once_it_is_back(tmp_path, broker):
    port = servers.free_port()
    (tmp_path / "catalog.yaml").write_text(SERVICE)
    config = "catalog: {locations: [{type: file, target: catalog.yaml}], every: 1h}\n"
    installation = Installation(tmp_path, config, PORTAL_BROKER_URL=f"redis://127.0.0.1:{port}/0")
    installation.run("db", "upgrade")
    installation.run("catalog", "refresh")
    with ExitStack() as whole, serving(installation) as server:
        before = whole.enter_context(ExitStack())
        if broker == "silent":  # takes connections and says nothing
            before.enter_context(socket.create_server(("127.0.0.1", port)))
        if broker == "died":
            before.enter_context(servers.redis(port))
        worker = whole.enter_context(installation.started("worker", "--beat"))
        if broker == "died":
            wait_until(lambda: "Connected to redis" in installation.log(), 60)
            before.close()
        for path in ASKED:
            assert requests.get(server.url + path, timeout=QUICK_SECONDS).ok, path
        (tmp_path / "catalog.yaml").write_text(SERVICE.replace("name: checkout,", "name: checkout, title: Till,"))
        asked = {"entityRef": "component:default/checkout"}
        assert requests.post(f"{server.url}/api/catalog/refresh", json=asked, timeout=QUICK_SECONDS).status_code == 200
        before.close()
        assert worker.poll() is None
        whole.enter_context(servers.redis(port))
        read = f"{server.url}/api/catalog/entities/by-name/component/default/checkout"
        wait_until(lambda: requests.get(read, timeout=QUICK_SECONDS).json()["metadata"].get("title") == "Till", 120)
    assert len(installation.log().splitlines()) < MOST_LINES
