"""Puts the check catalogue together from its files: ours, and an organisation's beside it.

A file is a list of checks, or a mapping with any of `defaults`, `facts`, `groups`, `checks`, `overrides`, `disabled`,
`tech_insights` and `levels_by_points`. Files are read in order; a later one may change, take out or replace what an
earlier one says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError

from plugins.contract import FactSpec
from portal_backend.core.errors import Fault, InvalidInput
from scorecards.checks.building import build_check, digest
from scorecards.checks.definitions import Axis, CatalogueFile, Check, CheckCatalogue, Group, Override
from scorecards.checks.fields import SERVICE_FIELDS
from scorecards.checks.files import read_paths
from scorecards.checks.json_rules import checks_from_json_rules
from scorecards.checks.ladder import read_shares
from scorecards.checks.shapes import (
    DisabledSchema,
    FactSchema,
    FileSchema,
    GroupSchema,
    OverrideSchema,
    TechInsightsSchema,
    faults_of,
)
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.rules.operators import parse_duration

__all__ = ["DEFAULT_CHECKS", "SERVICE_FIELDS", "Check", "CheckCatalogue", "load_catalogue", "make_catalogue"]

DEFAULT_CHECKS = Path(__file__).parent
MAX_CHECKS = 1_000
PART_BY_PART = frozenset({"thresholds", "if_missing", "max_age"})
"""Fields of which an override changes single entries."""


@dataclass
class _Reading:
    """One load under way."""

    specs: dict[str, FactSpec]
    raws: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """By check: where it stands, and its definition with all overrides so far."""
    overridden: dict[str, tuple[Override, ...]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    disabled: dict[str, str] = field(default_factory=dict)
    shares: tuple[float, ...] = ()
    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: str, path: str, message: str) -> None:
        """Note a fault at a path of a check or section."""
        self.faults.append(Fault(f"{place}: {path}" if path else place, message))


def load_catalogue(
    paths: Sequence[Path],
    specs: Mapping[str, FactSpec],
    default: Path | None = DEFAULT_CHECKS,
    beside: Sequence[Path] = (),
) -> CheckCatalogue:
    """Read the default catalogue, then the organisation's files (a folder stands for its *.yaml files, by name).

    `beside` are files that the catalogue has already: one of the same name as a file at `paths` gives way to it. Raises
    InvalidInput with every fault of every file, named as `file: check id: path`. The checks come in the order of the
    axes.
    """
    faults: list[Fault] = []
    given = read_paths(paths, faults)
    names = {file.name for file in given}
    kept = [file for file in read_paths(beside, faults) if file.name not in names]
    files = [*(read_paths([default], faults) if default else []), *kept, *given]
    return make_catalogue(files, specs, faults)


def make_catalogue(
    files: Sequence[CatalogueFile], specs: Mapping[str, FactSpec], faults: Sequence[Fault] = ()
) -> CheckCatalogue:
    """Put files that are parsed already together; `faults` were found while reading them. Raises InvalidInput."""
    known = {**VOCABULARY, **specs}
    reading = _Reading(dict(known), faults=list(faults))
    for file in files:
        _read_file(file, reading)
    built = _build_all(reading)
    if reading.faults:
        count = len(reading.faults)
        message = f"The check catalogue has {count} fault{'s' if count > 1 else ''}; correct the files named here."
        raise InvalidInput(message, reading.faults)
    order = list(Axis)
    checks = sorted(built, key=lambda check: order.index(check.axis))
    told = [[check.definition for check in checks], [(one.id, one.title) for one in reading.groups.values()]]
    version = digest([*told, reading.shares] if reading.shares else told)
    return CheckCatalogue(
        {check.id: check for check in checks},
        version[:16],
        reading.groups,
        reading.disabled,
        {key: spec for key, spec in reading.specs.items() if key not in known},
        tuple(files),
        reading.shares,
    )


def _build_all(reading: _Reading) -> list[Check]:
    if len(reading.raws) > MAX_CHECKS:
        reading.faults.append(Fault("", f"there are more than {MAX_CHECKS} checks; drop some"))
        return []
    built = []
    for place, raw in reading.raws.values():
        check, faults = build_check(raw, reading.specs)
        for fault in faults:
            reading.fault(place, fault.path, fault.message)
        if check and _fits_group(check, place, reading):
            built.append(replace(check, overridden=reading.overridden.get(check.id, ())))
    return built


def _fits_group(check: Check, place: str, reading: _Reading) -> bool:
    if not check.group:
        return True
    group = reading.groups.get(check.group)
    if group is None:
        reading.fault(place, "group", f"there is no group {check.group}; declare it under `groups:`")
    elif group.axis is not check.axis:
        reading.fault(place, "group", f"{check.group} belongs to the axis {group.axis}, the check to {check.axis}")
    else:
        return True
    return False


def _read_file(file: CatalogueFile, reading: _Reading) -> None:
    if isinstance(file.content, list):
        content: dict[str, Any] = {"checks": file.content}
    elif isinstance(file.content, dict):
        content = file.content
    else:
        message = "must be a list of checks, each beginning with `- id:`, or a mapping with `checks:`, `overrides:`, …"
        reading.fault(file.name, "", message)
        return
    data = _loaded(FileSchema(), content, file.name, reading)
    if data is None:
        return
    _read_sections(file.name, data, reading)


def _read_sections(name: str, data: Mapping[str, Any], reading: _Reading) -> None:
    for section, read in _SECTIONS.items():
        for index, raw in enumerate(data[section]):
            read(raw, f"{name}: {section}[{index}]", reading)
    if "levels_by_points" in data:
        try:
            reading.shares = read_shares(data["levels_by_points"])
        except ValueError as error:
            reading.fault(name, "levels_by_points", str(error))
    for index, raw in enumerate(data["checks"]):
        _add_check(raw, data["defaults"], name, index, reading)
    for section, change in (("overrides", _override), ("disabled", _disable)):
        for index, raw in enumerate(data[section]):
            change(raw, f"{name}: {section}[{index}]", reading)


def _loaded(schema: Schema, raw: Any, place: str, reading: _Reading) -> dict[str, Any] | None:
    try:
        loaded: dict[str, Any] = schema.load(raw)
    except ValidationError as error:
        for fault in faults_of(error, schema):
            reading.fault(place, fault.path, fault.message)
        return None
    except (TypeError, ValueError) as error:
        reading.fault(place, "", str(error))
        return None
    return loaded


def _read_fact(raw: Any, place: str, reading: _Reading) -> None:
    data = _loaded(FactSchema(), raw, place, reading)
    if data is None:
        return
    try:
        spec = FactSpec(data["key"], data["type"], data["unit"], data["description"], parse_duration(data["max_age"]))
    except ValueError as error:
        reading.fault(place, "max_age", str(error))
        return
    known = reading.specs.get(spec.key)
    if known and (known.type, known.unit) != (spec.type, spec.unit):
        unit = f" in {known.unit}" if known.unit else ""
        reading.fault(
            place, "key", f"{spec.key} is declared already, as {known.type}{unit}; leave this declaration out"
        )
    elif known is None:
        reading.specs[spec.key] = spec


def _read_group(raw: Any, place: str, reading: _Reading) -> None:
    data = _loaded(GroupSchema(), raw, place, reading)
    if data:
        reading.groups[data["id"]] = Group(data["id"], data["axis"], data["title"])


def _read_tech_insights(raw: Any, place: str, reading: _Reading) -> None:
    data = _loaded(TechInsightsSchema(), raw, place, reading)
    if data is None:
        return
    translated, faults = checks_from_json_rules(data["checks"], reading.specs, data["facts"], data["place"])
    for fault in faults:
        reading.fault(place, fault.path, fault.message)
    for index, check in enumerate(translated):
        _add_check(check, {}, place.partition(":")[0], index, reading)


_SECTIONS = {"facts": _read_fact, "groups": _read_group, "tech_insights": _read_tech_insights}


def _add_check(raw: Any, defaults: Mapping[str, Any], file: str, index: int, reading: _Reading) -> None:
    name = raw.get("id") if isinstance(raw, dict) else None
    place = f"{file}: {name if isinstance(name, str) else f'[{index}]'}"
    if not isinstance(raw, dict):
        reading.fault(place, "", "must be a check, beginning with `id:`")
        return
    whole = {**defaults, **raw}
    if not isinstance(name, str):
        reading.fault(place, "id", "Missing data for required field.")
        return
    if name in reading.raws and not whole.get("overrides"):
        earlier = reading.raws[name][0].partition(":")[0]
        reading.fault(
            place,
            "id",
            f"is taken by an earlier check, of {earlier}; say `overrides: true` to replace it, or change "
            "single fields of it under `overrides:`",
        )
        return
    if name not in reading.raws and whole.get("overrides"):
        reading.fault(place, "overrides", "there is no earlier check of this id")
        return
    if name in reading.raws:
        _note_override(name, file, "", whole, reading)
    reading.raws[name] = (place, whole)


def _override(raw: Any, place: str, reading: _Reading) -> None:
    data = _loaded(OverrideSchema(), raw, place, reading)
    if data is None or not _is_there(data["check"], place, reading):
        return
    earlier_place, earlier = reading.raws[data["check"]]
    changed = dict(earlier)
    for name, value in data["change"].items():
        if name in {"id", "overrides"}:
            reading.fault(place, f"change.{name}", "cannot be changed; disable the check and write another")
        elif name in PART_BY_PART and isinstance(value, dict):
            known = _known_names(name, value, earlier, place, reading)
            changed[name] = {**changed.get(name, {}), **known}
        elif value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    _note_override(data["check"], place.partition(": ")[0], data["reason"], changed, reading)
    reading.raws[data["check"]] = (f"{earlier_place}, changed by {place}", changed)


def _note_override(check: str, file: str, reason: str, changed: Mapping[str, Any], reading: _Reading) -> None:
    _, earlier = reading.raws[check]
    before, after = _fields(earlier), _fields(changed)
    names = dict.fromkeys((*before, *after))
    changes = {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
    if changes:
        reading.overridden[check] = (*reading.overridden.get(check, ()), Override(file, reason, changes))


def _fields(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a definition says, by field, and by entry where an override changes single entries."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if name in PART_BY_PART and isinstance(value, dict):
            found |= {f"{name}.{entry}": one for entry, one in value.items()}
        elif name != "overrides":
            found[name] = value
    return found


def _known_names(
    name: str, value: Mapping[str, Any], earlier: Mapping[str, Any], place: str, reading: _Reading
) -> Mapping[str, Any]:
    """Return what a change says of thresholds that the check has; any other is a fault."""
    if name != "thresholds":
        return value
    known = earlier.get("thresholds", {})
    for threshold in value.keys() - known.keys():
        has = ", ".join(known) or "none: override its `rule`"
        reading.fault(place, f"change.thresholds.{threshold}", f"the check has no such threshold; it has {has}")
    return {threshold: one for threshold, one in value.items() if threshold in known}


def _disable(raw: Any, place: str, reading: _Reading) -> None:
    data = _loaded(DisabledSchema(), raw, place, reading)
    if data and _is_there(data["check"], place, reading):
        del reading.raws[data["check"]]
        reading.overridden.pop(data["check"], None)
        reading.disabled[data["check"]] = data["reason"]


def _is_there(check: str, place: str, reading: _Reading) -> bool:
    if check in reading.raws:
        return True
    reading.fault(place, "check", f"there is no check {check} before this file; `portal scorecards checks` lists them")
    return False
