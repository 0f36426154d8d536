"""The connector, run through the portal's conformance kit: `pytest` beside an installed portal-backend."""

import pytest
from portal_healthchecks import CONNECTOR

from plugins import conformance
from plugins.contract import Target

CHECKOUT, SEARCH = "component:default/checkout", "component:default/search"
CASE = conformance.Case(
    connector=CONNECTOR,
    targets=[Target(CHECKOUT, "checkout", {"healthchecks.io/tag": "shop"}), Target(SEARCH, "search")],
    answers={
        "/api/v3/checks/": {
            "checks": [
                {"name": "nightly", "tags": "shop prod", "status": "up", "last_ping": "2026-11-22T02:00:00+00:00"},
                {"name": "hourly", "tags": "shop", "status": "down", "last_ping": None},
                {"name": "reindex", "tags": "search", "status": "new", "last_ping": None},
            ]
        }
    },
    expected={
        (CHECKOUT, "jobs.count"): 2,
        (CHECKOUT, "jobs.missed"): ["hourly"],
        (CHECKOUT, "jobs.last_ran_at"): "2026-11-22T02:00:00Z",
        (SEARCH, "jobs.missed"): [],
    },
    auth_header="X-Api-Key",
)


@pytest.mark.parametrize("scenario", conformance.scenarios())
def test_it_conforms(scenario: str) -> None:
    """Each scenario is one rule."""
    conformance.verify(CASE, scenario)
