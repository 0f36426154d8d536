"""From `catalog:` in portal.yaml to the settings: every fault named, secrets revealed, paths made absolute."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from catalog.format.custom_kinds import CustomKind, CustomRelation, check_custom_kinds
from catalog.ingestion.reading import FILE
from catalog.places.files import FilePolicy, fixed_part
from catalog.places.hosts import AllowedHost, Proxy
from catalog.places.proxies import make_proxy
from catalog.places.rules import DEFAULT_RULE, AllowedKind, Rule, RuleLocation, Rules
from catalog.places.scm import WELL_KNOWN, Integration, Scm
from catalog.settings import CatalogSettings, Include, Provider, url_policy
from catalog.settings_schemas import CatalogSettingsSchema, OwnRuleSchema
from portal_backend.core.config import LocationConfig, Secret
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages


def load_settings(
    written: Mapping[str, Any], locations: Sequence[LocationConfig], every: timedelta, base_dir: Path
) -> CatalogSettings:
    """Return the settings; raises InvalidInput that names every fault with its path.

    `written` is `catalog:` without `locations` and `every`; relative roots and secrets start at `base_dir`.
    """
    faults = flatten_messages(CatalogSettingsSchema().validate(written), "catalog")
    own = _own_rules(locations, faults)
    if faults:
        raise InvalidInput("portal.yaml has faults below catalog.", faults)
    loaded: dict[str, Any] = dict(CatalogSettingsSchema().load(written))
    integrations = _integrations(loaded["integrations"], base_dir, faults)
    providers = _providers(loaded["providers"], integrations, faults)
    allow = loaded["reading"]["allow"]
    hosts = None if allow is None else tuple(AllowedHost(one["host"], tuple(one["paths"])) for one in allow)
    kinds = _kinds(loaded["kinds"], faults)
    files = _files(loaded["reading"]["roots"], loaded["registration"]["types"], locations, base_dir, faults)
    proxy = _proxy(loaded["reading"], faults)
    if faults:
        raise InvalidInput("portal.yaml has faults below catalog.", faults)
    types = frozenset(loaded["registration"]["types"])
    return CatalogSettings(
        urls=url_policy(hosts, integrations, proxy),
        files=files,
        integrations=integrations,
        registration_types=types,
        rules=Rules(_rules(loaded["rules"]), own),
        kinds=kinds,
        providers=providers,
        refresh_every=every,
        jitter=loaded["jitter"],
        orphan_grace=loaded["orphan_grace"],
        removal_share=loaded["removal_share"],
    )


def load_kinds(written: Any) -> tuple[CustomKind, ...]:
    """Return the kinds of `catalog.kinds` alone; raises InvalidInput that names every fault with its path."""
    schema = CatalogSettingsSchema(only=("kinds",))
    faults = flatten_messages(schema.validate({"kinds": written}), "catalog")
    kinds = () if faults else _kinds(dict(schema.load({"kinds": written}))["kinds"], faults)
    if faults:
        raise InvalidInput("portal.yaml has faults below catalog.kinds.", faults)
    return kinds


def _own_rules(
    locations: Sequence[LocationConfig], faults: list[Fault]
) -> dict[tuple[str, str], tuple[AllowedKind, ...] | None]:
    own: dict[tuple[str, str], tuple[AllowedKind, ...] | None] = {}
    for index, location in enumerate(locations):
        if location.rules is None:
            own[location.type, location.target] = None
            continue
        allowed: list[AllowedKind] = []
        for number, rule in enumerate(location.rules):
            try:
                allowed += dict(OwnRuleSchema().load(rule))["allow"]
            except ValidationError as error:
                faults += flatten_messages(error.messages, f"catalog.locations[{index}].rules[{number}]")
        own[location.type, location.target] = tuple(allowed)
    return own


def _rules(written: Sequence[Mapping[str, Any]] | None) -> tuple[Rule, ...]:
    if written is None:
        return (DEFAULT_RULE,)
    return tuple(
        Rule(
            tuple(rule["allow"]),
            tuple(RuleLocation(**one) for one in rule["locations"]) if "locations" in rule else None,
        )
        for rule in written
    )


def _integrations(written: Mapping[str, Any], base_dir: Path, faults: list[Fault]) -> tuple[Integration, ...]:
    """Return the configured hosts, and the two that everybody knows where they are not among them."""
    found: dict[str, Integration] = {}
    for scm in Scm:
        for index, entry in enumerate(written[scm.value]):
            path, host = f"catalog.integrations.{scm.value}[{index}]", entry["host"].lower()
            if host in found:
                faults.append(Fault(f"{path}.host", f"{host} is configured twice; keep one of them"))
            try:
                token = Secret(entry["token"], base_dir).reveal() if "token" in entry else None
            except LookupError as error:
                faults.append(Fault(f"{path}.token", str(error.args[0])))
                token = None
            found[host] = Integration(scm, host, _api_url(scm, host, entry.get("api_url")), token)
    return (*found.values(), *(one for one in WELL_KNOWN if one.host not in found))


def _api_url(scm: Scm, host: str, written: str | None) -> str:
    if written:
        return written.rstrip("/")
    usual = next((one.api_url for one in WELL_KNOWN if one.host == host), None)
    return usual or f"https://{host}/api/{'v3' if scm is Scm.GITHUB else 'v4'}"


def _providers(
    written: Mapping[str, Any], integrations: Sequence[Integration], faults: list[Fault]
) -> tuple[Provider, ...]:
    found: dict[str, Provider] = {}
    for scm in Scm:
        for index, entry in enumerate(written[scm.value]):
            path = f"catalog.providers.{scm.value}[{index}]"
            host = (entry["host"] or f"{scm.value}.com").lower()
            integration = next((one for one in integrations if one.host == host and one.scm is scm), None)
            if integration is None:
                faults.append(Fault(f"{path}.host", f"{host} is not configured under catalog.integrations.{scm.value}"))
                continue
            if entry["name"] in found:
                faults.append(Fault(f"{path}.name", "is the name of another provider; names are unique"))
            include = {
                **entry["include"],
                "topics": frozenset(map(str.lower, entry["include"]["topics"])),
                "without_topics": frozenset(map(str.lower, entry["include"]["without_topics"])),
            }
            found[entry["name"]] = Provider(
                entry["name"], integration, entry["owner"].strip("/"), Include(**include), entry["every"]
            )
    return tuple(found.values())


def _proxy(reading: Mapping[str, Any], faults: list[Fault]) -> Proxy | None:
    try:
        return make_proxy(reading["proxy"], reading["no_proxy"], os.environ)
    except ValueError as error:
        faults.append(Fault("catalog.reading.proxy", str(error)))
        return None


def _files(
    written: Sequence[str] | None,
    registration: Sequence[str],
    locations: Sequence[LocationConfig],
    base_dir: Path,
    faults: list[Fault],
) -> FilePolicy:
    """Return which files may be read: below the roots, where there are any, and what portal.yaml itself names."""
    if written is None:
        if FILE in registration:
            message = "is missing: where files may be registered by HTTP, the folders that may be read must be named"
            faults.append(Fault("catalog.reading.roots", message))
        return FilePolicy()
    named = [fixed_part(location.target) for location in locations if location.type == FILE]
    return FilePolicy((*(os.path.abspath(base_dir / root) for root in written), *named))


def _kinds(written: Sequence[Mapping[str, Any]], faults: list[Fault]) -> tuple[CustomKind, ...]:
    kinds = tuple(_kind(one) for one in written)
    faults += [Fault(f"catalog.kinds{fault.path}", fault.message) for fault in check_custom_kinds(kinds)]
    return kinds


def _kind(written: Mapping[str, Any]) -> CustomKind:
    return CustomKind(
        written["kind"],
        tuple(written["api_versions"]),
        tuple(written["required"]),
        written["schema"],
        tuple(CustomRelation(**relation) for relation in written["relations"]),
    )
