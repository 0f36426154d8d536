"""Holds the sentences of a check against its rule: whatever may fail has words, and they speak of its facts only."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from portal_backend.core.errors import Fault
from scorecards.checks.definitions import Check
from scorecards.rules.tree import Rule
from scorecards.wording import MISSING, PLACEHOLDER, placeholders

THRESHOLD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""Facts have dots in their names, thresholds have none."""

Words = TypeVar("Words")


def with_thresholds(words: Words, values: Mapping[str, str]) -> Words:
    """Write the thresholds' values into a sentence, or into each sentence of a mapping; all else is left as it is."""
    filled: Any = words
    if isinstance(words, str):
        filled = THRESHOLD.sub(lambda match: values.get(match[1], match[0]), words)
    elif isinstance(words, dict):
        filled = {key: with_thresholds(sentence, values) for key, sentence in words.items()}
    return filled  # type: ignore[no-any-return]


def named(words: Words, keys: Mapping[str, str]) -> Words:
    """Put the keys of facts for their short names, in braces and before sentences and steps of their own."""
    put: Any = words
    if isinstance(words, str):
        put = PLACEHOLDER.sub(lambda match: f"{{{keys.get(match[1], match[1])}}}", words)
    elif isinstance(words, dict):
        put = {keys.get(key, key): named(inner, keys) for key, inner in words.items()}
    elif isinstance(words, tuple):
        put = tuple(keys.get(inner) or named(inner, keys) for inner in words)
    elif isinstance(words, list):
        put = [named(inner, keys) for inner in words]
    return put  # type: ignore[no-any-return]


def failing_words(fails: Any, rule: Rule, faults: list[Fault]) -> str | dict[str, str] | None:
    """Check that every condition that may fail has its sentence; None when the words are no words at all."""
    if isinstance(fails, str) and fails:
        return fails
    if not isinstance(fails, dict) or not all(isinstance(word, str) for pair in fails.items() for word in pair):
        faults.append(Fault("fails", "must be a sentence, or a sentence for each fact of the rule"))
        return None
    if rule.negates:
        faults.append(Fault("fails", "a rule with `not` takes one sentence: which condition failed is not plain"))
    # A fact that only stands on the right of a comparison has no condition of its own.
    judged = set(judged_facts(rule.tree))
    faults += [Fault(f"fails.{key}", "the rule has no condition on this fact") for key in fails if key not in judged]
    faults += [Fault("fails", f"says nothing for {key}") for key in sorted(judged - set(fails))]
    return fails


def judged_facts(tree: Any) -> Iterable[str]:
    """Name the facts on the left of a condition, in the order of the tree."""
    for word in ("all", "any"):
        for node in tree.get(word, ()):
            yield from judged_facts(node)
    if "not" in tree:
        yield from judged_facts(tree["not"])
    if "fact" in tree:
        yield tree["fact"]


def check_words(check: Check, faults: list[Fault]) -> None:
    """Check that a sentence only speaks of what the verdict rests on."""
    known = set(check.facts)
    if check.rule and "subsetOf" in check.rule.operators:
        known.add(MISSING)
    sentences = {"title": check.title, "question": check.question, "passes": check.passes}
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
