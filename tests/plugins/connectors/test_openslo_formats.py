"""Formats beside OpenSLO v1: its v1alpha, Sloth's and Pyrra's, and every file of the corpus with its verdict."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.connectors.openslo.documents import Loaded, load_paths, load_text
from plugins.connectors.openslo.foreign import FORMATS
from plugins.connectors.openslo.slos import Definitions, Slo, define
from tests.conftest import shared

NO_METRICS = "metrics are not known"
CLEAR_FAULTS = {
    "OpenSLO__OpenSLO__examples-budgeting-method-timeslices-slo.yaml": [NO_METRICS, "shorter than an hour"],
    "OpenSLO__OpenSLO__examples-treat-low-traffic-as-equally-important-timeslices-slo.yaml": [NO_METRICS],
    "OpenSLO__go-sdk__pkg-openslo-v1-examples-services.yaml": ["is defined in"],
    "OpenSLO__go-sdk__pkg-openslo-v2alpha-examples-services.yaml": ["draft of OpenSLO's next version"] * 2,
    "OpenSLO__oslo__test-inputs-validate-invalid-apiversion.yaml": ["apiVersion foo is not known here"],
}
"""What is wrong with a file of the corpus; the others are good."""


def read(text: str) -> Definitions:
    loaded = Loaded()
    load_text(text, "x.yaml", loaded)
    assert loaded.faults == []
    return define(loaded.documents)


def only(text: str) -> Slo:
    found = read(text)
    assert ([fault.message for fault in found.faults], len(found.slos)) == ([], 1)
    return found.slos[0]


def metrics(slo: Slo) -> list[str]:
    return sorted({metric for objective in slo.objectives for metric in objective.indicator.metrics})


def test_every_file_of_the_corpus_is_good_or_its_fault_is_clear() -> None:
    folder = shared("corpus", "slo")
    with (folder / "index.csv").open() as index:
        files = [row["file"] for row in csv.DictReader(index)]
    assert len(files) == 14
    for file in files:
        loaded = load_paths([file], folder)
        found = define(loaded.documents)
        faults = [fault.message for fault in (*loaded.faults, *found.faults)]
        wanted = CLEAR_FAULTS.get(file, [])
        assert len(faults) == len(wanted), (file, faults)
        assert all(part in fault for part, fault in zip(wanted, faults, strict=True)), (file, faults)
        assert found.understood or file in CLEAR_FAULTS, file


def test_openslo_v1alpha_with_two_objectives() -> None:
    file = "slok__sloth__examples-openslo-kubernetes-apiserver.yaml"
    found = define(load_paths([file], shared("corpus", "slo")).documents)
    availability, latency = found.slos
    assert (availability.service, availability.window_days) == ("k8s-apiserver", 30)
    assert [objective.target for objective in latency.objectives] == [0.99, 0.999]
    assert [objective.threshold_seconds for objective in latency.objectives] == [0.4, 5]


def test_openslo_v1alpha_with_a_threshold() -> None:
    slo = only("""
apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: latency}
spec:
  service: shop
  indicator: {thresholdMetric: {source: prometheus, queryType: promql, query: 'request_duration_seconds{job="a"}'}}
  objectives: [{op: lte, value: 0.3, target: 0.95}]
  timeWindows: [{count: 2, unit: Week, isRolling: true}]
""")
    assert (slo.window_days, slo.objectives[0].threshold_seconds) == (14, 0.3)
    assert slo.objectives[0].category == "latency"


PLAIN_SLOTH = """
version: "prometheus/v1"
service: "myservice"
labels: {owner: "myteam"}
slos:
  - name: "requests-availability"
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="myservice",code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="myservice"}[{{.window}}]))
    alerting: {page_alert: {labels: {severity: page}}}
  - name: "requests-latency"
    objective: 95
    labels: {owner: "others"}
    sli: {raw: {error_ratio_query: 'rate(slow_requests_total[{{.window}}]) / rate(http_requests_total[{{.window}}])'}}
"""


def test_a_plain_sloth_file_holds_several_slos_with_the_labels_that_they_share() -> None:
    availability, latency = read(PLAIN_SLOTH).slos
    assert (availability.service, availability.objectives[0].target) == ("myservice", 0.999)
    assert (availability.window_days, availability.owners, latency.owners) == (30, ["myteam"], ["others"])
    assert metrics(latency) == ["http_requests_total", "slow_requests_total"]
    assert latency.objectives[0].category == "latency"


def test_a_sloth_plugin_is_an_slo_whose_metrics_nobody_knows() -> None:
    document = yaml.safe_load(PLAIN_SLOTH)
    document["slos"] = [{"name": "x-availability", "objective": 99, "sli": {"plugin": {"id": "sloth-common/up"}}}]
    found = read(yaml.safe_dump(document))
    assert len(found.slos) == 1
    assert "Sloth's plugin sloth-common/up" in found.faults[0].message


PYRRA = {
    "apiVersion": "pyrra.dev/v1alpha1",
    "kind": "ServiceLevelObjective",
    "metadata": {"name": "shop-x", "labels": {"pyrra.dev/team": "selling", "pyrra.dev/service": "shop"}},
}
RATIO = {"errors": {"metric": 'http_requests_total{job="j",code=~"5.."}'}, "total": {"metric": "http_requests_total"}}


def pyrra(indicator: Any, **spec: Any) -> str:
    return yaml.safe_dump({**PYRRA, "spec": {"target": "99.5", "window": "4w", "indicator": indicator, **spec}})


@pytest.mark.parametrize(
    ("indicator", "category", "threshold"),
    [
        ({"ratio": RATIO}, "availability", None),
        (
            {
                "latency": {
                    "success": {"metric": 'http_request_duration_seconds_bucket{le="0.25"}'},
                    "total": {"metric": "http_request_duration_seconds_count"},
                }
            },
            "latency",
            0.25,
        ),
        (
            {"latencyNative": {"latency": "1s500ms", "total": {"metric": "http_request_duration_seconds"}}},
            "latency",
            1.5,
        ),
        ({"bool_gauge": {"metric": 'probe_success{job="j"}'}}, "availability", None),
    ],
)
def test_each_indicator_of_pyrra(indicator: Any, category: str, threshold: float | None) -> None:
    slo = only(pyrra(indicator))
    assert (slo.service, slo.owners, slo.window_days) == ("shop", ["selling"], 28)
    [objective] = slo.objectives
    assert (objective.target, objective.category, objective.threshold_seconds) == (0.995, category, threshold)
    assert metrics(slo)


def test_a_pyrra_slo_without_a_label_belongs_to_what_its_total_selects() -> None:
    found = define(load_paths(["pyrra-dev__pyrra__examples-nginx.yaml"], shared("corpus", "slo")).documents)
    assert {slo.service for slo in found.slos} == {"lastfm"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pyrra({"ratio": RATIO}, target="100"), "between 0 and 100"),
        (pyrra({"ratio": RATIO}, target="much"), "is no number"),
        (pyrra({"ratio": RATIO}, window="a month"), "spec.window is no duration"),
        (pyrra({"ratios": RATIO}), "none of ratio, latency"),
        (pyrra({"ratio": {"total": {}}}), "names no metric"),
        (pyrra({"ratio": RATIO}).replace("pyrra.dev/service", "x"), "pyrra.dev/service"),
        (pyrra({"ratio": RATIO}).replace("ServiceLevelObjective", "Config"), "none of Pyrra's"),
        (PLAIN_SLOTH.replace("service:", "servize:", 1), "service is missing"),
        (PLAIN_SLOTH.split("slos:")[0], "slos is empty"),
        ("{apiVersion: openslo/v1alpha, kind: SLO, metadata: {name: x}, spec: {service: a}}", "objectives is empty"),
        ("{version: 7, kind: SLO}", "apiVersion None is not known here"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made_up(text: str, message: str) -> None:
    found = read(text)
    assert found.slos == []
    assert found.unread == 1
    assert message in found.faults[0].message


def test_the_page_names_every_format() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connectors" / "openslo.md").read_text()
    assert [version for version in FORMATS if f"`{version}`" not in page] == []
