"""`portal catalog discover` and `portal catalog providers`, and what a person is told of a target that is refused."""

import json

import pytest

from catalog.places.hosts import UrlPolicy
from catalog.settings import CatalogSettings
from tests.catalog.discovery.test_discovery import provider
from tests.catalog.places.test_code_hosts import host
from tests.catalog.samples import component
from tests.catalog.test_commands import portal
from tests.fakes.server import Fault

__all__ = ["host", "portal"]


@pytest.fixture
def asked(host, app, monkeypatch):
    one = provider(host)
    urls = UrlPolicy((), one.integration.trusted())
    settings = CatalogSettings(urls=urls, integrations=(one.integration,), providers=(one,))
    monkeypatch.setitem(app.extensions, "catalog", settings)
    return one


def test_discover_tells_what_it_found_and_what_keeps_it_from_it(portal, session, host, asked):
    host.add("acme/a", {"catalog-info.yaml": component("a")})
    result = portal("discover", "--json")
    assert result.exit_code == 0
    (report,) = json.loads(result.stdout)
    assert (report["provider"], report["found"], len(report["added"])) == ("acme", 1, 1)
    host.repositories.clear()
    assert "found no more, kept for now" in portal("discover").stdout
    host.faults.append(Fault(403, "{}"))
    result = portal("discover")
    assert (result.exit_code, "check the token" in result.stdout) == (1, True)
    (state,) = json.loads(portal("providers", "--json").stdout)
    assert (state["name"], state["found"], state["withheld"]) == ("acme", 0, 1)
    assert "check the token" in state["last_error"]


def test_a_target_that_may_not_be_read_is_not_registered(portal, session):
    result = portal("add", "http://169.254.169.254/latest")
    assert (result.exit_code, "private network" in result.stderr) == (2, True)
    assert json.loads(portal("locations", "--json").stdout) == []
