"""A source supplies what it declares under its options, beside what every source of its kind does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from sqlalchemy.orm import Session

from plugins import settings, sources
from plugins.health import health
from portal_backend.app import create_app
from portal_backend.core.clock import now
from portal_backend.core.config import Config, load_config
from portal_backend.settings import option_schemas
from scorecards.evidence.causes import Supply, absence

QUEUE = {"key": "queue.oldest_seconds", "type": "number", "description": "Its oldest message."}
CONFIGURED: list[dict[str, Any]] = [
    {"name": "ci", "plugin": "push", "options": {"facts": [{**QUEUE, "key": "team.size"}]}},
    {"name": "code", "plugin": "github", "options": {"files": [{"fact": "repo.file.readme", "path": "README.md"}]}},
    {"name": "prod", "plugin": "prometheus", "options": {"facts": [{**QUEUE, "query": "max(queue_age)"}]}},
]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    listed = [{"url": "http://127.0.0.1:9/", **one} if one["plugin"] != "push" else one for one in CONFIGURED]
    (tmp_path / "portal.yaml").write_text(yaml.safe_dump({"data_dir": str(tmp_path), "sources": listed}))
    return load_config(tmp_path / "portal.yaml", option_schemas())


@pytest.fixture
def declaring(config: Config) -> Iterator[Flask]:
    app = create_app(config)
    with app.app_context():
        yield app


def test_a_source_supplies_what_it_declares(declaring: Flask, config: Config) -> None:
    assert settings.declared_by("code") == {"repo.file.readme"}
    assert settings.declared_by("prod") == {"queue.oldest_seconds"}
    assert settings.declared_by("ci") == settings.declared_by("gone") == frozenset()


def test_a_missing_fact_is_told_by_the_source_that_declares_it(
    session: Session, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "declared_by", {"prod": frozenset({"queue.oldest_seconds"})}.get)
    sources.sync_sources(session, [config.sources[2]])
    told = health(session, now())
    assert {"queue.oldest_seconds", "traffic.rps_now"} <= told["prod"].facts
    cause = absence(Supply({}, told), "queue.oldest_seconds", ())
    assert "The source prod has not finished a run yet" in cause.sentence
