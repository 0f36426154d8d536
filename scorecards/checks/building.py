"""Makes a check of its definition: rules compiled against the declared facts, sentences held against the rules."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from marshmallow import ValidationError

from portal_backend.core.errors import Fault
from scorecards.checks.definitions import Check, Condition
from scorecards.checks.fields import FieldSpecs, RuleSpecs
from scorecards.checks.sentences import check_words, failing_words, judged_facts, named, with_thresholds
from scorecards.checks.shapes import CheckSchema, faults_of
from scorecards.evidence.causes import Spec
from scorecards.rules.operators import DURATION, NUMBERS, parse_duration
from scorecards.rules.quantities import read_quantity
from scorecards.rules.related import Question, names_of, type_of_answer
from scorecards.rules.tree import Compiler, Rule
from scorecards.wording import write

FIELD_SPECS = FieldSpecs()
SHAPE = CheckSchema()
DECIDING = (
    *("rule", "needs", "applies_to", "max_age", "level", "criticality", "thresholds", "attest"),
    *("enforce_from", "enforce_until"),
)
"""What decides a verdict, or what it counts for."""
PLAIN = (
    "id",
    "title",
    "question",
    "axis",
    "group",
    "level",
    "weight",
    "criticality",
    "version",
    "owner",
    "why",
    "guide",
    "effort",
    "thresholds",
)
TOLD = ("title", "question", "passes", "fails", "how_to_fix")
"""Where a person is told what was seen."""
NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""For writing thresholds, none of which is a time."""


def build_check(raw: Any, specs: Mapping[str, Spec]) -> tuple[Check | None, list[Fault]]:
    """Return the check that a definition makes, or None and every fault in it, each at its path in the definition."""
    try:
        data = SHAPE.load(raw)
    except ValidationError as error:
        return None, faults_of(error, SHAPE)
    except (TypeError, ValueError) as error:
        return None, [Fault("", str(error))]
    making = _Making(data, raw, RuleSpecs(specs))
    check = making.check()
    return (None if making.faults else check), making.faults


def digest(value: Any) -> str:
    """Return a digest of a JSON value that does not depend on the order of keys."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # what YAML can hold and JSON cannot, such as a number beyond 64 bits
        written = repr(value).encode(errors="replace")
    return hashlib.sha256(written).hexdigest()


class _Making:
    """One check under way."""

    def __init__(self, data: dict[str, Any], raw: Mapping[str, Any], specs: Mapping[str, Spec]) -> None:
        self.data = data
        self.raw = raw
        self.specs = specs
        self.faults: list[Fault] = []
        self.compared: dict[str, str] = {}
        """Of each threshold: the fact that it is compared with."""

    def check(self) -> Check | None:
        data = self.data
        rule = self._compile(data["rule"], "rule", self.specs, "fact") if "rule" in data else None
        needs, applies_to = self._needs(), self._applies_to()
        max_age = {
            key: age for key, text in data.get("max_age", {}).items() if (age := self._duration(text, f"max_age.{key}"))
        }
        attest = data.get("attest", {})
        attested_for = self._duration(attest["valid_for"], "attest.for") if attest else None
        related, needs = self._related(rule, needs)
        words = self._threshold_words()
        fails = failing_words(with_thresholds(data.get("fails", ""), words), rule, self.faults) if rule else ""
        if fails is None or ("rule" in data and rule is None):
            return None
        check = Check(
            **{name: data[name] for name in PLAIN if name not in {"title", "question"}},
            title=with_thresholds(data["title"], words),
            question=with_thresholds(data["question"], words),
            sources=tuple(data["sources"]),
            how_to_fix=tuple(with_thresholds(step, words) for _, step in data["how_to_fix"]),
            fixes={with_thresholds(step, words): fact for fact, step in data["how_to_fix"] if fact},
            rule=rule,
            passes=with_thresholds(data.get("passes", ""), words),
            fails=fails,
            applies_to=applies_to,
            needs=needs and Condition(needs.rule, with_thresholds(needs.otherwise, words), needs.action),
            max_age=max_age,
            if_missing=data.get("if_missing", {}),
            related=related,
            attested_for=attested_for,
            confirms=attest.get("confirms", ""),
            introduced_at=data.get("introduced_at"),
            enforce_from=data.get("enforce_from"),
            enforce_until=data.get("enforce_until"),
            definition=self.raw,
            digest=digest({key: self.raw[key] for key in DECIDING if key in self.raw})[:8],
        )
        check_words(check, self.faults)
        self._check_keys(check)
        return check

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path, message))

    def _compile(self, rule: Any, path: str, specs: Mapping[str, Spec], word: str) -> Rule | None:
        compiler = Compiler(specs, word, self.data["thresholds"])
        compiled = compiler.compile(rule, path)
        for fault in compiler.faults:
            self._fault(fault.path, fault.message)
        if compiled:
            self.compared |= compiled.thresholds
        return compiled

    def _needs(self) -> Condition | None:
        given = self.data.get("needs") or {}
        rule = self._compile(given["when"], "needs.when", self.specs, "fact") if given else None
        return Condition(rule, given["otherwise"], given["action"]) if rule else None

    def _applies_to(self) -> Condition | None:
        given = self.data.get("applies_to") or {}
        rule = self._compile(given["when"], "applies_to.when", FIELD_SPECS, "field") if given else None
        return Condition(rule, given["otherwise"]) if rule else None

    def _related(self, rule: Rule | None, needs: Condition | None) -> tuple[dict[str, Question], Condition | None]:
        """Return what is asked of related entities, and `needs` in its words.

        Sentences call the answers by the relations, `{related.dependsOn}`; a second question along one relation is
        called `related.dependsOn.2`, and those that fall short of a share `related.dependsOn.lacking`.
        """
        asked = {**(rule.related if rule else {}), **(needs.rule.related if needs else {})}
        keys = names_of(asked)
        for name in TOLD if asked else ():
            if name in self.data:
                self.data[name] = named(self.data[name], keys)
        for fact in (*(rule.facts if rule else ()), *(needs.rule.facts if needs else ())):
            if type_of_answer(fact) and fact not in asked:
                self._fault("rule", f"{fact} is made by a question: `every related.dependsOn has (…)`; ask one")
        return asked, needs and replace(needs, otherwise=named(needs.otherwise, keys))

    def _duration(self, text: Any, path: str) -> timedelta | None:
        try:
            return parse_duration(text)
        except ValueError as error:
            self._fault(path, str(error))
            return None

    def _threshold_words(self) -> dict[str, str]:
        """Write each threshold as a person reads it beside the fact that it is compared with."""
        words = {}
        for name, value in self.data["thresholds"].items():
            if name not in self.compared:
                if not self.faults:  # a rule that could not be compiled may well compare with it
                    self._fault(f"thresholds.{name}", f"no condition is compared with it; write ${name} in the rule")
                continue
            spec = self.specs.get(self.compared[name])
            words[name] = _written(value, spec)
        return words

    def _check_keys(self, check: Check) -> None:
        known = set(check.facts) | ({check.id} if check.rule is None else set())
        judged = set(judged_facts(check.rule.tree)) if check.rule and not check.rule.negates else set()
        for fact in check.fixes.values():
            if fact not in judged:
                why = "the rule has no condition on it, or a `not`, by which it is not plain what failed"
                self._fault("how_to_fix", f"{fact}: {why}; write the step without a fact")
        for name in ("max_age", "if_missing"):
            for key in getattr(check, name):
                if key not in known:
                    self._fault(f"{name}.{key}", "is not a fact of the rule")
        if check.applies_to:
            self._check_observed(check.applies_to.rule.tree, known)

    def _check_observed(self, tree: Any, known: set[str]) -> None:
        """`observed_facts contains X` only makes sense for a fact that the check itself judges."""
        for node in (*tree.get("all", ()), *tree.get("any", ()), *([tree["not"]] if "not" in tree else [])):
            self._check_observed(node, known)
        if tree.get("field") == "observed_facts" and tree.get("value") not in known:
            self._fault("applies_to.when", f"{tree.get('value')} is not a fact of the rule")


def _written(value: Any, spec: Spec | None) -> str:
    """Write a threshold as the fact that it is compared with is written: `0.15` and `15%` of a ratio as 15 %."""
    unit = spec.unit if spec else ""
    if isinstance(value, str) and spec and spec.type in NUMBERS:
        with suppress(ValueError):
            value = read_quantity(unit, value)
    if isinstance(value, str) and not unit and DURATION.fullmatch(value):
        return _span(parse_duration(value))
    return write(value, unit, NO_MOMENT)


def _span(duration: timedelta) -> str:
    """Write `180d` as 180 days, and 1 day as 1 day."""
    days, rest = divmod(int(duration.total_seconds()), 86_400)
    hours, minutes = rest // 3_600, rest // 60
    count, word = (
        (days, "day") if not rest else (24 * days + hours, "hour") if not rest % 3_600 else (minutes, "minute")
    )
    return f"{count} {word}{'' if count == 1 else 's'}"
