"""`python -m examples.simulated`, as a process."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "examples.simulated"]


def test_it_serves_on_loopback_says_where_and_ends_when_told():
    ports = ["--prometheus-port", "0", "--argocd-port", "0", "--grafana-port", "0"]
    with subprocess.Popen([*COMMAND, *ports], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            urls = [re.search(r"http://127\.0\.0\.1:\d+", line).group() for line in lines]
            for url, path in zip(urls, ("/-/ready", "/api/version", "/api/health"), strict=True):
                with urllib.request.urlopen(url + path, timeout=10) as answer:
                    assert answer.status == 200
                    assert answer.headers["X-Simulated"] == "true"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "Give at least one"), (["--prometheus-port", "99999"], "99999 is not in the range")],
)
def test_wrong_use_is_told(arguments, says):
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert done.returncode == 2
    assert says in done.stderr


def test_a_faulty_file_is_named_instead_of_a_traceback(tmp_path):
    (tmp_path / "telemetry.yaml").write_text("scrape_interval_seconds: 60\nservices: {globe: {trafic: 1}}\n")
    done = subprocess.run(
        [*COMMAND, "--prometheus-port", "0", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 1
    assert "telemetry of globe" in done.stderr
    assert "Traceback" not in done.stderr
