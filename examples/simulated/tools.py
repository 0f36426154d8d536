"""What the company's other tools would post, and somebody who posts it: CI, on-call, incidents, drills, load tests."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml

from portal_backend.core import clock
from portal_backend.core.config_schema import UNITS

SOURCE = "company-tools"
AGO = " ago"
AGAIN_SECONDS = 600.0
RETRY_SECONDS = 2.0
READY_SERVICE = "/api/services/component/default/globe-frontend"
TIMEOUT_SECONDS = 30.0


def read(path: Path) -> dict[str, Any]:
    """Return the file's content; raises ValueError when a service names a key that is none of ours."""
    written: dict[str, Any] = yaml.safe_load(path.read_text())
    for name, own in written["services"].items():
        wrong = [key for key in own if "." not in key and key not in ("only", "attested")]
        if wrong:
            raise ValueError(f"{path.name}: services.{name}.{wrong[0]} is neither a fact, `only` nor `attested`")
    return written


def facts(written: Mapping[str, Any], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield every fact as it is posted."""
    for name, own in written["services"].items():
        only = own.get("only")
        values = {key: value for key, value in written["kept"].items() if only is None or key in only}
        values |= {key: value for key, value in own.items() if "." in key}
        for key, value in values.items():
            if value is not None:
                yield {"ref": _ref(name), "key": key, "value": _value(value, now)}


def attestations(written: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a person vouches for: the service's name, and what is posted."""
    for name, own in written["services"].items():
        for check, statement in own.get("attested", written["attested"]).items():
            evidence = f"https://reviews.shakespeare.example/{name}/{check}"
            yield name, {"check": check, "holds": True, "statement": statement, "evidence_url": evidence}


def post_for_good(portal: str, path: Path, ended: threading.Event) -> None:
    """Post everything again and again until the event is set; a portal that is not there yet is waited for."""
    vouched = played = False
    while not ended.is_set():
        written = read(path)
        done = _post(portal, f"/api/plugins/sources/{SOURCE}/push", {"facts": [*facts(written, clock.now())]})
        if done and not vouched:
            vouched = all(
                _post(portal, f"/api/services/component/default/{name}/attestations", body)
                for name, body in attestations(written)
            )
        if vouched and not played and _is_judged(portal):
            subprocess.run([sys.executable, "-m", "examples.year"], check=False)
            played = True
        ended.wait(AGAIN_SECONDS if done and played else RETRY_SECONDS)


def _is_judged(portal: str) -> bool:
    """Say whether every source has been read: what the year tells of takes a service that is ready."""
    try:
        answer = requests.get(f"{portal}{READY_SERVICE}", timeout=TIMEOUT_SECONDS)
        return answer.status_code == 200 and answer.json()["level"] in ("L3", "L4")
    except requests.RequestException:
        return False


def _post(portal: str, path: str, body: Mapping[str, Any]) -> bool:
    try:
        return requests.post(f"{portal}{path}", json=body, timeout=TIMEOUT_SECONDS).status_code < 300
    except requests.RequestException:
        return False


def _ref(name: str) -> str:
    return f"component:default/{name}"


def _value(value: Any, now: datetime) -> Any:
    if not isinstance(value, str) or not value.endswith(AGO):
        return value
    age = value.removesuffix(AGO)
    return clock.format_time(now - timedelta(seconds=int(age[:-1]) * UNITS[age[-1]]))
