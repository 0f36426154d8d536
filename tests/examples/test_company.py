"""The story holds: the files agree with each other, and the real connectors find in them what the README tells."""

import json
from collections import Counter
from datetime import timedelta

import pytest
import yaml

from catalog.format.documents import judge_documents
from engagements.imports import read_records
from engagements.tiers import Tier
from examples.simulated import prometheus, telemetry
from plugins import promql, pulling, registry
from portal_backend.core import clock
from tests.examples.company import BROKEN, NOW, SHAKESPEARE, documents, services, simulated, targets

MISSING_METRIC = "http_request_duration_seconds_bucket"


def _ref(text, kind="group"):
    """Return a whole reference, with the defaults of Backstage put in."""
    kind, _, rest = text.rpartition(":") if ":" in text else (kind, "", text)
    namespace, _, name = rest.rpartition("/")
    return f"{kind}:{namespace or 'default'}/{name}".lower()


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A copy of the company with its simulated systems running; yields its configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTAL_CLOCK", clock.format_time(NOW))
        with simulated(tmp_path_factory.mktemp("examples"), patch) as config:
            yield config


@pytest.fixture(scope="module")
def pulled(company):
    """What each source yields, by its name."""
    return {source.name: _pull(company, source.name) for source in company.sources}


def _pull(company, name):
    [source] = [source for source in company.sources if source.name == name]
    with pulling.open_client(source) as client:
        context = pulling.make_context(source, client, targets(), NOW, base_dir=company.base_dir)
        return list(pulling.pull(registry.connector(source.plugin), context))


def _facts(batches):
    return {(fact.ref.rpartition("/")[2], fact.key): fact.value for batch in batches for fact in batch.facts}


@pytest.fixture(scope="module")
def facts(pulled):
    """Facts by service and key; the order of the sources is the precedence."""
    found = {}
    for batches in pulled.values():
        found = {**_facts(batches), **found}
    return found


def test_every_catalog_document_is_valid_but_the_one_that_is_broken_on_purpose():
    faulty = {}
    for path in sorted((SHAKESPEARE / "catalog").glob("*.yaml")):
        for document in judge_documents(path.read_bytes()):
            if document.faults:
                faulty[path.name] = {fault.path for fault in document.faults}
    assert faulty == {BROKEN: {"metadata.name", "spec.owner"}}


def test_every_name_is_given_once_and_every_reference_but_ariels_owner_leads_somewhere():
    entities = list(documents(BROKEN))
    refs = Counter(f"{e['kind']}:default/{e['metadata']['name']}".lower() for e in entities)
    assert set(refs.values()) == {1}
    dangling = set()
    for entity in entities:
        spec = entity["spec"]
        kinds = {"owner": "group", "parent": "group", "system": "system", "domain": "domain"}
        wanted = {_ref(spec[key], kind) for key, kind in kinds.items() if key in spec}
        wanted |= {_ref(name, "api") for key in ("consumesApis", "providesApis") for name in spec.get(key, [])}
        wanted |= {_ref(name, "component") for name in spec.get("dependsOn", [])}
        wanted |= {_ref(name, "group") for key in ("memberOf", "children") for name in spec.get(key, [])}
        dangling |= {(entity["metadata"]["name"], ref) for ref in wanted if ref not in refs}
    assert dangling == {("ariel-mailer", "group:default/shipwrecked")}


def test_there_are_about_fifteen_services_and_things_that_are_none():
    assert len(services()) == 16
    kinds = {d["spec"]["type"] for d in documents(BROKEN) if d["kind"] == "Component"}
    assert kinds == {"service", "library", "website"}


def test_half_the_company_depends_on_sonnet_api():
    dependents = [
        component
        for component in services().values()
        if "text-api" in component["spec"].get("consumesApis", [])
        or "component:default/sonnet-api" in component["spec"].get("dependsOn", [])
    ]
    assert len(dependents) >= 10
    assert "T1" in {c["metadata"]["annotations"].get("sre.portal/criticality") for c in dependents}


def test_the_objectives_in_the_files_are_those_that_prometheus_records():
    declared = {}
    for path in (SHAKESPEARE / "slo").glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            spec, category = document["spec"], document["metadata"]["labels"]["category"]
            assert path.stem == spec["service"]
            owner = services()[spec["service"]]["spec"]["owner"]
            assert owner == f"group:default/{document['metadata']['labels']['team']}"
            declared[spec["service"], category] = spec["objectives"][0]["target"]
    recorded = {
        (service.name, name): objective.target
        for service in telemetry.load(SHAKESPEARE / "telemetry.yaml").services
        for name, objective in service.slos.items()
    }
    assert declared == recorded
    without = services().keys() - {service for service, _ in declared}
    assert without == {"prompter-notifications", "puck-recommendations", "ariel-mailer", "hamlet-annotations"}


def test_every_metric_of_an_objective_or_a_dashboard_exists():
    app = prometheus.create_app(SHAKESPEARE / "telemetry.yaml")
    names = set(app.test_client().get("/api/v1/label/__name__/values").get_json()["data"])
    expressions = [
        target["expr"]
        for path in (SHAKESPEARE / "dashboards").glob("*.json")
        for outer in json.loads(path.read_text())["panels"]
        for panel in [outer, *outer.get("panels", [])]
        for target in panel.get("targets", [])
    ]
    assert len(expressions) > 40
    for expression in expressions:
        read = promql.read(expression)
        assert read.parsed
        assert read.metrics
        assert read.metrics <= names


def test_the_support_file_is_read_and_holds_what_was_before_the_year():
    records = {record.entity_ref: record for record in read_records(SHAKESPEARE / "support.yaml", NOW)}

    assert records.keys() <= {target.ref for target in targets()}
    assert {record.tier for record in records.values()} == {Tier.CONSULTATION, Tier.FULL_SRE}
    assert len(records) < len(services())  # the others are in documentation, as every registered service is


def test_the_configuration_is_valid_and_every_source_is_marked_as_simulated(company):
    assert [source.name for source in company.sources] == ["prometheus", "argocd", "grafana", "slo", "company-tools"]
    assert all(source.simulated for source in company.sources)


def test_every_source_answers_its_connector_without_a_fault(company, pulled):
    for source in company.sources:
        with pulling.open_client(source) as client:
            context = pulling.make_context(source, client, targets(), NOW, base_dir=company.base_dir)
            assert "not read" not in registry.connector(source.plugin).check(context)
        assert [fault for batch in pulled[source.name] for fault in batch.faults] == []
        assert _facts(pulled[source.name]) or not registry.connector(source.plugin).is_pulled


def test_what_no_service_claims_is_shown(pulled):
    assert {name for batch in pulled["argocd"] for name in batch.unmatched} == {"argocd/understudy-sandbox"}


def test_shakespeare_lacks_one_metric_of_its_objectives_and_only_one(facts):
    def lacking(service):
        return set(facts[service, "slo.metrics"]) - set(facts.get((service, "dashboard.metrics"), ()))

    assert lacking("shakespeare") == {MISSING_METRIC}
    assert {s for s in services() if (s, "slo.metrics") in facts and lacking(s)} == {"shakespeare", "falstaff-reports"}


def test_shakespeare_is_sound_in_everything_else_that_is_measured(facts):
    def of(key):
        return facts["shakespeare", key]

    assert of("slo.availability.actual_28d") > of("slo.availability.target")
    assert of("slo.latency.actual_28d") > of("slo.latency.target")
    assert of("metrics.signals.present") == 4
    assert of("alerts.sli_coverage_ratio") == 1
    assert of("alerts.paging.without_runbook") == of("alerts.paging.unrouted") == 0
    assert of("runtime.replicas") >= 3
    assert of("runtime.zones") >= 2
    assert of("runtime.resources.set") is True
    assert of("runtime.autoscaler.enabled") is True
    assert max(of("runtime.cpu.p95_30d"), of("runtime.mem.p95_30d")) <= 0.7
    assert of("deploys.automated_ratio_30d") >= 0.95
    assert of("deploys.change_failure_rate_30d") <= 0.15
    assert of("deploys.count_30d") >= 10
    assert of("iac.coverage_ratio") == 1
    assert of("slo.owner") == "kings-men"


def test_sonnet_api_has_outgrown_the_advice_it_gets(facts):
    assert facts["sonnet-api", "traffic.rps_now"] >= 10 * facts["sonnet-api", "traffic.rps_180d_ago"]
    assert facts["sonnet-api", "slo.availability.budget_left"] < 0
    assert facts["sonnet-api", "slo.availability.actual_28d"] < facts["sonnet-api", "slo.availability.target"]


def test_first_folio_archive_is_quiet_and_far_below_its_forecast(facts):
    records = {record.entity_ref: record for record in read_records(SHAKESPEARE / "support.yaml", NOW)}
    record = records["component:default/first-folio-archive"]

    assert record.tier is Tier.FULL_SRE
    assert facts["first-folio-archive", "traffic.peak_rps_30d"] < 0.5 * record.usage_forecast_rps
    assert facts["first-folio-archive", "traffic.rps_180d_ago"] < 0.5 * record.usage_forecast_rps
    assert facts["first-folio-archive", "slo.availability.budget_left"] > 0.5
    assert facts["first-folio-archive", "alerts.paging.count_30d"] <= 2


def test_globe_frontend_is_healthy_but_not_so_quiet_that_sre_could_leave(facts):
    assert facts["globe-frontend", "slo.availability.actual_28d"] > facts["globe-frontend", "slo.availability.target"]
    assert facts["globe-frontend", "slo.availability.budget_left"] < 0.5
    assert 0.25 * 60 < facts["globe-frontend", "alerts.paging.count_30d"] <= 2 * 60


def test_the_other_services_have_the_troubles_that_the_readme_tells(facts):
    assert facts["box-office", "slo.latency.actual_28d"] < facts["box-office", "slo.latency.target"]
    assert facts["stage-billing", "alerts.paging.unrouted"] == 1
    assert facts["stage-billing", "alerts.paging.without_runbook"] == 1
    assert facts["prompter-notifications", "alerts.paging.count_30d"] > 2 * 60
    assert facts["yorick-sessions", "storage.days_to_full"] < 90
    assert facts["yorick-sessions", "runtime.zones"] == 1
    assert facts["puck-recommendations", "runtime.resources.set"] is False
    assert ("puck-recommendations", "slo.count") not in facts or facts["puck-recommendations", "slo.count"] == 0
    assert facts["quill-ingest", "metrics.signals.missing"] == ["latency"]
    assert facts["ariel-mailer", "deploys.health"] == "Degraded"
    assert not any(
        service == "hamlet-annotations" and key.startswith(("traffic.", "deploys.")) for service, key in facts
    )


def test_there_is_always_something_recent_in_the_history(pulled):
    events = [event for batches in pulled.values() for batch in batches for event in batch.events]
    kinds = Counter(event.kind for event in events if event.occurred_at > NOW - timedelta(days=30))

    assert kinds["deploy.finished"] > 200
    assert kinds["deploy.rolled_back"] >= 5
    assert kinds["alert.fired"] > 100
    assert kinds["alert.resolved"] > 100
    assert max(event.occurred_at for event in events) > NOW - timedelta(days=1)
    assert len({event.source_event_id for event in events}) == len(events)
