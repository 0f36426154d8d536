"""The guide of a check: a page of its own, and its address wherever the check is told of."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.commands import common
from portal_backend.commands.scorecards import scorecards
from portal_backend.core.config import Config, LocationConfig, load_config
from portal_backend.core.errors import InvalidInput

SCORECARD = "/api/services/component/default/checkout/scorecard"
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: checkout}
spec: {type: service, lifecycle: production, owner: shop}
"""
ORG_CHECKS = """
overrides:
  - check: chg.cfr
    reason: We deploy a hundred times a day.
    change: {thresholds: {most: 5%}, enforce_from: 2020-01-15, why: <b>Because</b> of `this`.}
  - {check: cap.limits, change: {weight: 5, guide: "https://wiki.example/limits"}}
  - {check: cap.limits, change: {weight: 3}}
  - {check: cap.storage, change: {enforce_from: 2999-01-15}}
"""
PUBLIC = "https://portal.example/sre"
CFR_PAGE = f"{PUBLIC}/pages/checks/chg.cfr"


@pytest.fixture
def make(app: Flask, database_url: str, tmp_path: Path):
    def made(public_url: str) -> Flask:
        (tmp_path / "catalog.yaml").write_text(CATALOG)
        (tmp_path / "org.yaml").write_text(ORG_CHECKS)
        (tmp_path / "guide").mkdir()
        (tmp_path / "guide" / "deploys.md").write_text("# Our way\n<!-- checks: chg.cfr -->\nAsk <i>ann</i>.\n")
        config = Config(
            database_url=database_url,
            data_dir=tmp_path,
            base_dir=tmp_path,
            locations=(LocationConfig("file", str(tmp_path / "catalog.yaml")),),
            check_paths=(tmp_path / "org.yaml",),
            reviews={"guide_folder": "guide"},
            public_url=public_url,
        )
        portal = create_app(config)
        with portal.app_context():
            pipeline.prepare()
            pipeline.refresh("catalog")
        return portal

    return made


@pytest.fixture
def client(make) -> Iterator[FlaskClient]:
    return make(PUBLIC).test_client()


def results_of(client: FlaskClient) -> dict:
    return {result["check"]: result for result in client.get(SCORECARD).json["results"]}


def test_the_guide_has_an_address_wherever_the_check_is_told_of(client):
    results = results_of(client)
    assert results["chg.cfr"]["guide"] == "docs/checks.md#chg-cfr"
    assert results["chg.cfr"]["guide_url"] == CFR_PAGE
    assert results["cap.limits"]["guide_url"] == "https://wiki.example/limits"
    listed = client.get("/api/scorecards/checks").json["items"]
    assert {one["id"]: one["guide_url"] for one in listed}["chg.cfr"] == CFR_PAGE
    rows = list(csv.DictReader(client.get(f"{SCORECARD}.csv").text.splitlines()))
    assert {row["check"]: row["guide_url"] for row in rows}["chg.cfr"] == CFR_PAGE
    ran = client.post("/api/tech-insights/checks/run/default/component/checkout", json={"checks": ["chg.cfr"]}).json
    assert ran[0]["check"]["metadata"]["guide_url"] == CFR_PAGE
    assert ran[0]["check"]["links"] == [{"title": "Guide: Few changes fail", "url": CFR_PAGE}]


def test_without_a_public_address_the_page_stands_below_the_root_and_tech_insights_has_no_link(make):
    client = make("").test_client()
    path = results_of(client)["chg.cfr"]["guide_url"]
    assert path == "/pages/checks/chg.cfr"
    assert client.get(path).status_code == 200
    configured = {one["id"]: one for one in client.get("/api/tech-insights/checks").json}
    assert "links" not in configured["chg.cfr"]
    assert configured["cap.limits"]["links"][0]["url"] == "https://wiki.example/limits"


def test_every_check_has_a_page_that_says_how_to_pass(client):
    for one in client.get("/api/scorecards/checks").json["items"]:
        page = client.get(f"/pages/checks/{one['id']}")
        assert page.status_code == 200
        assert "How to pass" in page.text
        assert all(fact in page.text for fact in one["facts"])


def test_the_page_has_the_organisations_guide_and_changes_and_runs_no_markup_of_theirs(client):
    page = client.get("/pages/checks/chg.cfr").text
    assert "Our way" in page
    assert "Ask &lt;i&gt;ann&lt;/i&gt;." in page
    assert "&lt;b&gt;Because&lt;/b&gt; of <code>this</code>." in page
    assert "thresholds.most 0.15 → 5%" in page
    assert "We deploy a hundred times a day." in page
    assert 'href="https://wiki.example/limits"' in client.get("/pages/checks/cap.limits").text
    unknown = client.get("/pages/checks/nope")
    assert (unknown.status_code, unknown.json["detail"][:24]) == (404, "There is no check nope; ")


def test_a_check_in_shadow_is_on_the_pages_with_its_day(client):
    assert "in shadow: it counts for nothing until 2999-01-15" in client.get("/pages/checks/cap.storage").text
    assert "in shadow" not in client.get("/pages/checks/chg.cfr").text
    _, _, shadow = client.get("/pages/component/default/checkout").text.partition('<h2 id="shadow">')
    assert "cap.storage, L2, major; counts from 2999-01-15" in shadow
    assert f'<a href="{PUBLIC}/pages/checks/cap.storage">Guide: ' in shadow


def test_what_a_file_changed_about_a_check_is_told_with_its_reason(client):
    results = results_of(client)
    (by_cfr,) = results["chg.cfr"]["overridden"]
    assert (by_cfr["file"], by_cfr["reason"]) == ("org.yaml", "We deploy a hundred times a day.")
    assert {one["field"]: (one["before"], one["after"]) for one in by_cfr["changes"]}.items() >= {
        "thresholds.most": (0.15, "5%"),
        "enforce_from": (None, "2020-01-15"),
    }.items()
    first, second = results["cap.limits"]["overridden"]
    assert (first["reason"], second["changes"]) == (None, [{"field": "weight", "before": 5, "after": 3}])
    assert results["arch.owner"]["overridden"] == []


def test_a_developer_in_a_terminal_finds_the_guide_and_the_override(make, monkeypatch):
    app = make("")
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    shown = CliRunner().invoke(scorecards, ["show", "checkout"]).output
    assert "Guide: http://localhost:7007/pages/checks/chg.rollback\n" in shown
    assert "Guide: https://wiki.example/limits\n" in shown
    assert "Changed by org.yaml (" in shown
    assert "thresholds.most 0.15 → 5%" in shown


@pytest.mark.parametrize(
    "address", ["portal.example", "ftp://portal.example", "https://portal.example/?a=1", "https://"]
)
def test_a_public_address_that_is_none_is_refused(address, tmp_path):
    file = tmp_path / "portal.yaml"
    file.write_text(f"server: {{public_url: '{address}'}}\n")
    with pytest.raises(InvalidInput) as refused:
        load_config(file, environment={})
    assert [str(fault) for fault in refused.value.faults] == [
        "server.public_url: must be such as https://portal.example.org"
    ]


def test_a_public_address_ends_without_a_slash(tmp_path):
    file = tmp_path / "portal.yaml"
    file.write_text("server: {public_url: https://portal.example/}\n")
    assert load_config(file, environment={}).public_url == "https://portal.example"
