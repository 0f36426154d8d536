"""portal.yaml: read once at start, checked whole, every fault named with its path.

Secrets stand in it only as references, `${NAME}` (the environment) or `file:PATH`; they are resolved at use.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema

from portal_backend.core import clock, config_file
from portal_backend.core.config_schema import SECRET_KEYS, ConfigSchema, is_secret_reference
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages

DEFAULT_FILE = "portal.yaml"


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
                secret = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise LookupError(f"the secret {self.reference} cannot be read: {error.strerror}") from error
            except UnicodeDecodeError:
                raise LookupError(f"the secret {self.reference} cannot be read: it is no text") from None
            if not secret:
                raise LookupError(f"the secret {self.reference} is empty")
            return secret
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
    public_url: str = ""
    """Where people reach the product, without a slash at its end; empty: not said, addresses begin at its root."""
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

    @property
    def local_address(self) -> str:
        """The server's address for whoever works on its machine, `http://localhost:7007`."""
        host = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::"} else self.host  # noqa: S104 (compared)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


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
    written = config_file.read(path) if path else {}
    faults = config_file.literal_secrets(written)
    expanded = config_file.expanded(config_file.overridden(written, environment), "", environment, faults)
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


def is_address_of_loopback(address: str) -> bool:
    """Say whether an address (`http://localhost:7007`, `//127.0.0.1`) leads to this machine only."""
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:  # no address at all
        return False


def default_path(environment: Mapping[str, str]) -> Path | None:
    """Return the file that holds where none is named: PORTAL_CONFIG, then ./portal.yaml if that exists."""
    named = environment.get("PORTAL_CONFIG")
    if named:
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


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
        public_url=server["public_url"].rstrip("/"),
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
