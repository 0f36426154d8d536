"""What is deployed beside the code: the image's recipe, compose.yaml and the configuration that it mounts."""

from pathlib import Path

import pytest
import yaml

from portal_backend.core.config import load_config
from portal_backend.settings import option_schemas

ROOT = Path(__file__).parents[1]


@pytest.fixture
def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_deployed_configuration_is_whole_and_asks_for_tokens():
    environment = {
        "PORTAL_DATABASE_URL": "postgresql://portal:secret@database/portal",
        "PORTAL_BROKER_URL": "redis://broker:6379/0",
        "PORTAL_HOST": "0.0.0.0",
        "PORTAL_DATA_DIR": "/data",
    }
    config = load_config(ROOT / "deploy" / "portal.yaml", option_schemas(), environment)
    assert config.service_tokens
    assert config.host == "0.0.0.0"


def test_compose_runs_web_worker_database_broker_and_prometheus(compose):
    assert set(compose["services"]) == {"migrate", "web", "worker", "database", "broker", "prometheus"}
    for name in ("web", "worker", "migrate"):
        assert compose["services"][name]["read_only"] is True
    assert "--beat" in compose["services"]["worker"]["command"]
    mounted = [volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", [])]
    missing = [path for path in mounted if path.startswith("./") and not (ROOT / path).exists()]
    assert missing == []


def test_the_image_has_two_stages_a_plain_user_and_a_health_check():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert sum(line.startswith("FROM") for line in lines) == 2
    assert any(line.startswith("USER portal") for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert any(line.startswith("VOLUME /data") for line in lines)
