"""Makes a check of an item: one that exists, a rule over facts, or one that people attest. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugins.contract import FactSpec
from scorecards.checks.definitions import Axis
from scorecards.importing.drafts import Draft, Item, Outcome, Said, plain, short, slug
from scorecards.importing.statements import (
    CODE,
    Kind,
    axis_of,
    confirms,
    insists,
    is_certain,
    is_of_team,
    is_optional,
    is_unwanted,
    kind_of,
    level_of,
    stated,
)
from scorecards.importing.topics import Found, fact_declarations, topic_of

WHAT_IT_IS = {
    Kind.OPEN_QUESTION: "It is an open question",
    Kind.CHOICE: "It is something to weigh up",
    Kind.TOPIC: "It is a topic and states nothing",
}
FACT = re.compile(r"\b[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+\b")
RELATED = re.compile(r"(every )?related\.([A-Za-z][\w.]*)")
PHRASE_ENDS = " .:;,"
MAX_STEP = 500
MEANT = frozenset({Kind.STATEMENT, Kind.QUESTION, Kind.TOPIC})
"""What may be meant as a check of the catalogue has it; what is to be weighed up may not."""


@dataclass(frozen=True)
class Options:
    """How new checks are made."""

    prefix: str
    """Of their ids."""
    known: Mapping[str, FactSpec]
    """The facts that are declared already."""
    level: int = 2
    """Of what the document gives no level."""
    attested_for: str = "180d"


def said(item: Item, draft: Draft, options: Options) -> Said:
    """Return what becomes of a line of a checklist."""
    kind = kind_of(item.text)
    if kind is Kind.PLACEHOLDER:
        return Said(item, Outcome.NOT_SAID, "It states nothing: a placeholder, a mark or a bare link.")
    if is_unwanted(item):
        return attested(item, kind, draft, options, "It tells what must not be so; a person confirms that it is not.")
    is_open = kind is Kind.OPEN_QUESTION
    topic = topic_of(item.text, item.name, item.section, is_open) if is_open or kind in MEANT else None
    if topic and topic.beside:
        return attested(item, kind, draft, options, _near(topic))
    if topic and topic.topic.check:
        return Said(item, Outcome.EXISTING, f"The catalogue asks it: “{topic.words}”.", topic.topic.check)
    if topic:
        return _by_rule(item, topic, draft, options)
    return attested(item, kind, draft, options)


def _near(topic: Found) -> str:
    """Say why a line that mentions something known is not taken for it."""
    by = f"the check {topic.topic.check}" if topic.topic.check else f"the rule `{topic.rule}`"
    beside = ", ".join(dict.fromkeys(topic.beside[:4]))
    return f"It says more than {by} asks ({short(beside, 60)}), so a person confirms it."


def _by_rule(item: Item, topic: Found, draft: Draft, options: Options) -> Said:
    if topic.rule in draft.rules:
        return Said(item, Outcome.AUTOMATIC, "Another line asks the same.", draft.rules[topic.rule])
    lacking = []
    declared = fact_declarations()
    for key in FACT.findall(topic.rule):
        if key in declared and key not in options.known:
            fact = declared[key]
            draft.declare(key, fact["type"], fact.get("unit", ""), fact["description"])
            if "read" in fact:
                draft.files[key] = {"fact": key, **fact["read"]}
            lacking.append(key)
    why = f"The words “{topic.words}” tell the rule"
    why += f"; something has to supply {', '.join(dict.fromkeys(lacking))}." if lacking else "."
    return ruled(item, topic.rule, draft, options, why)


def ruled(
    item: Item, rule: Any, draft: Draft, options: Options, why: str, words: Mapping[str, Any] | None = None
) -> Said:
    """Return a new check that facts answer; `words` are what the document says itself of passing, failing and so on."""
    definition = common(item, draft, options) | {"rule": rule} | _sentences(item, rule, draft, options)
    definition |= dict(words or {})
    if isinstance(rule, str):
        draft.rules[rule] = definition["id"]
    return Said(item, Outcome.AUTOMATIC, why, definition["id"], definition)


def _sentences(item: Item, rule: Any, draft: Draft, options: Options) -> dict[str, str]:
    """Tell a verdict by what was seen; the line itself says what is asked for."""
    asked = short(plain(item.text).rstrip(PHRASE_ENDS), 200)
    keys = dict.fromkeys(_facts_of(rule))
    seen = [f" {_description(key, draft, options)}: {{{key}}}." for key in keys]
    shown = "".join(seen)
    lacking = f"{shown}{_around(rule)}"
    return {"passes": f"This holds: “{asked}”.{shown}", "fails": f"This does not hold: “{asked}”.{lacking}"}


def _around(rule: Any) -> str:
    """Name the related entities that a verdict rests on."""
    if isinstance(rule, str):
        match = RELATED.search(rule)
        relation, which = (match[2], (match[1] or "").strip()) if match else (None, None)
    else:
        relation, which = rule.get("related"), rule.get("which")
    if not relation:
        return ""
    return f" {'These fall short' if which == 'every' else 'Found'}: {{related.{relation}}}."


def _description(key: str, draft: Draft, options: Options) -> str:
    declared = draft.facts.get(key)
    spec = options.known.get(key)
    words = declared["description"] if declared else spec.description if spec else key
    return plain(str(words)).rstrip(PHRASE_ENDS)


def _facts_of(rule: Any) -> list[str]:
    """Name the facts of a rule, in order; fields of the entity are not told, since they may be anything."""
    if isinstance(rule, str) and RELATED.search(rule):
        return []  # what it looks at is not the service's own
    if isinstance(rule, str):
        return [key for key in FACT.findall(re.sub(r"'[^']*'", "", rule)) if not key.startswith("entity.")]
    found: list[str] = []
    for word in ("all", "any"):
        found += [key for node in rule.get(word, ()) for key in _facts_of(node)]
    if "not" in rule:
        found += _facts_of(rule["not"])
    if "fact" in rule and not rule["fact"].startswith("entity."):
        found.append(rule["fact"])
    return found


def attested(item: Item, kind: Kind, draft: Draft, options: Options, why: str = "") -> Said:
    """Return a new check that people answer."""
    statement = confirms(item, kind)
    definition = common(item, draft, options) | {"attest": {"for": options.attested_for, "confirms": statement}}
    if kind in WHAT_IT_IS:
        # It says little, so it bars little; unless the document insists on this very line.
        definition |= {} if insists(item) else {"level": level_of(item) or 4, "criticality": "minor"}
        why = why or f"{WHAT_IT_IS[kind]}: what can be confirmed is that it is answered, or taken care of."
    why = why or "No fact that we know of shows it; a person confirms it with evidence."
    if is_of_team(item):
        why += " It speaks of a team: each of its services is asked."
    return Said(item, Outcome.ATTESTED, why, definition["id"], definition)


def common(item: Item, draft: Draft, options: Options) -> dict[str, Any]:
    """Return what every new check says, whatever answers it."""
    text = plain(item.text)
    is_code = bool(CODE.fullmatch(item.name))
    title = _title(text) if is_code or not item.name else short(plain(item.name))
    optional = is_optional(item)
    criticality = "minor" if optional else "blocker" if is_certain(item) else "major"
    where = f"#L{item.line}" if item.line else ""
    heading = " › ".join(plain(one) for one in item.section)
    level = level_of(item) or (4 if optional else options.level)
    return {
        "id": draft.new_id(options.prefix, item.name if is_code else title),
        "title": title,
        "question": _question(item, text),
        "axis": axis_of(item).value,
        "level": level,
        "weight": 1 if optional else 3,
        "criticality": criticality,
        "why": plain(item.detail) or f"{draft.name} asks for it{f' under “{heading}”' if heading else ''}.",
        "how_to_fix": [short(plain(item.remedy), MAX_STEP) if item.remedy else _step(item, text)],
        "guide": f"{draft.name}{where}",
    }


def _title(text: str) -> str:
    """Return the beginning of a line as its name."""
    return short(re.split(r"(?<=\w)[.;](?:\s|$)| \(|: ", text)[0] or text, 80)


def _question(item: Item, text: str) -> str:
    if text.endswith("?"):
        return text
    asked = "Is this ruled out" if is_unwanted(item) else "Does this hold"
    return f"{asked}: “{short(stated(text), 300)}”?"


def _step(item: Item, text: str) -> str:
    if text.endswith("?"):
        return f"Find the answer and write it down: {short(text, 200)}"
    wanted = "is not so" if is_unwanted(item) else "holds"
    return f"See that this {wanted}: “{short(stated(text), 200)}”."


def known_axis(word: Any) -> str | None:
    """Return the axis that another product's category names, where it plainly names one."""
    text = slug(str(word))
    by_name = {axis.value: axis.value for axis in Axis}
    other = {
        "reliability": "architecture",
        "security": "architecture",
        "scalability": "capacity",
        "incident_management": "emergency",
        "delivery": "change",
        "quality": "change",
        "infrastructure": "architecture",
        "ownership": "architecture",
    }
    return by_name.get(text) or other.get(text)
