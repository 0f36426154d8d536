"""A real Prometheus for the tests, with a history that was written before it started.

The history comes as OpenMetrics text and becomes blocks by `promtool tsdb create-blocks-from openmetrics`.
"""

import contextlib
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tests.servers import free_port, require, running

HOUR = 3600
DAY = 24 * HOUR


def series(name: str, labels: Mapping[str, str], times: Iterable[int], value: Callable[[int], float]) -> Iterator[str]:
    """Yield a series as OpenMetrics lines: its value at each time (Unix seconds, ascending)."""
    written = ",".join(f'{label}="{text}"' for label, text in labels.items())
    for moment in times:
        yield f"{name}{{{written}}} {value(moment):.10g} {moment}\n"


def counter(per_second: float, start: int) -> Callable[[int], float]:
    """Return the values of a counter that grows evenly from `start` on."""
    return lambda moment: per_second * (moment - start)


@contextlib.contextmanager
def prometheus(history: Iterable[str] = (), rules: str = "", flags: Iterable[str] = ()) -> Iterator[str]:
    """Run a Prometheus that scrapes nothing; yield its URL.

    `history` are OpenMetrics lines; `rules` is the text of a rule file, whose rules are loaded but evaluated only once
    an hour.
    """
    program, promtool, port = require("prometheus"), require("promtool"), free_port()
    with tempfile.TemporaryDirectory(prefix="portal-prometheus-") as name:
        folder = Path(name)
        _backfill(promtool, history, folder)
        (folder / "rules.yml").write_text(rules or "groups: []\n")
        (folder / "prometheus.yml").write_text(
            "global: {evaluation_interval: 1h, scrape_interval: 1h}\nrule_files: [rules.yml]\n"
        )
        command = [
            program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            "--storage.tsdb.retention.time=400d", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", *flags,
        ]  # fmt: skip
        with running(command, port):
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url)
            yield url


def _backfill(promtool: str, history: Iterable[str], folder: Path) -> None:
    text = folder / "history.om"
    with text.open("w") as file:
        empty = True
        for line in history:
            file.write(line)
            empty = False
        file.write("# EOF\n")
    (folder / "data").mkdir()
    if empty:
        return
    subprocess.run(
        [
            promtool, "tsdb", "create-blocks-from", "--max-block-duration=768h", "openmetrics", str(text),
            str(folder / "data"),
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} does not become ready")
