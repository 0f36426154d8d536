"""Backstage's published Tech Insights client, unchanged, against our server: every method of its interface."""

import json
import subprocess

import pytest

from tests.scorecards.conftest import QUILL, REF


@pytest.fixture
def answers(clients, server):
    done = subprocess.run(
        ["node", "tech_insights_client.cjs", server], cwd=clients, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def outcomes(results):
    return {result["check"]["id"]: result["result"] for result in results}


def test_the_published_client_works_unchanged(answers):
    checks = {check["id"]: check for check in answers["checks"]}
    assert {"cap.limits", "chg.cfr"} <= checks.keys()
    schemas = {schema["id"]: schema for schema in answers["schemas"]}
    assert all(fact in schemas[fact] for check in checks.values() for fact in check["factIds"])

    rate = answers["facts"]["deploys.change_failure_rate_30d"]
    assert rate["facts"] == {"deploys.change_failure_rate_30d": 0.4}
    assert rate["timestamp"] == "2026-11-22T12:00:00Z"

    assert outcomes(answers["runSome"]) == {"cap.limits": True, "chg.cfr": False}
    assert outcomes(answers["run"]).items() >= outcomes(answers["runSome"]).items()
    assert answers["runUnknownEntity"] == []
    refused = answers["runUnknownCheck"]
    assert (refused["name"], refused["statusCode"], refused["cause"]) == ("ResponseError", 404, "NotFoundError")
    assert refused["message"] == "Tech insight check with id 'nope' is not registered."

    assert [one["entity"] for one in answers["bulk"]] == [REF, QUILL, "component:default/nobody"]
    assert outcomes(answers["bulk"][0]["results"]) == outcomes(answers["run"])
    assert answers["bulk"][2]["results"] == []
    assert outcomes(answers["bulkSome"][0]["results"]) == {"cap.limits": True, "chg.cfr": False}
    assert sorted(one["entity"] for one in answers["bulkOfNone"]) == sorted([QUILL, REF])
    assert answers["bulkOfMany"] == 751
    assert answers["noIds"]["statusCode"] == 422


def test_what_cannot_be_judged_is_shown_and_never_true(answers):
    quill = {result["check"]["id"]: result for result in answers["bulk"][1]["results"]}
    unknown = [result for result in quill.values() if result["check"]["metadata"]["status"] == "unknown"]
    assert unknown
    assert all(result["result"] is False for result in unknown)
