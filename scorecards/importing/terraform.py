"""Reads Terraform files that set up the scorecards of other products into those products' own documents. Pure.

A reference to another block of the file is followed to that block, or to its name, and a variable to its default.
What only Terraform could compute stays as it is written, `${...}`.
"""

import re
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import hcl2
import orjson
from lark.exceptions import LarkError

MAX_DEPTH = 24
MARK = "__is_block__"
EXPRESSION = re.compile(r"\$\{(.*)\}", re.DOTALL)
JSON = re.compile(r"jsonencode\((.*)\)", re.DOTALL)
REFERENCE = re.compile(r"(?:data\.)?(\w+)\.([\w-]+)(?:\[(?:\"(?P<key>[^\"\]]+)\"|[^\]]*)\])?\.(\w+)")
GIVEN = re.compile(r"(var|local)\.([\w-]+)")
HEREDOC = re.compile(r'"?<<-?\s*(\w+)\n(.*?)\n?\s*\1"?', re.DOTALL)
OPSLEVEL_CHECK = "opslevel_check_"
CHECK_MODULE = re.compile(r"(?:.*/)?check/(\w+)/?(?:\?.*)?")
"""The address of one of OpsLevel's modules, each of which sets up one check and takes what the check takes."""
Body = Mapping[str, Any]


def read_terraform(text: str) -> list[Any]:
    """Return the documents of each product whose scorecards a file sets up; raises ValueError where it is no HCL."""
    try:
        return _File(hcl2.loads(text if text.endswith("\n") else f"{text}\n")).documents()
    except (LarkError, RecursionError, ValueError) as error:
        line = getattr(error, "line", None)
        where = f" at line {line}, column {getattr(error, 'column', 0)}" if line else ""
        raise ValueError(f"it is no Terraform that can be read{where}; `terraform fmt` shows what is wrong") from None


class _File:
    """The blocks of a file."""

    def __init__(self, content: Body) -> None:
        self.blocks: dict[tuple[str, str], Body] = {}
        """Resources and data sources by type and name; a resource goes before a data source of the same name."""
        for word in ("data", "resource"):
            for one in content.get(word, ()):
                for kind, named in _blocks_in(one):
                    self.blocks |= {(kind, name): body for name, body in _blocks_in(named)}
        self.modules = [body for one in content.get("module", ()) for _, body in _blocks_in(one)]
        self.given: dict[tuple[str, str], Any] = {
            ("var", name): body.get("default") for one in content.get("variable", ()) for name, body in _blocks_in(one)
        }
        for one in content.get("locals", ()):
            self.given |= {("local", key): value for key, value in one.items() if key != MARK}

    def documents(self) -> list[Any]:
        """Return what the file sets up, product by product."""
        found: list[Any] = []
        checks = [
            {"kind": kind.removeprefix(OPSLEVEL_CHECK), "spec": self.plain(body)}
            for (kind, _), body in self.blocks.items()
            if kind.startswith(OPSLEVEL_CHECK)
        ]
        for body in self.modules:
            module = CHECK_MODULE.fullmatch(str(self.plain(body.get("source"))))
            if module:
                checks.append({"kind": module[1], "spec": self.plain(body)})
        if checks:
            found.append({"checks": checks, "levels": self._rungs()})
        told = self._all("harness_platform_idp_scorecard_check") + self._all("harness_platform_idp_scorecard")
        if told:
            found.append(told)
        cards = self._all("port_scorecard")
        if cards:
            found.append({"scorecards": [_port(card) for card in cards]})
        cards = self._all("dx_scorecard")
        if cards:
            found.append({"scorecards": cards})
        rules = self._all("datadog_service_scorecard_rule")
        found += [rules] if rules else []
        return found + [_cortex(card) for card in self._all("cortex_scorecard")]

    def _all(self, wanted: str) -> list[dict[str, Any]]:
        return [self.plain(body) for (kind, _), body in self.blocks.items() if kind == wanted]

    def _rungs(self) -> list[str]:
        """Return the levels that the file sets up, the lowest first."""
        levels = [one for one in self._all("opslevel_rubric_level") if isinstance(one.get("index"), int)]
        return [str(one.get("name")).lower() for one in sorted(levels, key=lambda one: one["index"])]

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return a value without what only Terraform understands."""
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if isinstance(value, Mapping):
            return {
                _unquoted(key): self.plain(inner, depth + 1)
                for key, inner in value.items()
                if key != MARK and not str(key).startswith("__")
            }
        if isinstance(value, list):
            return [self.plain(inner, depth + 1) for inner in value]
        return self._text(value, depth) if isinstance(value, str) else value

    def _text(self, value: str, depth: int) -> Any:
        heredoc = HEREDOC.fullmatch(value)
        if heredoc:
            return textwrap.dedent(heredoc[2])
        if value.startswith('"'):
            return _unquoted(value)
        expression = EXPRESSION.fullmatch(value)
        return self._expression(expression[1].strip(), depth) if expression else value

    def _expression(self, written: str, depth: int) -> Any:
        encoded = JSON.fullmatch(written)
        if encoded:
            return self.plain(hcl2.loads(f"value = {encoded[1]}\n").get("value"), depth + 1)
        given = GIVEN.fullmatch(written)
        if given and self.given.get((given[1], given[2])) is not None:
            return self.plain(self.given[given[1], given[2]], depth + 1)
        reference = REFERENCE.fullmatch(written)
        if reference:
            return self._referred(reference[1], reference[2], reference[4], depth, reference["key"])
        return f"${{{written}}}"

    def _referred(self, kind: str, name: str, attribute: str, depth: int, key: str | None) -> Any:
        """Return a filter whole, else the attribute itself, else what the block is called; one of many by its key."""
        body = self.blocks.get((kind, name))
        if body is None or (key and "for_each" in body):
            return key or name
        if kind == "opslevel_filter" and "predicate" in body:
            return self.plain(body, depth + 1)
        if attribute in body:
            return self.plain(body[attribute], depth + 1)
        sought = self.plain(body, depth + 1)
        by_name = next((one for one in sought.get("filter") or () if isinstance(one, Mapping)), {})
        return sought.get("name") or by_name.get("value") or sought.get("alias") or name


def _blocks_in(block: Body) -> list[tuple[str, Body]]:
    return [(_unquoted(key), body) for key, body in block.items() if key != MARK and isinstance(body, Mapping)]


def _unquoted(text: str) -> str:
    with suppress(ValueError):
        found = orjson.loads(text)
        return found if isinstance(found, str) else text
    return text.strip('"')


def _only(value: Any) -> Any:
    """Return the one block of a kind, which stands in a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _port(card: Body) -> dict[str, Any]:
    rules = [
        {**rule, "query": _only(rule.get("query"))} for rule in card.get("rules") or () if isinstance(rule, Mapping)
    ]
    return {**card, "rules": rules, "filter": _only(card.get("filter"))}


def _cortex(card: Body) -> dict[str, Any]:
    """Write a card of the provider's older form, blocks named `rule` and `level`, as the newer one."""
    rules = card.get("rules") or card.get("rule") or []
    ladder = _only(card.get("ladder")) or {"levels": _numbered(card.get("level") or [])}
    renamed = [
        {
            **rule,
            "level": rule.get("level") or rule.get("level_name"),
            "failureMessage": rule.get("failure_message"),
            "effectiveFrom": rule.get("effective_from"),
        }
        for rule in rules
        if isinstance(rule, Mapping)
    ]
    return {**card, "rules": renamed, "ladder": ladder, "filter": _only(card.get("filter"))}


def _numbered(levels: list[Any]) -> list[dict[str, Any]]:
    """The older form counts the levels from the top."""
    return [{**one, "rank": -int(one.get("number") or 0)} for one in levels if isinstance(one, Mapping)]
