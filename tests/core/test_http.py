"""What every answer shares: problem details, ETags, request ids, bounded bodies."""

import pytest


def test_an_unknown_path_is_problem_details_that_names_the_way_out(client):
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == 404
    assert answer.json["code"] == "not_found"
    assert answer.json["instance"] == "/api/nothing"


def test_a_wrong_method_says_which_are_right(client):
    answer = client.put("/api/services")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_under_backstages_mount_errors_have_backstages_shape(client):
    answer = client.get("/api/catalog/entities/by-name/component/default/none?x=1")
    assert answer.status_code in {400, 404}
    assert answer.json["error"]["name"] in {"InputError", "NotFoundError"}
    assert answer.json["request"] == {"method": "GET", "url": "/entities/by-name/component/default/none?x=1"}
    assert answer.json["response"] == {"statusCode": answer.status_code}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=100000", "unknown=1", "sort=nothing", "cursor=%FF", "cursor=abc"]
)
def test_a_wrong_parameter_is_a_400_that_names_it(client, query):
    answer = client.get(f"/api/services?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in {error["field"].rpartition(".")[2] for error in answer.json["errors"]}


def test_an_unchanged_answer_costs_a_304(client):
    first = client.get("/api/services")
    again = client.get("/api/services", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


def test_an_answer_without_a_body_has_no_type_of_one(client):
    answer = client.options("/healthz", headers={"Access-Control-Request-Method": "GET"})
    assert (answer.status_code, answer.data, "Content-Type" in answer.headers) == (204, b"", False)


def test_the_request_id_is_taken_if_plain_and_made_otherwise(client):
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert len(client.get("/healthz", headers={"X-Request-Id": "a b\x7f"}).headers["X-Request-Id"]) == 32


def test_a_huge_body_is_refused(client):
    path = "/api/services/component/default/x/tier"
    answer = client.post(path, data=b"x" * 3_000_000, content_type="application/json")
    assert answer.status_code == 413
    assert (
        answer.json["detail"] == "The body is larger than 2,097,152 bytes, the most that is taken; send less at a time."
    )


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b""])
def test_a_malformed_body_is_a_400(client, body):
    answer = client.post("/api/services/component/default/x/tier", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "what"),
    [("[]", "an array"), ('"x"', "a string"), ("5", "a number"), ("true", "a boolean"), ("null", "null")],
)
def test_a_body_that_is_no_object_is_told_what_is_expected_and_what_came(client, body, what):
    answer = client.post("/api/scorecards/simulate", data=body, content_type="application/json")
    message = f"must be an object, `{{name: value, …}}`; this is {what}"
    assert (answer.status_code, answer.json["errors"]) == (400, [{"field": "body", "message": message}])
    inside = client.post("/api/scorecards/simulate", json={"files": ["x"]})
    assert inside.json["errors"] == [{"field": "files[0]", "message": "Must be an object, `{name: value, …}`."}]


def test_the_server_says_that_it_lives_and_measures_itself(client):
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/.backstage/health/v1/liveness").status_code == 200
    assert b"portal_http_requests_total" in client.get("/metrics").data


def test_the_api_describes_itself(client):
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert "/api/services" in document["paths"]
    page = client.get("/docs/")
    assert page.status_code == 200
    assert b"http://" not in page.data.replace(b"http://localhost", b"")
    assert client.get("/docs/swagger-ui-bundle.js").status_code == 200


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0999-12-31T00:00:00Z"])
def test_a_moment_at_the_end_of_the_calendar_is_refused_since_nothing_can_be_reckoned_from_it(client, text):
    for path in ("/api/services/component/default/x/scorecard?at=", "/api/scorecards/fleet/trend?to="):
        answer = client.get(path + text.replace("+", "%2B"))
        assert (answer.status_code, "between the years" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "path", ["services/component/default/%00/scorecard", "plugins/sources/%00/runs", "engagements/teams/group/a/%00"]
)
def test_a_name_with_a_nul_is_not_found_on_either_database(client, path):
    assert client.get(f"/api/{path}").status_code == 404


def test_a_parameter_with_a_nul_is_refused(client):
    answer = client.get("/api/scorecards/fleet?owner=%00")
    assert (answer.status_code, "NUL" in answer.text) == (400, True)
