"""The OpenSLO connector: real documents of OpenSLO, Nobl9, Sloth and Pyrra, and every way a document can be wrong."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.connectors.openslo import CONNECTOR
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from tests.conftest import shared

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
TARGET = Target(REF, "checkout")


def context(base_dir: Path, targets=(TARGET,), options=None, url: str = "") -> PullContext:
    return PullContext(
        source="openslo",
        client=SourceClient(url, limits=Limits(attempts=1)),
        options=CONNECTOR.options_schema().load(options or {}),
        targets=targets,
        now=NOW,
        base_dir=base_dir,
    )


def pull(base_dir: Path, targets=(TARGET,), **options: Any) -> Batch:
    (batch,) = CONNECTOR.pull(context(base_dir, targets, {"paths": ["."]} | options))
    return batch


def values(batch: Batch, ref: str = REF) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


def messages(batch: Batch) -> list[str]:
    return [f"{fault.scope}: {fault.message}" for fault in batch.faults]


def ratio(good: str, total: str, kind: str | None = "Prometheus", **metadata: Any) -> dict[str, Any]:
    def source(query: str) -> dict[str, Any]:
        return {"metricSource": ({"type": kind} if kind else {}) | {"spec": {"query": query}}}

    return {
        "metadata": metadata or {"name": "sli"},
        "spec": {"ratioMetric": {"good": source(good), "total": source(total)}},
    }


def threshold(query: str, **metadata: Any) -> dict[str, Any]:
    source = {"type": "Prometheus", "spec": {"query": query}}
    return {"metadata": metadata or {"name": "sli"}, "spec": {"thresholdMetric": {"metricSource": source}}}


AVAILABLE = ratio('sum(rate(http_total{code!~"5.."}[5m]))', "sum(rate(http_total[5m]))")
FAST = ratio('sum(rate(took_seconds_bucket{le="0.4"}[5m]))', "sum(rate(took_seconds_count[5m]))")


def slo(name: str = "availability", indicator: Any = AVAILABLE, **parts: Any) -> dict[str, Any]:
    labels = parts.pop("labels", {"team": "shop"})
    target = parts.pop("target", 0.999)
    spec = {
        "service": "checkout",
        "indicator": indicator,
        "timeWindow": [{"duration": "28d", "isRolling": True}],
        "objectives": [{"target": target}],
    }
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "labels": labels},
        "spec": {key: value for key, value in (spec | parts).items() if value is not None},
    }


def written(folder: Path, *documents: Any, name: str = "slos.yaml") -> Path:
    (folder / name).write_text("---\n".join(yaml.safe_dump(d) for d in documents))
    return folder


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


CORPUS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "OpenSLO__OpenSLO__examples-budgeting-method-timeslices-slo.yaml": (
        {"slo.count": 1, "slo.names": ["service-availability"], "slo.availability.target": 0.995},
        [
            "document 0: SLO service-availability: its metrics are not known",
            "document 0: SLO service-availability: spec.timeWindow 1m is shorter",
        ],
    ),
    "OpenSLO__OpenSLO__examples-treat-low-traffic-as-equally-important-timeslices-slo.yaml": (
        {
            "slo.count": 1,
            "slo.names": ["service-availability"],
            "slo.availability.target": 0.9995,
            "slo.window_days": 7,
        },
        ["document 0: SLO service-availability: its metrics are not known"],
    ),
    "OpenSLO__go-sdk__pkg-openslo-v1-examples-services.yaml": (
        {"slo.count": 0, "slo.names": []},
        ["document 0, item 1: Service example-service is defined in"],
    ),
    "OpenSLO__go-sdk__pkg-openslo-v1-examples-slis.yaml": ({}, []),
    "OpenSLO__go-sdk__pkg-openslo-v1-examples-slos.yaml": (
        {
            "slo.count": 1,
            "slo.names": ["web-availability"],
            "slo.availability.target": 0.995,
            "slo.window_days": 7,
            "slo.owner": "team-a, team-b",
            "slo.metrics": ["http_requests"],
        },
        [],
    ),
    "OpenSLO__go-sdk__pkg-openslosdk-test_data-decode-sequence_of_objects.yaml": (
        {"slo.count": 0, "slo.names": []},
        [],
    ),
    "OpenSLO__go-sdk__pkg-openslosdk-test_data-decode-two_documents.yaml": ({"slo.count": 0, "slo.names": []}, []),
    "nobl9__nobl9-openslo__pkg-openslotonobl9-test_data-inputs-v1_slos.yaml": (
        {
            "slo.count": 2,
            "slo.names": ["annotator-throughput", "web-availability"],
            "slo.availability.target": 0.95,
            "slo.window_days": 7,
            "slo.owner": "team-a, team-b",
            "slo.metrics": [
                "http_request_duration_seconds_bucket",
                "http_request_duration_seconds_count",
                "kafka_consumergroup_lag",
            ],
        },
        [],
    ),
}
"""What each real file of openslo/v1 says of a service that claims all its names, and how its faults begin."""

REFUSED = {
    "OpenSLO__go-sdk__pkg-openslo-v2alpha-examples-services.yaml": "draft of OpenSLO's next version",
    "OpenSLO__oslo__test-inputs-validate-invalid-apiversion.yaml": "apiVersion foo is not known here",
}
"""Real files in which nothing is of a format that is read."""

OTHER_FORMATS = {
    "pyrra-dev__pyrra__examples-nginx.yaml",
    "pyrra-dev__pyrra__examples-pyrra-connect-latency.yaml",
    "slok__sloth__examples-k8s-multifile.yaml",
    "slok__sloth__examples-openslo-kubernetes-apiserver.yaml",
}
"""See test_openslo_formats.py."""

EVERY_NAME = Target(REF, "x", {"openslo.com/service": "web,annotator,web-availability,example-service,users-auth"})


@pytest.mark.parametrize("name", CORPUS)
def test_each_real_document_is_understood(name):
    file = shared("corpus", "slo", name)
    expected, faults = CORPUS[name]
    batch = pull(file.parent, (EVERY_NAME,), paths=[name])
    assert values(batch) == expected
    assert len(batch.faults) == len(faults), messages(batch)
    for message, begin in zip(messages(batch), faults, strict=True):
        assert message.startswith(f"{name}, {begin}")


@pytest.mark.parametrize("name", REFUSED)
def test_each_document_of_another_format_is_named(name):
    file = shared("corpus", "slo", name)
    with pytest.raises(PullFailed, match=REFUSED[name]) as failure:
        pull(file.parent, (EVERY_NAME,), paths=[name])
    assert failure.value.kind is FailureKind.MISCONFIGURED
    assert name in failure.value.message


def test_the_whole_real_folder_is_read_at_once():
    folder = shared("corpus", "slo")
    assert {file.name for file in folder.glob("*.yaml")} == CORPUS.keys() | REFUSED.keys() | OTHER_FORMATS
    batch = pull(folder, (EVERY_NAME,))
    assert values(batch)["slo.count"] == 3, "three services' SLOs, the others come twice under one name"
    assert batch.unmatched == ["k8s-apiserver", "lastfm", "myservice", "myservice2", "pyrra", "users-login"]


def test_one_broken_document_does_not_sink_its_neighbours(tmp_path):
    good, other = yaml.safe_dump(slo()), yaml.safe_dump(slo("other", labels={"sli": "other"}))
    broken = [
        "a: [1",
        "- 7",
        "'text'",
        "key: 2026-13-45",
        "? [a]\n: b",
        "a: &x [*x]\nb: *nobody",
        "\t",
        "%YAML 9.9",
        "a: \x00",
    ]
    text = "\n---\n".join([good, *broken, other])
    (tmp_path / "slos.yaml").write_text(text)
    batch = pull(tmp_path)
    assert values(batch)["slo.names"] == ["availability", "other"]
    assert len({fault.scope for fault in batch.faults}) == 7, messages(batch)


def test_documents_may_be_ended_and_commented_like_any_yaml(tmp_path):
    parts = [
        "%YAML 1.1\n---",
        yaml.safe_dump(slo()),
        "...\n# a comment\n%YAML 1.1\n--- # the next one",
        yaml.safe_dump(slo("b")),
    ]
    (tmp_path / "slos.yaml").write_text("\ufeff" + "\n".join(parts) + "\n---\n")
    batch = pull(tmp_path)
    assert values(batch)["slo.count"] == 2
    assert batch.faults == []


@pytest.mark.parametrize(
    "value",
    [
        "!!bool maybe",
        "!!int ''",
        "!!float ''",
        "!!timestamp x",
        "!!python/object:os.system x",
        "!unknown x",
        "!!set [1]",
        "2026-13-45",
    ],
)
def test_a_value_that_its_tag_does_not_fit_is_a_fault(tmp_path, value):
    (tmp_path / "slos.yaml").write_text(f"a: {value}\n---\n{yaml.safe_dump(slo())}")
    batch = pull(tmp_path)
    assert values(batch)["slo.count"] == 1
    assert batch.faults[0].scope == "slos.yaml, document 0"


@pytest.mark.parametrize(
    "text",
    [
        "'[' * 300_000",
        "'- ' * 200_000",
        "'{a: ' * 100_000",
        "'x: &a0 [1]\\n' + ''.join(f'x{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\\n' for n in range(1, 40))",
        "'a: &a0 {k: 1}\\n' + ''.join(f'x{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\\n' for n in range(1, 40))",
        "'a' * 2_000_000",
    ],
)
def test_a_hostile_document_neither_ends_the_process_nor_fills_it(tmp_path, text):
    """In a process of its own with little memory: a stack that overflows cannot be caught."""
    code = f"""
        import resource
        from pathlib import Path
        from plugins.connectors.openslo.documents import load_paths
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        Path({str(tmp_path / "x.yaml")!r}).write_text({text} + "\\n---\\nkind: SLO\\n")
        loaded = load_paths(["x.yaml"], Path({str(tmp_path)!r}))
        assert len(loaded.faults) == 1, loaded.faults
        assert len(loaded.documents) == 1
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], timeout=60, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_ordinary_anchors_and_merges_work(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "apiVersion: openslo/v1\nkind: Service\nmetadata: &m {name: checkout}\nspec: {<<: *m}\n"
    )
    assert values(pull(tmp_path))["slo.count"] == 0


def test_folders_are_read_deeply_but_not_hidden_copies_or_links_that_lead_out(tmp_path):
    secret = tmp_path / "secret.yaml"
    secret.write_text(yaml.safe_dump(slo("secret")))
    root = tmp_path / "slos"
    for folder in ("a/b", "..2026_data"):
        (root / folder).mkdir(parents=True)
    written(root / "a/b", slo("deep"), name="x.yml")
    written(root / "..2026_data", slo("mounted"), name="m.yaml")
    (root / "..data").symlink_to("..2026_data")
    (root / "m.yaml").symlink_to("..data/m.yaml")
    (root / "out.yaml").symlink_to(secret)
    (root / "notes.txt").write_text("not yaml: [")
    batch = pull(tmp_path, paths=["slos"])
    assert values(batch)["slo.names"] == ["deep", "mounted"]
    assert messages(batch) == ["slos/out.yaml: is a link that leads out of the folder"]


def test_paths_may_be_absolute_and_a_missing_one_is_named(tmp_path):
    written(tmp_path, slo())
    batch = pull(Path("/nowhere"), paths=[str(tmp_path / "slos.yaml"), "missing"])
    assert values(batch)["slo.count"] == 1
    assert messages(batch) == ["missing: there is no such file or folder"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (8 * 1024 * 1024 + 1)])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    written(tmp_path, slo())
    (tmp_path / "bad.yaml").write_bytes(content)
    batch = pull(tmp_path)
    assert values(batch)["slo.count"] == 1
    assert [fault.scope for fault in batch.faults] == ["bad.yaml"]


def test_nothing_to_read_is_a_misconfiguration(tmp_path):
    with pytest.raises(PullFailed, match="holds no document of openslo/v1") as failure:
        pull(tmp_path)
    assert failure.value.kind is FailureKind.MISCONFIGURED
    with pytest.raises(PullFailed, match="no such file"):
        pull(tmp_path, paths=["missing"])


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


def test_check_says_what_was_read_and_what_is_wrong(tmp_path):
    sentence = CONNECTOR.check(context(written(tmp_path, slo(), slo(service="x")), options={"paths": ["."]}))
    assert sentence == "2 documents hold 2 SLOs, 1 of them of services in the catalog"
    written(tmp_path, slo(objectives=None))
    with_fault = CONNECTOR.check(context(tmp_path, options={"paths": ["."]}))
    assert "1 faults, the first: slos.yaml, document 0: SLO availability: spec.objectives is empty" in with_fault


@pytest.fixture
def stream_url() -> Iterator[tuple[str, list[bytes]]]:
    """An address that answers one body to every request."""
    body = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/slos.yaml", body
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stream_may_come_by_http(tmp_path, stream_url):
    url, body = stream_url
    body[0] = yaml.safe_dump_all([slo(), {"apiVersion": "foo"}]).encode()
    asked = context(tmp_path, url=url)
    (batch,) = CONNECTOR.pull(asked)
    assert values(batch)["slo.count"] == 1
    assert batch.faults[0].scope == f"{url}, document 1"
    assert asked.client.requests_made == 1


def test_a_web_page_instead_of_documents_is_a_failure(tmp_path, stream_url):
    url, body = stream_url
    body[0] = b"<!DOCTYPE html><html>Sign in</html>"
    with pytest.raises(PullFailed, match="holds no document of openslo/v1"):
        list(CONNECTOR.pull(context(tmp_path, url=url)))


def test_many_slos_and_services_are_joined_quickly(tmp_path):
    documents = [slo(f"availability-{n}", service=f"s{n}") for n in range(300)]
    (tmp_path / "all.yaml").write_text("\n---\n".join(yaml.dump(d, Dumper=yaml.CSafeDumper) for d in documents))
    targets = [Target(f"component:default/s{n}", f"s{n}") for n in range(5000)]
    batch = pull(tmp_path, targets)
    assert sum(1 for fact in batch.facts if fact.key == "slo.metrics") == 300
