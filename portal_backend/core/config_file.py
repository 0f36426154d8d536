"""portal.yaml as it is written: read, and filled from the environment. What it means is told in `core.config`."""

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from portal_backend.core.config_schema import SECRET_KEYS
from portal_backend.core.errors import Fault, InvalidInput

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


def read(path: Path) -> dict[str, Any]:
    """Return what the file holds; raises InvalidInput when it cannot be read, or is no mapping."""
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


def overridden(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys with the values of the environment variables that take their place."""
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


def expanded(value: Any, path: str, environment: Mapping[str, str], faults: list[Fault]) -> Any:
    """Return the value with `${NAME}` replaced in every string but the secrets, which stay references.

    A variable that is not set becomes a fault.
    """
    if isinstance(value, dict):
        return {
            key: expanded(inner, f"{path}.{key}" if path else str(key), environment, faults)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [expanded(inner, f"{path}[{index}]", environment, faults) for index, inner in enumerate(value)]
    if not isinstance(value, str) or path.rpartition(".")[2] in SECRET_KEYS:
        return value

    def replace(match: re.Match[str]) -> str:
        found = environment.get(match[1]) or match[2]
        if found is None:
            faults.append(Fault(path, f"the environment variable {match[1]} is not set"))
        return found or ""

    return _VARIABLE.sub(replace, value)


def literal_secrets(value: Any, path: str = "") -> list[Fault]:
    """Find passwords written into URLs. (The schema finds literal secrets in the keys that are meant for them.)"""
    if isinstance(value, dict):
        return [
            f for key, inner in value.items() for f in literal_secrets(inner, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list):
        return [f for index, inner in enumerate(value) for f in literal_secrets(inner, f"{path}[{index}]")]
    written = re.match(r"[a-z+]+://[^/@:]*:([^/@]+)@", value) if isinstance(value, str) else None
    if written and not _VARIABLE.search(written[1]):
        return [Fault(path, "holds a password; write ${NAME} in its place and set that environment variable")]
    return []
