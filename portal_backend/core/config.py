"""portal.yaml: read once at start, checked whole, every fault named with its path.

Secrets stand in it only as references, `${NAME}` (the environment) or `file:PATH`; they are resolved at use.
"""

import json
import os
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema

from portal_backend.core import clock
from portal_backend.core.config_schema import SECRET_KEYS, ConfigSchema, is_secret_reference
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages

DEFAULT_FILE = "portal.yaml"
MAX_FILE_BYTES = 1024 * 1024
OVERRIDES = {
    "PORTAL_DATABASE_URL": ("database", "url"),
    "PORTAL_BROKER_URL": ("broker", "url"),
    "PORTAL_DATA_DIR": ("data_dir",),
    "PORTAL_HOST": ("server", "host"),
    "PORTAL_PORT": ("server", "port"),
}
"""Environment variables that take the place of a key."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
"""`${NAME}`, or `${NAME:-what holds where it is not set}`."""


@dataclass(frozen=True)
class Secret:
    """A reference to a secret, `${NAME}` or `file:PATH`. Resolved at use, never printed."""

    reference: str
    base_dir: Path = Path()

    def reveal(self) -> str:
        """Return the secret itself; raises LookupError that names the reference when it cannot be had."""
        if self.reference.startswith("file:"):
            path = self.base_dir / self.reference.removeprefix("file:")
            try:
                return path.read_text().strip()
            except OSError as error:
                raise LookupError(f"the secret {self.reference} cannot be read: {error.strerror}") from error
        name = self.reference[2:-1]
        value = os.environ.get(name)
        if not value:
            raise LookupError(f"the environment variable {name} is not set")
        return value


@dataclass(frozen=True)
class SourceAuth:
    """Credentials of a source: a bearer token, a user with a password, or a header of the system's own."""

    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    header: str | None = None
    value: Secret | None = None


@dataclass(frozen=True)
class SourceConfig:
    """One configured source: an instance of a monitoring or deploy system."""

    name: str
    plugin: str
    url: str = ""
    auth: SourceAuth = SourceAuth()
    every: timedelta = timedelta(minutes=5)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Loaded by the connector's options schema."""
    simulated: bool = False
    """Not a real system; wherever its data shows, so does the word."""


@dataclass(frozen=True)
class LocationConfig:
    """A catalog location that is registered at every start."""

    type: str
    target: str
    rules: tuple[Any, ...] | None = None
    """Which kinds it may hold, as written; None: all."""


@dataclass(frozen=True)
class Config:
    """The whole configuration, checked."""

    database_url: str = "sqlite:///data/portal.db"
    broker_url: str = "filesystem://"
    data_dir: Path = Path("data")
    base_dir: Path = Path()
    """The folder of portal.yaml, where its relative paths start."""
    host: str = "127.0.0.1"
    port: int = 7007
    web_workers: int = 2
    web_threads: int = 4
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages that may call the API from a browser."""
    service_tokens: bool = False
    """Whether requests must carry a service token; without any authentication everyone is a local administrator."""
    locations: tuple[LocationConfig, ...] = ()
    catalog_every: timedelta = timedelta(minutes=10)
    catalog: Mapping[str, Any] = field(default_factory=dict)
    """What else stands below `catalog:`, as it is written; loaded by `portal_backend.settings` like the parts below."""
    sources: tuple[SourceConfig, ...] = ()
    service_types: tuple[str, ...] = ("service",)
    """The `spec.type` values (lower case) of the Components that count as services."""
    check_paths: tuple[Path, ...] = ()
    """Check files of the organisation beside the default catalogue."""
    outage_grace: timedelta = timedelta(hours=72)
    """For how long a level stays while a source that it rests on is dark."""
    webhooks: Mapping[str, Any] = field(default_factory=dict)
    triage: Mapping[str, Any] = field(default_factory=dict)
    capacity: Mapping[str, Any] = field(default_factory=dict)
    lifecycle: Mapping[str, Any] = field(default_factory=dict)
    reviews: Mapping[str, Any] = field(default_factory=dict)
    incident_view: Mapping[str, Any] = field(default_factory=dict)
    exceptions: Mapping[str, Any] = field(default_factory=dict)
    retention: Mapping[str, Any] = field(default_factory=dict)
    collecting: Mapping[str, Any] = field(default_factory=dict)
    """Settings of these parts as they are written; `portal_backend.settings` loads them by the parts' own schemas."""
    support_import: Path | None = None
    """A file of support tiers that held before this product came; imported at start, safe to repeat."""


def load_config(
    path: Path | None = None,
    option_schemas: Mapping[str, type[Schema]] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Read and check the configuration; raises InvalidInput that names every fault at once.

    `path` defaults to PORTAL_CONFIG, then to ./portal.yaml if that exists, then to the defaults alone.
    `option_schemas` holds the options schema of each connector by name; None leaves plugins and options unchecked.
    """
    path = path or default_path(environment)
    base_dir = path.parent.resolve() if path else Path.cwd()
    written = _read(path) if path else {}
    faults = _literal_secrets(written)
    expanded = _expand(_override(written, environment), "", environment, faults)
    faults += flatten_messages(ConfigSchema().validate(expanded))
    if option_schemas is not None:
        faults += _check_plugins(expanded, option_schemas)
    faults += _unsafe(expanded) + _missing_secrets(expanded, base_dir)
    if faults:
        where = str(path) if path else "the configuration"
        raise InvalidInput(f"{where} has {len(faults)} fault{'s' * (len(faults) > 1)}", faults)
    return _build(expanded, base_dir, option_schemas or {})


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def default_path(environment: Mapping[str, str]) -> Path | None:
    """Return the file that holds where none is named: PORTAL_CONFIG, then ./portal.yaml if that exists."""
    named = environment.get("PORTAL_CONFIG")
    if named:
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error instead of a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key!r} stands twice (line {line}); keep one of them")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES} bytes; that is no portal.yaml")
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
        json.dumps(content, default=str, skipkeys=True)  # refuses a value that holds itself
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} must hold a mapping of keys such as `server:` and `sources:`")
    return content


def _override(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Put the values of environment variables in the place of their keys."""
    result = dict(raw)
    for variable, keys in OVERRIDES.items():
        value = environment.get(variable)
        if not value:
            continue
        if len(keys) == 1:
            result[keys[0]] = str(Path(value).resolve()) if variable == "PORTAL_DATA_DIR" else value
            continue
        section = result.get(keys[0])
        result[keys[0]] = {**(section if isinstance(section, dict) else {}), keys[1]: value}
    return result


def _expand(value: Any, path: str, environment: Mapping[str, str], faults: list[Fault]) -> Any:
    """Replace `${NAME}` in every string but the secrets, which stay references."""
    if isinstance(value, dict):
        return {key: _expand(inner, f"{path}.{key}" if path else str(key), environment, faults)
                for key, inner in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_expand(inner, f"{path}[{index}]", environment, faults) for index, inner in enumerate(value)]
    if not isinstance(value, str) or path.rpartition(".")[2] in SECRET_KEYS:
        return value

    def replace(match: re.Match[str]) -> str:
        found = environment.get(match[1]) or match[2]
        if found is None:
            faults.append(Fault(path, f"the environment variable {match[1]} is not set"))
        return found or ""

    return _VARIABLE.sub(replace, value)


def _literal_secrets(value: Any, path: str = "") -> list[Fault]:
    """Find passwords written into URLs. (The schema finds literal secrets in the keys that are meant for them.)"""
    if isinstance(value, dict):
        return [f for key, inner in value.items() for f in _literal_secrets(inner, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [f for index, inner in enumerate(value) for f in _literal_secrets(inner, f"{path}[{index}]")]
    written = re.match(r"[a-z+]+://[^/@:]*:([^/@]+)@", value) if isinstance(value, str) else None
    if written and not _VARIABLE.search(written[1]):
        return [Fault(path, "holds a password; write ${NAME} in its place and set that environment variable")]
    return []


def _check_plugins(raw: Mapping[str, Any], option_schemas: Mapping[str, type[Schema]]) -> list[Fault]:
    """Check each source's plugin and the options by that plugin's own schema."""
    faults: list[Fault] = []
    for index, source in _sources(raw):
        plugin = source.get("plugin")
        if not isinstance(plugin, str):
            continue
        if plugin not in option_schemas:
            known = ", ".join(sorted(option_schemas))
            faults.append(Fault(f"sources[{index}].plugin", f"no connector is named {plugin!r}; there are: {known}"))
            continue
        messages = option_schemas[plugin]().validate(_section(source, "options"))
        faults += flatten_messages(messages, f"sources[{index}].options")
    return faults


def _build(raw: Mapping[str, Any], base_dir: Path, option_schemas: Mapping[str, type[Schema]]) -> Config:
    loaded: dict[str, Any] = dict(ConfigSchema().load(raw))
    server, catalog, scorecards = loaded["server"], loaded["catalog"], loaded["scorecards"]
    data_dir = (base_dir / loaded["data_dir"]).resolve()
    imported = loaded["engagements"]["support_import"]
    return Config(
        database_url=loaded["database"]["url"] or f"sqlite:///{data_dir / 'portal.db'}",
        broker_url=loaded["broker"]["url"],
        data_dir=data_dir,
        base_dir=base_dir,
        host=server["host"],
        port=server["port"],
        web_workers=server["workers"],
        web_threads=server["threads"],
        cors_origins=tuple(server["cors_origins"]),
        service_tokens=loaded["authentication"]["service_tokens"],
        locations=tuple(_location(entry, base_dir) for entry in catalog["locations"]),
        catalog_every=catalog["every"],
        catalog={key: value for key, value in catalog.items() if key not in {"locations", "every"}},
        sources=tuple(_source(entry, base_dir, option_schemas) for entry in loaded["sources"]),
        service_types=tuple(kind.lower() for kind in loaded["services"]["types"]),
        check_paths=tuple(base_dir / path for path in scorecards["checks"]),
        outage_grace=scorecards["grace"],
        webhooks=scorecards["webhooks"],
        triage=loaded["engagements"]["triage"],
        capacity=loaded["engagements"]["capacity"],
        lifecycle=loaded["engagements"]["lifecycle"],
        reviews=loaded["engagements"]["reviews"],
        incident_view=loaded["engagements"]["incident_view"],
        exceptions=scorecards["exceptions"],
        retention=loaded["retention"],
        collecting=loaded["collecting"],
        support_import=base_dir / imported if imported else None,
    )


def _location(entry: Mapping[str, Any], base_dir: Path) -> LocationConfig:
    target = str((base_dir / entry["target"]).resolve()) if entry["type"] == "file" else entry["target"]
    return LocationConfig(entry["type"], target, None if entry["rules"] is None else tuple(entry["rules"]))


def _source(entry: Mapping[str, Any], base_dir: Path, option_schemas: Mapping[str, type[Schema]]) -> SourceConfig:
    given = entry["auth"]
    secrets = {key: Secret(given[key], base_dir) for key in SECRET_KEYS if key in given}
    schema = option_schemas.get(entry["plugin"])
    options: Any = schema().load(entry["options"]) if schema else entry["options"]
    return SourceConfig(
        name=entry["name"],
        plugin=entry["plugin"],
        url=entry["url"],
        auth=SourceAuth(username=given.get("username"), header=given.get("header"), **secrets),
        every=entry["every"],
        options=options,
        simulated=entry["simulated"],
    )


def _unsafe(raw: Mapping[str, Any]) -> list[Fault]:
    """Refuse what would open an unguarded server to others, or a set clock to real data."""
    faults = []
    host = _section(raw, "server").get("host", Config.host)
    local = not isinstance(host, str) or is_loopback(host)  # another type is a fault of its own
    if not local and _section(raw, "authentication").get("service_tokens") is not True:
        message = f"{host} can be reached by others, and no authentication is configured; "
        message += "set authentication.service_tokens: true, or listen on 127.0.0.1"
        faults.append(Fault("server.host", message))
    if clock.is_fixed() and (not local or any(source.get("simulated") is not True for _, source in _sources(raw))):
        message = "sets the clock, which only a loopback server with simulated sources may have; unset it"
        faults.append(Fault(clock.VARIABLE, message))
    return faults


def _missing_secrets(raw: Mapping[str, Any], base_dir: Path) -> list[Fault]:
    """Find references that lead nowhere now: better at start than at the first pull."""
    faults = []
    for index, source in _sources(raw):
        for key, reference in _section(source, "auth").items():
            if key not in SECRET_KEYS or not isinstance(reference, str) or not is_secret_reference(reference):
                continue
            try:
                Secret(reference, base_dir).reveal()
            except LookupError as error:
                faults.append(Fault(f"sources[{index}].auth.{key}", str(error.args[0])))
    return faults


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _sources(raw: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the entries of `sources:` that are mappings, with their index; what else stands there is a fault."""
    sources = raw.get("sources")
    entries = enumerate(sources) if isinstance(sources, list) else ()
    return [(index, source) for index, source in entries if isinstance(source, dict)]
