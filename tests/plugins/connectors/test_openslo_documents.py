"""Files, folders and streams of documents: real ones of OpenSLO, Nobl9, Sloth and Pyrra, broken and hostile ones."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.connectors.openslo import CONNECTOR
from plugins.contract import FailureKind, PullFailed, Target
from tests.conftest import shared
from tests.plugins.connectors.openslo_files import (
    REF,
    context,
    messages,
    pull,
    slo,
    values,
    written,
)

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
    with pytest.raises(PullFailed, match="holds no YAML file") as failure:
        pull(tmp_path)
    assert failure.value.kind is FailureKind.MISCONFIGURED
    with pytest.raises(PullFailed, match="^missing: there is no such file or folder$"):
        pull(tmp_path, paths=["missing"])
    (tmp_path / "values.yaml").write_text("replicas: 3")
    with pytest.raises(PullFailed, match="holds no document of openslo/v1"):
        pull(tmp_path)


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
