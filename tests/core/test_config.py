"""portal.yaml: every fault at once, secrets by reference, nothing unsafe."""

from pathlib import Path

import pytest
from marshmallow import Schema, fields

from portal_backend.core.config import Config, Secret, load_config
from portal_backend.core.errors import InvalidInput


class Options(Schema):
    limit = fields.Integer()


SCHEMAS = {"prometheus": Options}


def write(folder: Path, text: str) -> Path:
    path = folder / "portal.yaml"
    path.write_text(text)
    return path


def faults_of(path: Path, environment: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        load_config(path, SCHEMAS, environment or {})
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_empty_file_gives_the_defaults(tmp_path):
    config = load_config(write(tmp_path, ""), SCHEMAS, {})
    assert (config.host, config.port, config.service_tokens) == ("127.0.0.1", 7007, False)
    assert config.database_url == f"sqlite:///{tmp_path}/data/portal.db"


def test_every_fault_is_named_with_its_path_in_one_run(tmp_path):
    path = write(
        tmp_path,
        """
server: {host: 0.0.0.0, prot: 3, workers: x}
database: {url: 'postgresql://u:secret@h/db'}
sources:
  - {name: A b, plugin: prom, url: 'ftp://x', auth: {token: abc}, every: 5}
  - {name: x, plugin: prometheus, url: 'http://${NOPE}/', options: {limit: many, other: 1}}
  - {name: x, plugin: prometheus, auth: {token: '${MISSING}'}}
  - {name: catalog}
  - 5
catalog: {locations: [{type: ftp}]}
unknown: 1
""",
    )
    assert set(faults_of(path)) == {
        "server.host", "server.prot", "server.workers", "database.url",
        "sources[0].name", "sources[0].plugin", "sources[0].url", "sources[0].auth.token", "sources[0].every",
        "sources[1].url", "sources[1].options.limit", "sources[1].options.other",
        "sources[2].name", "sources[2].auth.token", "sources[3].plugin", "sources[3].name", "sources[4]",
        "catalog.locations[0].type", "catalog.locations[0].target", "unknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [("a: [", "YAML"), ("- 1", "mapping"), ("server: {}\nserver: {}", "twice"), ("a: &x [*x]", "YAML"), ("\0", "YAML")],
)
def test_what_is_no_configuration_is_refused_with_the_reason(tmp_path, text, word):
    with pytest.raises(InvalidInput, match=word):
        load_config(write(tmp_path, text), SCHEMAS, {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml", SCHEMAS, {})


def test_variables_are_filled_in_but_secrets_stay_references(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "hush")
    path = write(
        tmp_path,
        "sources: [{name: p, plugin: prometheus, url: 'http://${HOST}:9090', auth: {token: '${TOKEN}'}}]",
    )
    config = load_config(path, SCHEMAS, {"HOST": "metrics", "TOKEN": "hush"})
    source = config.sources[0]
    assert source.url == "http://metrics:9090"
    assert source.auth.token is not None
    assert source.auth.token.reveal() == "hush"
    assert "hush" not in repr(config)


def test_a_variable_may_have_a_default(tmp_path):
    path = write(tmp_path, "sources: [{name: p, plugin: prometheus, url: 'http://${HOST:-localhost}:9090'}]")
    assert load_config(path, SCHEMAS, {}).sources[0].url == "http://localhost:9090"
    assert load_config(path, SCHEMAS, {"HOST": "metrics"}).sources[0].url == "http://metrics:9090"


def test_a_secret_file_is_read_at_use(tmp_path):
    (tmp_path / "token").write_text("hush\n")
    assert Secret("file:token", tmp_path).reveal() == "hush"
    with pytest.raises(LookupError, match="file:gone"):
        Secret("file:gone", tmp_path).reveal()
    for content, words in ((b"\n", "is empty"), (b"\xff\xfe", "is no text")):
        (tmp_path / "odd").write_bytes(content)
        with pytest.raises(LookupError, match=words):
            Secret("file:odd", tmp_path).reveal()


def test_a_literal_secret_is_refused_without_echoing_it(tmp_path):
    path = write(tmp_path, "sources: [{name: p, plugin: prometheus, auth: {token: s3cr3t}}]")
    faults = faults_of(path)
    assert "${NAME}" in faults["sources[0].auth.token"]
    assert "s3cr3t" not in str(faults)


@pytest.mark.parametrize(
    "auth", ["{username: u}", "{token: '${T}', username: u, password: '${T}'}", "{header: X-Key}", "{value: '${T}'}"]
)
def test_half_or_double_credentials_are_refused(tmp_path, auth):
    path = write(tmp_path, f"sources: [{{name: p, plugin: prometheus, auth: {auth}}}]")
    assert "sources[0].auth" in faults_of(path)


def test_environment_variables_override_keys(tmp_path):
    environment = {
        "PORTAL_PORT": "8001",
        "PORTAL_DATABASE_URL": "postgresql://u@h/d",
        "PORTAL_BROKER_URL": "redis://h:6379/0",
        "PORTAL_DATA_DIR": str(tmp_path / "elsewhere"),
    }
    config = load_config(write(tmp_path, "server: {port: 9}"), SCHEMAS, environment)
    assert config.port == 8001
    assert config.database_url == "postgresql://u@h/d"
    assert config.broker_url == "redis://h:6379/0"
    assert config.data_dir == tmp_path / "elsewhere"


def test_without_authentication_the_server_stays_on_loopback(tmp_path):
    assert "authentication.service_tokens" in faults_of(write(tmp_path, "server: {host: 0.0.0.0}"))["server.host"]
    opened = write(tmp_path, "server: {host: 0.0.0.0}\nauthentication: {service_tokens: true}")
    assert load_config(opened, SCHEMAS, {}).host == "0.0.0.0"
    assert load_config(write(tmp_path, "server: {host: '::1'}"), SCHEMAS, {}).host == "::1"


def test_a_set_clock_is_refused_with_real_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("PORTAL_CLOCK", "2026-01-01T00:00:00Z")
    real = "sources: [{name: p, plugin: prometheus}]"
    assert "PORTAL_CLOCK" in faults_of(write(tmp_path, real))
    simulated = "sources: [{name: p, plugin: prometheus, simulated: true}]"
    assert isinstance(load_config(write(tmp_path, simulated), SCHEMAS, {}), Config)
