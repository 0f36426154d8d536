"""The application: finding routes, and answers that need no more work."""

from flask import Flask, request

from portal_backend.core import application
from portal_backend.core.application import PortalApplication
from portal_backend.core.http import json_bytes


def make_app() -> Flask:
    app = PortalApplication("routes")

    @app.get("/teams/<name>")
    def team(name: str) -> dict[str, str]:
        return {"name": name, "host": request.host}

    @app.get("/pages/")
    def pages() -> str:
        return "pages"

    return app


def test_the_same_address_finds_its_route_again_with_values_of_its_own() -> None:
    app = make_app()
    client = app.test_client()
    with app.test_request_context("/teams/payments"):
        assert request.view_args is not None
        request.view_args["name"] = "changed by a view"
    assert [client.get("/teams/payments").json["name"] for _ in range(2)] == ["payments"] * 2
    assert client.get("/teams/search").json["name"] == "search"
    assert client.post("/teams/payments").status_code == 405
    assert client.get("/teams/payments", headers={"Host": "portal.example.org:8080"}).json["host"] == (
        "portal.example.org:8080"
    )


def test_a_route_that_is_added_later_takes_its_addresses_from_one_that_had_them() -> None:
    app = make_app()
    with app.test_request_context("/teams/all"):
        assert request.endpoint == "team"
    app.add_url_rule("/teams/all", "all_teams", lambda: "all")
    with app.test_request_context("/teams/all"):
        assert request.endpoint == "all_teams"


def test_kept_routes_are_bounded_and_addresses_without_one_are_not_kept(monkeypatch) -> None:
    monkeypatch.setattr(application, "MAX_KNOWN_ROUTES", 10)
    app = make_app()
    client = app.test_client()
    for number in range(35):
        assert client.get(f"/teams/{number}").status_code == 200
        assert client.get(f"/nowhere/{number}").status_code == 404
    assert client.get(f"/teams/{'x' * 1000}").status_code == 200
    assert {path.split("/")[1] for _, path in app.url_map.known} == {"teams"}
    assert len(app.url_map.known) == 5


def test_a_redirect_leads_to_the_name_that_the_caller_used_and_keeps_the_question() -> None:
    answer = make_app().test_client().get("/pages?sort=na%C3%AFve", headers={"Host": "Portal.example.org"})
    assert (answer.status_code, answer.headers["Location"]) == (
        308,
        "http://portal.example.org/pages/?sort=na%C3%AFve",
    )


def test_a_request_to_become_a_websocket_is_answered_as_a_plain_one() -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert make_app().test_client().get("/teams/payments", headers=headers).status_code == 200


def test_a_ready_body_keeps_to_http_for_head_and_other_statuses() -> None:
    app = make_app()
    app.add_url_rule("/ready", "ready", lambda: json_bytes(b'{"is":"ready"}'))
    app.add_url_rule("/nothing", "nothing", lambda: (json_bytes(b"{}"), 204))
    client = app.test_client()
    got, head, nothing = client.get("/ready"), client.head("/ready"), client.get("/nothing")
    assert (got.json, got.headers["Content-Length"], got.mimetype) == ({"is": "ready"}, "14", "application/json")
    assert (head.data, head.headers["Content-Length"]) == (b"", "14")
    assert (nothing.data, "Content-Length" in nothing.headers) == (b"", False)
