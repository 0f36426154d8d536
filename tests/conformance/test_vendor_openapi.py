"""Backstage's own description of its catalog API, driven against a live server: it describes every answer."""

import contextlib
import random

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import shared

CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 8
LOCATION = {"type", "target"}
"""Fields of a location. The description lets others pass when it is registered; Backstage itself refuses them."""


@pytest.fixture
def known(server):
    """What a request may ask for that is really there, by the names of parameters and of the bodies' fields."""
    api = f"{server}/api/catalog"
    entity = requests.get(f"{api}/entities/by-query?filter=kind=component", timeout=60).json()["items"][0]
    metadata = entity["metadata"]
    ref = f"{entity['kind']}:{metadata['namespace']}/{metadata['name']}".lower()
    page = requests.get(f"{api}/entities/by-query?limit=1", timeout=60).json()["pageInfo"]
    place = {"type": "url", "target": "https://example.invalid/catalog-info.yaml"}
    location = requests.post(f"{api}/locations", json=place, timeout=60).json()["location"]
    return {
        "kind": [entity["kind"], "component"],
        "namespace": [metadata["namespace"]],
        "name": [metadata["name"]],
        "uid": [metadata["uid"]],
        "id": [location["id"]],
        "filter": [["kind=component"], ["kind=component,spec.type", "relations.ownedby"], ["=x"]],
        "facet": [["kind"], ["metadata.tags", "relations.ownedby"]],
        "orderField": [["metadata.name,asc"], ["spec.type,desc"]],
        "cursor": [page["nextCursor"]],
        "entityRef": [ref],
        "entityRefs": [[ref, "component:default/nobody", ref]],
        "facets": [["kind", "spec.type"]],
        "entity": [{name: value for name, value in entity.items() if name not in ("relations", "status")}],
        "target": [f"https://example.invalid/{number}.yaml" for number in range(20)],
        "type": ["url"],
    }


def put_known(case, known, chance: random.Random) -> None:
    """Put what is really there into a request."""
    body = case.body if isinstance(case.body, dict) else {}
    for part in (case.path_parameters, case.query, body, body.get("location")):
        for name in sorted(set(part).intersection(known)) if isinstance(part, dict) else ():
            part[name] = chance.choice(known[name])
    if isinstance(body.get("location"), str):
        body["location"] = "url:https://example.invalid/catalog-info.yaml"


def is_true(check, case) -> bool:
    """Say whether the description is true of Backstage's own answers.

    Its schema of suggestions allows metadata no field at all; what is no request is answered as everywhere.
    """
    untrue = case.path == "/analyze-location" or (case.path == "/validate-entity" and not isinstance(case.body, dict))
    return not (untrue and check is response_schema_conformance)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.name)
def test_every_answer_is_described_and_none_is_a_failure_of_ours(server, known, mode):
    description = schemathesis.openapi.from_path(shared("specs", "backstage-catalog.openapi.yaml"))
    taken: dict[str, set[int]] = {}
    chance = random.Random(7)
    with requests.Session() as session:
        operations = [found.ok() for found in description.get_all_operations()]
        for operation in sorted(operations, key=lambda one: one.method == "delete"):  # or nothing known is left

            @given(operation.as_strategy(generation_mode=mode), st.booleans())
            @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            def answers(case, real):
                # Of entities cut down to some fields the description is not true, in Backstage either.
                for part in (case.query, case.body):
                    if isinstance(part, dict):
                        part.pop("fields", None)
                if isinstance(case.body, dict) and case.path == "/locations" and mode is GenerationMode.POSITIVE:
                    case.body = {name: case.body[name] for name in LOCATION}
                if real:
                    put_known(case, known, chance)
                answer = case.call(base_url=f"{server}/api/catalog", session=session)
                assert answer.status_code < 500, (case.method, case.formatted_path, case.query, case.body)
                case.validate_response(answer, checks=[check for check in CHECKS if is_true(check, case)])
                taken.setdefault(case.operation.label, set()).add(answer.status_code)

            with contextlib.suppress(Unsatisfiable):  # of a path there is nothing to get wrong
                answers()
    if mode is GenerationMode.POSITIVE:  # or it is errors alone that were compared
        assert [label for label, statuses in taken.items() if min(statuses) >= 300] == []
