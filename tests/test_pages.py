"""The pages, in a real browser, on the example's kind of data: what a person sees within the first minute."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from werkzeug.serving import make_server

from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.core.config import Config, LocationConfig, SourceConfig
from portal_backend.core.db import Model, db
from tests import servers
from tests.pipeline.conftest import CATALOG, SLO


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application on a small catalog, served for real; one source fails, one is simulated, one document is bad."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "catalog.yaml").write_text(CATALOG + "---\nkind: Component\nmetadata: {name: '<b>bad</b>'}\n")
    (folder / "slo.yaml").write_text(SLO)
    config = Config(
        database_url=f"sqlite:///{folder}/pages.db",
        data_dir=folder,
        base_dir=folder,
        locations=(LocationConfig("file", str(folder / "catalog.yaml")),),
        sources=(
            SourceConfig("slo", "openslo", options={"paths": ["slo.yaml"], "exhaustive": False}, simulated=True),
            SourceConfig("prometheus", "prometheus", url=f"http://127.0.0.1:{servers.free_port()}"),
            SourceConfig("pipelines", "push"),
        ),
    )
    app: Flask = create_app(config)
    with app.app_context():
        Model.metadata.create_all(db.engine)
        pipeline.prepare()
        for name in ("catalog", "slo", "prometheus"):
            pipeline.refresh(name)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = servers.require("chromium"), servers.require("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,1000",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as chrome:
        yield chrome


def text(browser: webdriver.Chrome, address: str) -> str:
    browser.get(address)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    return browser.find_element(By.TAG_NAME, "body").text


def test_the_first_page_says_what_exists_how_ready_and_what_next(browser, site):
    shown = text(browser, site)
    assert "checkout" in shown
    assert "Take on next" in shown
    assert "Hand back" in shown
    assert all(
        axis in shown for axis in ("Architecture", "monitoring", "Emergency", "Capacity", "Change", "Performance")
    )
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert len(rows) == 2
    assert "documentation" in rows[0].text
    browser.set_window_size(1280, 1000)
    hidden = "const table = document.querySelector('.scroll'); return table.scrollWidth - table.clientWidth"
    assert browser.execute_script(hidden) <= 0  # nothing of the table is seen by scrolling sideways only


def test_simulated_and_failing_sources_are_told_on_every_page(browser, site):
    checkout = "/pages/component/default/checkout"
    for path in ("/", checkout, f"{checkout}/incident", "/pages/triage", "/pages/sources"):
        shown = text(browser, site + path)
        assert "simulated" in shown
        assert "Not all sources answer: prometheus (failing)" in shown


def test_a_service_says_why_and_what_to_do_first(browser, site):
    text(browser, site)
    browser.find_element(By.LINK_TEXT, "checkout").click()
    shown = browser.find_element(By.TAG_NAME, "body").text
    assert "Do first" in shown
    assert "SLO is defined" in shown
    assert "The source prometheus" in shown
    assert "checkout entered the catalog." in shown
    assert "These 3 steps together" in shown


def test_what_the_catalog_says_is_shown_and_never_run(browser, site):
    shown = text(browser, f"{site}/pages/sources")
    assert "<b>bad</b>" in shown
    assert "metadata.name" in shown
    assert re.search(r"pipelines push .*none: it is posted to us", shown)


def test_whoever_was_paged_reads_the_incident_view_on_a_phone(browser, site):
    text(browser, f"{site}/pages/component/default/checkout")
    browser.find_element(By.PARTIAL_LINK_TEXT, "The incident view").click()
    assert browser.current_url == f"{site}/pages/component/default/checkout/incident"
    shown = browser.find_element(By.TAG_NAME, "body").text
    assert "Nothing is known to fire" in shown
    assert "shop@example.com" in shown
    assert "Who is on call at this moment is unknown" in shown
    unknown = browser.find_element(By.PARTIAL_LINK_TEXT, "runbooks")
    assert unknown.get_attribute("href").endswith("#runbooks")
    for width in (390, 1280):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        columns = {card.location["x"] for card in browser.find_elements(By.CSS_SELECTOR, ".sections > section")}
        assert len(columns) == (1 if width < 600 else 2)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_triage_shows_every_term(browser, site):
    shown = text(browser, f"{site}/pages/triage")
    assert "criticality" in shown
    assert "unknown, so it earns nothing" in shown
    assert "The catalog states no business value" in shown


def test_handing_back_says_why_a_term_is_unknown(app, session):
    term = {"state": "unknown", "sentence": "The share is unknown.", "cause": "No source reports it.", "source": None}
    rule = {"id": "H1", "state": "unknown", "title": "Quiet", "sentence": "It is open.", "terms": [term]}
    row = {"ref": "component:default/x", "title": "x", "tier": "full", "level": 3, "next_act": "Ask.", "rules": [rule]}
    row |= {"links": {}, "computed_at": "2026-11-22T10:00:00Z"}
    with app.test_request_context():
        shown = render_template("triage.html", onboard=[], hand_back=[row], health=[], troubled=[], page_of=str)
    assert "The share is unknown. No source reports it." in shown


def test_the_api_documentation_works_without_the_internet(browser, site):
    browser.implicitly_wait(20)
    browser.get(f"{site}/docs/")
    assert browser.find_element(By.ID, "operations-tag-services")


def test_a_service_that_does_not_exist_is_a_404(browser, site):
    browser.get(f"{site}/pages/component/default/none")
    assert "not_found" in browser.find_element(By.TAG_NAME, "body").text
