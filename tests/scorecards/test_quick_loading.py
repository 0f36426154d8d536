"""One service read by prepared statements is the one that a session reads."""

import pytest

from portal_backend.core.db import reading
from portal_backend.core.quick_reading import quick_reading
from scorecards.loading import load
from scorecards.quick_loading import load_one
from scorecards.scorecard import read, read_one, update
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import DAY, NOW

AROUND = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: verses}
spec: {type: openapi, lifecycle: production, owner: bards, definition: x}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: printer}
spec: {type: service, lifecycle: production, owner: bards, providesApis: [verses]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: reader}
spec: {type: service, lifecycle: production, owner: bards, consumesApis: [verses], dependsOn: [component:nobody]}
"""


@pytest.fixture
def judged(company, session):
    company.write("around.yaml", AROUND)
    company.observe({"slo.availability.target": 0.9999}, QUILL)
    company.touch("argocd", failure_kind="unreachable", failure_message="no route")
    update(session, company.judging, None, NOW)
    session.commit()
    return company


@pytest.mark.parametrize("name", ["shakespeare", "quill", "printer", "reader"])
def test_a_service_and_its_scorecard_are_the_same_in_both_ways(judged, session, app, name):
    ref, judging = f"component:default/{name}", judged.judging
    with app.app_context(), reading() as other, quick_reading() as reader:
        one = load_one(other, reader, judging, ref, NOW, around=True)
        quick = [read_one(other, reader, judging, ref, moment) for moment in (NOW, NOW + 30 * DAY)]
    loaded = load(session, judging, [ref], NOW, around=True)
    assert one is not None
    assert one.loaded.subjects.of(ref) == loaded.subjects.of(ref)
    assert one.loaded.health == loaded.health
    assert {key: dict(found) for key, found in one.loaded.observations.items()} == {
        key: dict(found) for key, found in loaded.observations.items()
    }
    assert quick == [read(session, judging, ref, moment) for moment in (NOW, NOW + 30 * DAY)]


def test_a_dependency_by_way_of_an_api_and_one_that_nobody_registered_are_seen(judged, app):
    ref = "component:default/reader"
    with app.app_context(), reading() as other, quick_reading() as reader:
        one = load_one(other, reader, judged.judging, ref, NOW)
    subject = one.loaded.subjects.of(ref)
    assert subject.service_dependencies == ("component:default/nobody", "component:default/printer")
    assert subject.unknown_dependencies == ("component:default/nobody",)


@pytest.mark.parametrize("ref", ["component:default/ink", "resource:default/folios", f"{REF}-not"])
def test_what_is_no_service_is_not_loaded(judged, app, ref):
    with app.app_context(), reading() as other, quick_reading() as reader:
        assert load_one(other, reader, judged.judging, ref, NOW) is None
