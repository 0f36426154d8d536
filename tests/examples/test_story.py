"""The stories of the README, with the whole product: pulled, judged, recorded, and read by HTTP."""

from datetime import timedelta

import pytest

from engagements import rebuilding
from examples import year
from portal_backend import pipeline, settings
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.db import Model, db, reading
from tests.examples.company import NOW, add_panel, post_what_tools_say, simulated

SOURCES = ("catalog", "prometheus", "argocd", "grafana", "slo")
SERVICE = "/api/services/component/default"


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The product over the company, every source pulled once; yields its folder, its application and its client."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTAL_CLOCK", str(folder / "clock"))
        (folder / "clock").write_text(clock.format_time(NOW))
        with simulated(folder, patch) as config:
            app = create_app(config)
            with app.app_context():
                Model.metadata.create_all(db.engine)
                pipeline.prepare()
                for source in SOURCES:
                    assert pipeline.refresh(source).outcome == "done"
            post_what_tools_say(app.test_client(), folder / "shakespeare" / "tools.yaml")
            with app.app_context():
                assert year.play(settings.current().config, folder / "year-clock", NOW)
            yield folder, app, app.test_client()
            with app.app_context():
                db.engine.dispose()


@pytest.fixture
def client(company):
    return company[2]


def _get(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def _status(client, service):
    results = _get(client, f"{SERVICE}/{service}/scorecard")["results"]
    return {result["check"]: result["status"] for result in results}


def test_each_service_stands_where_the_readme_says(client):
    services = {item["name"]: item for item in _get(client, "/api/services?limit=100")["items"]}

    assert len(services) == 16
    assert {name: item["tier"] for name, item in services.items() if item["tier"] != "documentation"} == {
        "shakespeare": "consultation",
        "sonnet-api": "consultation",
        "stage-billing": "consultation",
        "prompter-notifications": "consultation",
        "globe-frontend": "full_sre",
        "first-folio-archive": "full_sre",
        "playbill-catalog": "platform",
    }
    levels = {name: item["level"] for name, item in services.items()}
    ready = {"globe-frontend", "first-folio-archive", "playbill-catalog", "cordelia-profile"}
    assert {name for name, level in levels.items() if level >= "L3"} == ready
    assert levels["shakespeare"] == "L1"
    assert levels["sonnet-api"] == "L0"


def test_the_broken_document_is_kept_as_a_fault(client):
    faults = _get(client, "/api/catalog/faults")
    found = faults.get("items", faults.get("data", faults))

    assert {fault["path"] for fault in found} == {"metadata.name", "spec.owner"}


def test_the_catalog_holds_what_is_no_service_too(client):
    assert _get(client, "/api/catalog/entities/by-name/component/default/globe-press")["spec"]["type"] == "website"


def test_sonnet_api_leads_the_list_for_onboarding(client):
    first = _get(client, "/api/engagements/triage?direction=onboard")
    items = first.get("items") or first["onboard"]["items"]

    assert items[0]["ref"] == "component:default/sonnet-api"
    assert items[0]["verdict"] == "candidate"
    reasons = {reason["rule"]: reason["state"] for reason in items[0]["reasons"]}
    assert reasons == {"R1": "met", "R2": "met", "value": "met"}


def test_first_folio_archive_leads_the_list_for_handing_back_and_globe_stays(client):
    answer = _get(client, "/api/engagements/triage?direction=hand_back")
    items = answer.get("items") or answer["hand_back"]["items"]

    assert [item["ref"].rpartition("/")[2] for item in items] == ["first-folio-archive", "globe-frontend"]
    rules = {rule["id"]: rule for rule in items[0]["rules"]}
    usage = [term["state"] for term in rules["D2"]["terms"] if term["signal"].startswith("traffic.")]
    assert usage.count("met") >= 2
    assert all(rule["state"] != "met" for rule in items[1]["rules"])


def test_what_nobody_measures_is_unknown_and_never_a_pass(client):
    statuses = _status(client, "hamlet-annotations")

    assert statuses["perf.availability"] == statuses["arch.redundancy"] == "unknown"


def test_row_3_six_axes_and_availability_latency_and_efficiency_apart(client):
    axes = _get(client, f"{SERVICE}/box-office/scorecard")["axes"]

    assert [axis["axis"] for axis in axes] == [
        *("architecture", "observability", "emergency", "capacity", "change", "performance")
    ]
    parts = {part["group"]: part for part in axes[-1]["groups"]}
    assert parts["availability"]["percent"] == 100
    assert parts["latency"]["percent"] == 0
    assert parts["efficiency"]["coverage"] == 0


def test_row_39_what_a_framework_makes_uniform_is_checked_one_by_one(client):
    five = {"obs.dimensions", "obs.reqlog", "cap.loadshed", "cap.overload", "arch.components"}
    statuses = _status(client, "playbill-catalog")

    assert {check: statuses[check] for check in five} == dict.fromkeys(five, "pass")
    assert _status(client, "shakespeare")["arch.components"] == "not_applicable"


def test_row_18_shakespeares_level_rises_when_the_panel_is_added(company, client):
    folder, app, _ = company
    before = _status(client, "shakespeare")
    assert [check for check, status in before.items() if status == "fail"] == ["obs.slo.on_dashboard"]

    add_panel(folder)
    (folder / "clock").write_text(clock.format_time(NOW + timedelta(minutes=2)))
    with app.app_context():
        report = pipeline.refresh("grafana")

    assert [(change.ref, change.from_level, change.to_level) for change in report.levels] == [
        ("component:default/shakespeare", "L1", "L3")
    ]
    assert _status(client, "shakespeare")["obs.slo.on_dashboard"] == "pass"
    history = _get(client, f"{SERVICE}/shakespeare/history?limit=5")["items"]
    newest = [event for event in history if event["kind"] == "scorecard.level_changed"][0]
    assert (newest["details"]["from"], newest["details"]["to"]) == ("L1", "L3")


def test_the_year_shows_every_model_and_how_each_ended(client):
    items = _get(client, "/api/engagements?limit=100")["items"]
    found = {(item["entity_ref"].rpartition("/")[2], item["model"], item["state"], item["outcome"]) for item in items}

    assert found == {
        ("globe-frontend", "simple_prr", "active", None),
        ("first-folio-archive", "simple_prr", "active", None),
        ("cordelia-profile", "early", "disengaged", "graduated"),
        ("playbill-catalog", "framework", "platform_active", None),
        ("prompter-notifications", "simple_prr", "disengaged", "neglected"),
        ("shakespeare", "simple_prr", "analysis", None),
        ("sonnet-api", "simple_prr", "requested", None),
    }


def test_everybody_who_acted_in_the_year_is_marked_as_simulated(client):
    kinds = ("engagement.escalated", "pager.returned", "disengagement.started", "disengagement.completed")
    for kind in kinds:
        events = _get(client, f"{SERVICE}/prompter-notifications/history?kind={kind}")["items"]
        assert {event["actor"] for event in events} == {"portia (simulated)"}, kind


def test_the_history_of_the_year_holds_and_rebuilds(company):
    _, app, client = company

    assert _get(client, "/api/engagements/history/verify")["ok"] is True
    with app.app_context(), reading() as session:
        assert [part for part in rebuilding.rebuild_all(session) if part.found] == []


def test_the_year_is_played_once(company):
    folder, app, _ = company
    with app.app_context():
        config = settings.current().config
    assert year.play(config, folder / "year-clock", NOW) is False


def test_the_pages_show_the_company_and_its_year(client):
    def page(path):
        answer = client.get(path)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)

    overview = page("/")
    assert "Sonnet API" in overview
    assert "first-folio-archive" in overview.partition("Hand back")[2]
    assert "neglected" in page("/pages/component/default/prompter-notifications")
    assert "graduated" in page("/pages/component/default/cordelia-profile")
    assert "D2" in page("/pages/triage")
