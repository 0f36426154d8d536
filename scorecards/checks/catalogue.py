"""Reads the check catalogue from YAML, checks it whole, and names every fault by file, check and path."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import yaml
from marshmallow import Schema, ValidationError, fields, validate

from plugins.contract import FactSpec, FactType
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages
from scorecards.checks.definitions import Axis, Check, CheckCatalogue, Condition, Criticality, Effort
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.rules.operators import parse_duration
from scorecards.rules.tree import Compiler, Rule
from scorecards.wording import MISSING, placeholders

__all__ = ["DEFAULT_CHECKS", "SERVICE_FIELDS", "Check", "CheckCatalogue", "load_catalogue"]

DEFAULT_CHECKS = Path(__file__).parent
MAX_FILE_BYTES = 1024 * 1024

SERVICE_FIELDS: Mapping[str, FactSpec] = {
    spec.key: spec
    for spec in (
        FactSpec("type", FactType.STRING, "", "The component's spec.type, lower case", timedelta.max),
        FactSpec("namespace", FactType.STRING, "", "Its namespace", timedelta.max),
        FactSpec("lifecycle", FactType.STRING, "", "The SRE lifecycle, such as ga or limited", timedelta.max),
        FactSpec("criticality", FactType.STRING, "", "T0 to T3", timedelta.max),
        FactSpec("owner", FactType.STRING, "", "The owner's entity reference", timedelta.max),
        FactSpec("system", FactType.STRING, "", "The system's entity reference", timedelta.max),
        FactSpec("tags", FactType.SET, "", "Its tags", timedelta.max),
        FactSpec("has_service_dependencies", FactType.BOOLEAN, "", "It depends on another service", timedelta.max),
        FactSpec("observed_facts", FactType.SET, "", "The facts that were ever observed of it", timedelta.max),
    )
}
"""What `applies_to` may look at."""


class _ConditionSchema(Schema):
    when = fields.Dict(required=True)
    otherwise = fields.String(required=True, validate=validate.Length(min=1))


class _NeedsSchema(_ConditionSchema):
    action = fields.String(load_default="")


class _CheckSchema(Schema):
    id = fields.String(required=True, validate=validate.Regexp(r"^[a-z]+(\.[a-z0-9_]+)+$"))
    title = fields.String(required=True, validate=validate.Length(1, 120))
    question = fields.String(required=True, validate=validate.Length(min=1))
    axis = fields.Enum(Axis, by_value=True, required=True)
    level = fields.Integer(required=True, strict=True, validate=validate.Range(1, 4))
    weight = fields.Integer(required=True, strict=True, validate=validate.Range(1, 5))
    criticality = fields.Enum(Criticality, by_value=True, required=True)
    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))
    owner = fields.String(required=True, validate=validate.Length(min=1))
    sources = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    why = fields.String(required=True, validate=validate.Length(min=1))
    how_to_fix = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    guide = fields.String(required=True, validate=validate.Length(min=1))
    effort = fields.Enum(Effort, by_value=True, required=True)
    applies_to = fields.Nested(_ConditionSchema)
    needs = fields.Nested(_NeedsSchema)
    rule = fields.Dict(required=True)
    passes = fields.String(required=True, validate=validate.Length(min=1))
    fails = fields.Raw(required=True)
    max_age = fields.Dict(fields.String(), fields.String())
    if_missing = fields.Dict(fields.String(), fields.String())
    overrides = fields.Boolean(truthy={True}, falsy={False})


@dataclass
class _Reading:
    """One load under way."""

    specs: Mapping[str, FactSpec]
    checks: dict[str, Check] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class _UniqueKeys(yaml.CSafeLoader):
    """Refuses a mapping that has a key twice, of which YAML would keep the last without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raises ConstructorError naming the repeated key."""
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load_catalogue(
    paths: Sequence[Path], specs: Mapping[str, FactSpec], default: Path | None = DEFAULT_CHECKS
) -> CheckCatalogue:
    """Read the default catalogue, then the organisation's files (a folder stands for its *.yaml files, by name).

    A later file replaces a check of an earlier one only if it says `overrides: true`. Raises InvalidInput with every
    fault of every file, named as `file: check id: path`. The checks come in the order of the axes.
    """
    reading = _Reading({**VOCABULARY, **specs})
    for path in (*([default] if default else []), *paths):
        for file in _files(path, reading):
            _read_file(file, reading)
    if reading.faults:
        count = len(reading.faults)
        message = f"The check catalogue has {count} fault{'s' if count > 1 else ''}; correct the files named here."
        raise InvalidInput(message, reading.faults)
    order = list(Axis)
    checks = sorted(reading.checks.values(), key=lambda check: order.index(check.axis))
    definitions = [check.definition for check in checks]
    return CheckCatalogue({check.id: check for check in checks}, _digest(definitions)[:16])


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _files(path: Path, reading: _Reading) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
        if not found:
            reading.faults.append(Fault(str(path), "the folder holds no *.yaml file"))
        return found
    return [path]


def _read_file(file: Path, reading: _Reading) -> None:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes; split it")
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a safe loader
    except (OSError, ValueError, yaml.YAMLError) as error:
        reading.faults.append(Fault(file.name, f"cannot be read: {' '.join(str(error).split())}"))
        return
    if not isinstance(content, list):
        reading.faults.append(Fault(file.name, "must be a list of checks, each beginning with `- id:`"))
        return
    for index, raw in enumerate(content):
        _read_check(raw, file.name, index, reading)


def _read_check(raw: Any, file: str, index: int, reading: _Reading) -> None:
    name = raw.get("id") if isinstance(raw, dict) else None
    place = f"{file}: {name if isinstance(name, str) else f'[{index}]'}"
    try:
        data = _CheckSchema().load(raw)
    except ValidationError as error:
        reading.faults += [Fault(f"{place}: {fault.path}", fault.message) for fault in flatten_messages(error.messages)]
        return
    except (TypeError, ValueError) as error:
        reading.faults.append(Fault(place, str(error)))
        return
    faults: list[Fault] = []
    check = _build(data, raw, reading.specs, faults)
    if check and check.id in reading.checks and not data.get("overrides"):
        faults.append(Fault("id", "is taken by an earlier check; say `overrides: true` to replace it"))
    if check and check.id not in reading.checks and data.get("overrides"):
        faults.append(Fault("overrides", "there is no earlier check of this id"))
    reading.faults += [Fault(f"{place}: {fault.path}", fault.message) for fault in faults]
    if check and not faults:
        reading.checks[check.id] = check


def _build(data: dict[str, Any], raw: Any, specs: Mapping[str, FactSpec], faults: list[Fault]) -> Check | None:
    rule = _compile(data["rule"], "rule", specs, "fact", faults)
    applies_to = _condition(data, "applies_to", SERVICE_FIELDS, "field", faults)
    needs = _condition(data, "needs", specs, "fact", faults)
    max_age = _durations(data.get("max_age", {}), faults)
    fails = _failing_words(data["fails"], rule, faults)
    if rule is None or fails is None:
        return None
    plain = {key: data[key] for key in _PLAIN}
    check = Check(
        **plain,
        sources=tuple(data["sources"]),
        how_to_fix=tuple(data["how_to_fix"]),
        rule=rule,
        fails=fails,
        applies_to=applies_to,
        needs=needs,
        max_age=max_age,
        if_missing=data.get("if_missing", {}),
        definition=raw,
        digest=_digest({key: raw.get(key) for key in _DECIDING})[:8],
    )
    _check_words(check, faults)
    _check_keys(check, faults)
    return check


_PLAIN = (
    "id",
    "title",
    "question",
    "axis",
    "level",
    "weight",
    "criticality",
    "version",
    "owner",
    "why",
    "guide",
    "effort",
    "passes",
)


_DECIDING = ("rule", "needs", "applies_to", "max_age", "level", "criticality")


def _compile(tree: Any, path: str, specs: Mapping[str, FactSpec], word: str, faults: list[Fault]) -> Rule | None:
    compiler = Compiler(specs, word)
    rule = compiler.compile(tree, path)
    faults += [Fault(fault.path, fault.message) for fault in compiler.faults]
    return rule


def _condition(
    data: dict[str, Any], key: str, specs: Mapping[str, FactSpec], word: str, faults: list[Fault]
) -> Condition | None:
    if key not in data:
        return None
    rule = _compile(data[key]["when"], f"{key}.when", specs, word, faults)
    return Condition(rule, data[key]["otherwise"], data[key].get("action", "")) if rule else None


def _durations(texts: Mapping[str, str], faults: list[Fault]) -> dict[str, timedelta]:
    durations = {}
    for key, text in texts.items():
        try:
            durations[key] = parse_duration(text)
        except ValueError as error:
            faults.append(Fault(f"max_age.{key}", str(error)))
    return durations


def _failing_words(fails: Any, rule: Rule | None, faults: list[Fault]) -> str | dict[str, str] | None:
    """Check that every condition that may fail has its sentence."""
    if isinstance(fails, str) and fails:
        return fails
    if not isinstance(fails, dict) or not all(isinstance(word, str) for pair in fails.items() for word in pair):
        faults.append(Fault("fails", "must be a sentence, or a sentence for each fact of the rule"))
        return None
    if rule is None:
        return None
    if rule.negates:
        faults.append(Fault("fails", "a rule with `not` takes one sentence: which condition failed is not plain"))
    # A fact that only stands on the right of a comparison has no condition of its own.
    judged = set(_judged_facts(rule.tree))
    faults += [Fault(f"fails.{key}", "the rule has no condition on this fact") for key in fails if key not in judged]
    faults += [Fault("fails", f"says nothing for {key}") for key in sorted(judged - set(fails))]
    return fails


def _judged_facts(tree: Any) -> Iterable[str]:
    for word in ("all", "any"):
        for node in tree.get(word, ()):
            yield from _judged_facts(node)
    if "not" in tree:
        yield from _judged_facts(tree["not"])
    if "fact" in tree:
        yield tree["fact"]


def _check_words(check: Check, faults: list[Fault]) -> None:
    """Check that a sentence only speaks of what the verdict rests on."""
    known = set(check.facts) | ({MISSING} if "subsetOf" in check.rule.operators else set())
    sentences = {"passes": check.passes}
    if isinstance(check.fails, str):
        sentences["fails"] = check.fails
    else:
        sentences |= {f"fails.{key}": sentence for key, sentence in check.fails.items()}
    if check.needs:
        sentences["needs.otherwise"] = check.needs.otherwise
    for path, sentence in sentences.items():
        faults += [
            Fault(path, f"{{{name}}} is not a fact of the rule") for name in placeholders(sentence) if name not in known
        ]


def _check_keys(check: Check, faults: list[Fault]) -> None:
    for name in ("max_age", "if_missing"):
        faults += [
            Fault(f"{name}.{key}", "is not a fact of the rule")
            for key in getattr(check, name)
            if key not in check.facts
        ]
    if check.applies_to:
        _check_observed(check.applies_to.rule.tree, check, faults)


def _check_observed(tree: Any, check: Check, faults: list[Fault]) -> None:
    """`observed_facts contains X` only makes sense for a fact that the check itself judges."""
    for node in (*tree.get("all", ()), *tree.get("any", ()), *([tree["not"]] if "not" in tree else [])):
        _check_observed(node, check, faults)
    if tree.get("field") == "observed_facts" and tree.get("value") not in check.facts:
        faults.append(Fault("applies_to.when", f"{tree.get('value')} is not a fact of the rule"))
