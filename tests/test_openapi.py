"""The API against its own description: valid, true of what is answered, and never a 500 whatever is sent."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, ignored_auth, response_schema_conformance

from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.core.config import Config, LocationConfig, SourceConfig
from portal_backend.core.db import Model, db
from tests.pipeline.conftest import CATALOG, SLO


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application with two services, judged."""
    folder: Path = tmp_path_factory.mktemp("openapi")
    (folder / "catalog.yaml").write_text(CATALOG)
    (folder / "slo.yaml").write_text(SLO)
    config = Config(
        database_url=f"sqlite:///{folder}/openapi.db",
        data_dir=folder,
        base_dir=folder,
        locations=(LocationConfig("file", str(folder / "catalog.yaml")),),
        sources=(SourceConfig("slo", "openslo", options={"paths": ["slo.yaml"], "exhaustive": False}),),
    )
    app = create_app(config)
    with app.app_context():
        Model.metadata.create_all(db.engine)
        pipeline.prepare()
        for name in ("catalog", "slo"):
            pipeline.refresh(name)
    yield app


@pytest.fixture(scope="module")
def description(application: Flask):
    return schemathesis.openapi.from_wsgi("/openapi.json", application)


def test_the_description_is_valid_openapi(application):
    document = application.test_client().get("/openapi.json").json
    validate(document)
    undocumented = [path for path, item in document["paths"].items() for one in item.values()
                    if isinstance(one, dict) and "responses" in one and not one.get("summary")]  # fmt: skip
    assert undocumented == []


def test_no_input_brings_the_server_down(description):
    """Wrong types, huge numbers, odd text in every parameter: an error of the caller's is answered as one."""
    for operation in description.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(operation.ok().as_strategy(generation_mode=mode))
            @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
            def survives(case):
                answer = case.call()
                assert answer.status_code < 500, (case.method, case.path, case.query, case.body)
                # A picture that cannot be drawn is answered with a picture that says so: a page shows nothing else.
                if answer.status_code >= 400 and case.path.startswith("/api/") and not case.path.endswith(".svg"):
                    assert answer.json(), (case.method, case.path)

            with contextlib.suppress(Unsatisfiable):  # an operation without parameters has nothing to get wrong
                survives()


@pytest.mark.parametrize(
    "path",
    [
        "/api/services",
        "/api/services?include_total=true&sort=-observability.percent",
        "/api/services/component/default/checkout",
        "/api/services/component/default/checkout/scorecard",
        "/api/services/component/default/checkout/history",
        "/api/services/component/default/checkout/incident-view",
        "/api/engagements/history/verify",
        "/api/services/component/default/checkout/tier",
        "/api/engagements/triage",
        "/api/scorecards/checks",
        "/api/scorecards/checks/arch.owner",
        "/api/plugins/sources",
        "/api/plugins/sources/slo/runs",
        "/api/plugins/fact-specs",
        "/api/plugins/connectors",
        "/api/catalog/locations",
        "/api/catalog/faults",
    ],
)
def test_answers_are_what_the_description_says(description, path):
    case = _case(description, path)
    answer = case.call()
    assert answer.status_code == 200
    case.validate_response(answer, excluded_checks=[ignored_auth])  # on loopback everyone may


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/services?limit=0", 400),
        ("/api/services/component/default/nobody", 404),
        ("/api/engagements/nothing", 404),
        ("/api/catalog/entities/by-name/component/default/nobody", 404),
        ("/api/catalog/entities?limit=x", 400),
        ("/api/tech-insights/facts/latest?entity=nonsense", 400),
    ],
)
def test_errors_are_what_the_description_says(description, path, status):
    case = _case(description, path)
    answer = case.call()
    assert answer.status_code == status
    case.validate_response(answer, checks=[response_schema_conformance, content_type_conformance])


def _case(description, path: str):
    """Return the request for an address of ours, as the description of its route has it."""
    route, _, query = path.partition("?")
    operations = [operation.ok() for operation in description.get_all_operations()]
    fitting = [found for found in operations if found.method.upper() == "GET" and _fits(found.path, route)]
    assert fitting, f"{route} is not described"
    found = min(fitting, key=lambda one: len(_names(one.path)))  # as the server does: the most concrete one
    parameters = dict(zip(_names(found.path), _values(found.path, route), strict=True))
    return found.Case(path_parameters=parameters, query=dict(part.split("=") for part in query.split("&") if part))


def _fits(template: str, path: str) -> bool:
    left, right = template.split("/"), path.split("/")
    return len(left) == len(right) and all(a == b or a.startswith("{") for a, b in zip(left, right, strict=True))


def _names(template: str) -> list[str]:
    return [part.strip("{}") for part in template.split("/") if part.startswith("{")]


def _values(template: str, path: str) -> list[str]:
    return [b for a, b in zip(template.split("/"), path.split("/"), strict=True) if a.startswith("{")]
