"""An installation whose pipeline the tests run, and what it says of a service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from engagements import history
from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config, LocationConfig, SourceConfig
from portal_backend.core.db import reading
from scorecards import judging, scorecard

REF = "component:default/checkout"

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: shop}
spec: {type: team, children: [], profile: {email: shop@example.com}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: checkout, annotations: {sre.portal/criticality: T1}}
spec: {type: service, lifecycle: production, owner: shop}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: basket}
spec: {type: service, lifecycle: production, owner: nobody}
"""

SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-availability, labels: {owner: shop}}
spec:
  service: checkout
  budgetingMethod: Occurrences
  timeWindow: [{duration: 28d, isRolling: true}]
  objectives: [{target: 0.999}]
  indicator:
    metadata: {name: good}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(http_requests_total{code!~"5.."}[5m]))'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(http_requests_total[5m]))'}}}
"""


@pytest.fixture
def portal(app: Flask, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """An installation with one catalog file and one source of SLO files."""
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "slo.yaml").write_text(SLO)
    config = Config(
        database_url=database_url,
        data_dir=tmp_path,
        base_dir=tmp_path,
        locations=(LocationConfig("file", str(tmp_path / "catalog.yaml")),),
        catalog={"orphan_grace": "0s"},
        sources=(SourceConfig("slo", "openslo", options={"paths": ["slo.yaml"], "exhaustive": False}),),
    )
    portal = create_app(config)
    with portal.app_context():
        pipeline.prepare()
        yield portal


def kinds(ref: str = REF) -> list[str]:
    with reading() as session:
        return [event.kind for event in history.read(session, ref).items]


def verdicts(ref: str = REF) -> dict[str, str]:
    with reading() as session:
        card = scorecard.read(session, judging.current(), ref, clock.now())
    return {result["check"]: result["status"] for result in card["results"]}
