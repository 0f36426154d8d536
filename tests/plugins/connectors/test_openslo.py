"""What the OpenSLO connector makes of SLOs, and every way an SLO can be wrong."""

import pytest
import yaml

from plugins.connectors.openslo import CONNECTOR
from plugins.contract import FailureKind, PullFailed, Target
from tests.plugins.connectors.openslo_files import (
    AVAILABLE,
    FAST,
    NOW,
    TARGET,
    context,
    messages,
    pull,
    ratio,
    slo,
    threshold,
    values,
    written,
)


def test_a_service_gets_the_facts_of_its_slos(tmp_path):
    batch = pull(written(tmp_path, slo(), slo("latency", FAST, target=0.99)))
    assert values(batch) == {
        "slo.count": 2,
        "slo.names": ["availability", "latency"],
        "slo.owner": "shop",
        "slo.availability.target": 0.999,
        "slo.latency.target": 0.99,
        "slo.latency.threshold_seconds": 0.4,
        "slo.window_days": 28,
        "slo.metrics": ["http_total", "took_seconds_bucket", "took_seconds_count"],
    }
    assert {fact.key for fact in batch.facts} == {spec.key for spec in CONNECTOR.facts}
    assert {fact.observed_at for fact in batch.facts} == {NOW}
    assert batch.faults == []


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"service": None}, "spec.service is missing"),
        ({"objectives": None}, "spec.objectives is empty"),
        ({"objectives": [7]}, "spec.objectives[0] is no object"),
        ({"objectives": [{}]}, "needs one of target and targetPercent"),
        ({"objectives": [{"target": 0.9, "targetPercent": 90}]}, "needs one of target and targetPercent"),
        ({"objectives": [{"target": "high"}]}, "target is no number"),
        ({"objectives": [{"target": True}]}, "target is no number"),
        ({"objectives": [{"target": 99.9}]}, "must lie between 0 and 1"),
        ({"objectives": [{"target": 10**400}]}, "must lie between 0 and 1"),
        ({"objectives": [{"targetPercent": 100}]}, "must lie between 0 and 100"),
        ({"objectives": [{"target": 1}]}, "must lie between 0 and 1"),
        ({"objectives": [{"target": float("nan")}]}, "must lie between 0 and 1"),
        ({"indicator": None}, "it has no indicator"),
        ({"indicator": None, "indicatorRef": "gone"}, "names an SLI that no document defines"),
        ({"indicator": {"spec": {}}}, "neither ratioMetric nor thresholdMetric"),
    ],
)
def test_an_slo_that_is_none_is_left_out_with_the_reason(tmp_path, parts, message):
    batch = pull(written(tmp_path, slo("wrong", **parts), slo("right")))
    found = values(batch)
    assert found["slo.count"] == 1
    assert found["slo.availability.target"] == 0.999
    assert message in messages(batch)[0]
    assert "SLO wrong" in messages(batch)[0]
    if parts.get("service", "checkout"):
        assert "slo.metrics" not in found, "the metrics of all SLOs are not known"
        assert "slo.names" not in found


def test_of_a_service_whose_only_slo_is_broken_nothing_is_said(tmp_path):
    assert values(pull(written(tmp_path, slo(objectives=None)))) == {}


@pytest.mark.parametrize(
    ("window", "days"),
    [("28d", 28), ("4w", 28), ("1M", 30), ("1Q", 90), ("1Y", 365), ("12h", 0.5), ("90m", 1.5 / 24)],
)
def test_windows_are_days(tmp_path, window, days):
    batch = pull(written(tmp_path, slo(timeWindow=[{"duration": window}])))
    assert values(batch)["slo.window_days"] == pytest.approx(days)


@pytest.mark.parametrize(
    "window",
    [
        None,
        [],
        [{"duration": "28d"}, {"duration": "7d"}],
        [{"duration": 28}],
        [{"duration": "28 days"}],
        ["28d"],
        [{"duration": "0d"}],
        [{"duration": "1m"}],
    ],
)
def test_without_a_window_the_slo_counts_and_the_window_is_unknown(tmp_path, window):
    batch = pull(written(tmp_path, slo(timeWindow=window)))
    assert "slo.window_days" not in values(batch)
    assert values(batch)["slo.availability.target"] == 0.999
    assert "spec.timeWindow" in messages(batch)[0]


def test_target_percent_is_a_ratio_too(tmp_path):
    batch = pull(written(tmp_path, slo(objectives=[{"targetPercent": 99.95}, {"targetPercent": 99}])))
    assert values(batch)["slo.availability.target"] == 0.9995


def test_of_several_slos_the_strictest_speaks_with_its_own_threshold_and_window(tmp_path):
    slow = ratio('sum(rate(took_milliseconds_bucket{le="5000"}[5m]))', "sum(rate(took_milliseconds_count[5m]))")
    week = [{"duration": "7d"}]
    documents = [
        slo("availability-loose", target=0.9, timeWindow=week),
        slo("latency-fast", FAST, target=0.9),
        slo("latency-slow", slow, target=0.99, timeWindow=week),
    ]
    found = values(pull(written(tmp_path, *documents)))
    assert found["slo.latency.target"] == 0.99
    assert found["slo.latency.threshold_seconds"] == 5
    assert found["slo.window_days"] == 7, "availability comes first"


@pytest.mark.parametrize(
    ("name", "indicator", "labels", "expected"),
    [
        ("checkout-availability", FAST, {}, "availability"),
        ("checkout-availability", AVAILABLE, {"sli": "latency"}, "latency"),
        ("checkout-availability", AVAILABLE, {"category": ["freshness"]}, None),
        ("checkout-response-time", AVAILABLE, {}, "latency"),
        ("checkout-error-rate", AVAILABLE, {}, "availability"),
        ("checkout-freshness", AVAILABLE, {}, None),
        ("checkout", FAST, {}, "latency"),
        ("checkout", AVAILABLE, {}, "availability"),
        ("checkout", threshold("max(request_duration_seconds)"), {}, "latency"),
        ("latency-and-availability", FAST, {}, "latency"),
        ("checkout", ratio("a", "b", labels={"sli": "availability"}), {}, "availability"),
    ],
)
def test_availability_and_latency_are_told_apart(tmp_path, name, indicator, labels, expected):
    batch = pull(written(tmp_path, slo(name, indicator, labels=labels)))
    found = [key.split(".")[1] for key in values(batch) if key.endswith(".target")]
    assert found == ([expected] if expected else [])
    assert batch.faults == []


def test_an_slo_about_neither_is_named_with_the_remedy(tmp_path):
    batch = pull(written(tmp_path, slo("checkout", ratio("good_things", "things"))))
    assert values(batch)["slo.count"] == 1
    assert "add the label sli" in messages(batch)[0]


@pytest.mark.parametrize(
    ("query", "value", "seconds"),
    [
        ("max(took_seconds)", 0.3, 0.3),
        ("max(took_milliseconds)", 300, 0.3),
        ("max(took_fortnights)", 1, None),
        ("max(took_seconds) or max(took_ms)", 1, None),
        ("max(took_seconds)", 10**400, None),
        ("max(took_seconds)", float("nan"), None),
        ("max(took_seconds)", "fast", None),
        ("max(took_seconds)", None, None),
    ],
)
def test_a_threshold_has_a_unit_or_is_not_given(tmp_path, query, value, seconds):
    document = slo("latency", threshold(query), objectives=[{"target": 0.99, "op": "lte", "value": value}])
    assert values(pull(written(tmp_path, document))).get("slo.latency.threshold_seconds") == seconds


def test_an_sli_of_another_file_and_the_type_of_a_data_source_are_followed(tmp_path):
    written(
        tmp_path,
        {"apiVersion": "openslo/v1", "kind": "DataSource", "metadata": {"name": "p"}, "spec": {"type": "Prometheus"}},
        name="z.yaml",
    )
    shared_sli = {"apiVersion": "openslo/v1", "kind": "SLI", "metadata": {"name": "shared"}}
    source = {"metricSource": {"metricSourceRef": "p", "spec": {"query": "up"}}}
    written(tmp_path, shared_sli | {"spec": {"ratioMetric": {"raw": source}}}, name="y.yaml")
    batch = pull(written(tmp_path, slo(indicator=None, indicatorRef="shared")))
    assert values(batch)["slo.metrics"] == ["up"]
    assert batch.faults == []


@pytest.mark.parametrize(
    "indicator",
    [
        ratio("a", "b", kind="Datadog"),
        ratio("a", "b", kind=None),
        ratio("a{", "b"),
        ratio("1", "b"),
        {"spec": {"ratioMetric": {}}},
    ],
)
def test_metrics_that_cannot_all_be_known_are_not_given(tmp_path, indicator):
    batch = pull(written(tmp_path, slo(), slo("other", indicator, labels={"sli": "other"})))
    assert "slo.metrics" not in values(batch)
    assert values(batch)["slo.count"] == 2
    assert "its metrics are not known" in messages(batch)[0]


def test_the_objectives_of_a_composite_slo_bring_their_own_indicators(tmp_path):
    objectives = [{"target": 0.99, "indicator": FAST}, {"target": 0.999, "indicator": AVAILABLE}]
    found = values(pull(written(tmp_path, slo("checkout", indicator=None, objectives=objectives))))
    assert found["slo.latency.target"] == 0.99
    assert found["slo.availability.target"] == 0.999
    assert found["slo.count"] == 1


def test_an_owner_may_be_given_by_the_service(tmp_path):
    service = {
        "apiVersion": "openslo/v1",
        "kind": "Service",
        "metadata": {"name": "checkout", "annotations": {"openslo.com/owner": "shop-team"}},
        "spec": {},
    }
    assert values(pull(written(tmp_path, service, slo(labels={}))))["slo.owner"] == "shop-team"
    assert "slo.owner" not in values(pull(written(tmp_path, slo(labels={}))))


def test_an_annotation_goes_before_a_name_and_a_name_of_two_needs_one(tmp_path):
    written(tmp_path, slo())
    twin = Target("component:other/checkout", "checkout")
    batch = pull(tmp_path, (TARGET, twin))
    assert batch.facts == []
    assert "is the name of component:default/checkout, component:other/checkout" in messages(batch)[0]

    annotated = Target("component:other/pay", "pay", {"openslo.com/service": "checkout, more"})
    batch = pull(tmp_path, (TARGET, twin, annotated))
    assert {fact.ref for fact in batch.facts} == {annotated.ref}
    assert batch.faults == []


def test_services_that_nobody_claims_are_listed(tmp_path):
    batch = pull(written(tmp_path, slo(service="stranger"), slo()))
    assert batch.unmatched == ["stranger"]


def test_slos_of_two_services_may_share_a_name(tmp_path):
    pay = Target("component:default/pay", "pay")
    batch = pull(written(tmp_path, slo(), slo(service="pay"), slo()), (TARGET, pay))
    assert values(batch)["slo.count"] == values(batch, pay.ref)["slo.count"] == 1
    assert "is defined in slos.yaml, document 0 already" in messages(batch)[0]


def test_a_service_without_slos_has_none_only_where_all_slos_are_known_to_be_here(tmp_path):
    bare = Target("component:default/bare", "bare")
    written(tmp_path, slo())
    assert values(pull(tmp_path, (TARGET, bare)), bare.ref) == {}
    assert values(pull(tmp_path, (TARGET, bare), exhaustive=True), bare.ref) == {"slo.count": 0}

    written(tmp_path, {"apiVersion": "sloth.slok.dev/v1"}, name="sloth.yaml")
    batch = pull(tmp_path, (TARGET, bare), exhaustive=True)
    assert values(batch, bare.ref) == {}
    assert values(batch)["slo.count"] == 1
    assert "no service is said to have 0" in messages(batch)[-1]


def test_check_says_when_the_documents_speak_of_no_service_of_the_catalog(tmp_path):
    with pytest.raises(PullFailed, match="they name stranger: write `openslo.com/service: checkout`") as failure:
        CONNECTOR.check(context(written(tmp_path, slo(service="stranger")), options={"paths": ["."]}))
    assert failure.value.kind is FailureKind.MISCONFIGURED


def test_check_says_what_was_read_and_what_is_wrong(tmp_path):
    sentence = CONNECTOR.check(context(written(tmp_path, slo(), slo(service="x")), options={"paths": ["."]}))
    assert sentence == "2 documents hold 2 SLOs, 1 of them of services in the catalog"
    written(tmp_path, slo(objectives=None))
    with_fault = CONNECTOR.check(context(tmp_path, options={"paths": ["."]}))
    assert "1 faults, the first: slos.yaml, document 0: SLO availability: spec.objectives is empty" in with_fault


def test_many_slos_and_services_are_joined_quickly(tmp_path):
    documents = [slo(f"availability-{n}", service=f"s{n}") for n in range(300)]
    (tmp_path / "all.yaml").write_text("\n---\n".join(yaml.dump(d, Dumper=yaml.CSafeDumper) for d in documents))
    targets = [Target(f"component:default/s{n}", f"s{n}") for n in range(5000)]
    batch = pull(tmp_path, targets)
    assert sum(1 for fact in batch.facts if fact.key == "slo.metrics") == 300
