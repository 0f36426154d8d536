"""Finds what a document of lists and mappings (YAML, JSON) asks for. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scorecards.importing.drafts import Item
from scorecards.importing.statements import WORDS, bare

TEXTS = (
    *("question", "questiontext", "text", "statement", "requirement", "check", "item", "criterion", "control", "task"),
    *("short", "description", "successmessage", "title", "name"),
)
ANSWERS = {"answer", "value", "score", "answertext"}
NAMES = ("title", "name", "label", "summary")
GROUPS = (
    "scorecard_name",
    "category",
    "subcategory",
    "section",
    "sectionname",
    "group",
    "area",
    "axis",
    "topic",
    "pillar",
)
"""Fields that say what an entry belongs to."""
WHYS = (
    *("details", "rationale", "help", "notes", "why", "why_it_matters", "reason", "impact", "guidance", "explanation"),
    "description",
)
REMEDIES = (
    *("remediation", "remedy", "fix", "how_to_fix", "recommendation", "recommendations", "mitigation", "mitigations"),
    *("improvementplan", "failuremessage"),
)
GRADES = ("priority", "severity", "criticality", "importance", "level", "required", "risk", "category")
GRADE = re.compile(
    r"(true|false|yes|no|must|shall|should|may|suggested|required|mandatory|optional|recommended|critical|blocker|"
    r"high(est)?|medium|low(est)?|major|minor|urgent|p?\d|l\d|bronze|silver|gold|platinum|[高中低])",
    re.IGNORECASE,
)
"""What a field of words has to say so that it grades; else it is told apart as a name or an explanation."""
ASIDES = frozenset(
    {
        *("tags", "labels", "links", "options", "answers", "references", "evidence", "owners", "links", "keywords"),
        *("examples", "authors", "resources", "roles", "tools", "values", "choices", "see", "sources", "maintainers"),
        *("detect", "detection", "match", "params", "schema", "mutations", "scope", "helpfulresource", "contact"),
        *("riskrules", "status", "statuses", "severities", "yesno"),
        *("metadata", "meta"),
    }
)
"""Lists and mappings beside what is asked."""
BESIDE = frozenset({*WHYS, *REMEDIES})
"""Lists beside what an entry asks; where there is no entry, their lines are all there is."""
KINDS = frozenset({"categories", "levels", "groups", "tracks", "waf"})
"""Lists of what entries are sorted by, where their own entries have but names."""
ABOUT = frozenset(
    {
        *("source", "source url", "author", "version", "license", "licence", "date", "url", "link", "schema version"),
        *("last updated", "last reviewed", "updated", "created", "generated", "title", "language", "slug", "icon"),
    }
)
"""Keys that tell of the document or of an entry, and ask nothing."""
OPEN_ANSWERS = frozenset(
    {"", "yes", "no", "true", "false", "y", "n", "n/a", "na", "tbd", "todo", "done", "pending", "?"}
)
PRACTICE = frozenset({"improvementplan", "helpfulresource"})
"""What a choice of a questionnaire has that is a practice to follow, and not an answer."""
DETECTING = ("detect", "detection", "match")
"""What tells a program how to find the trouble that the entry describes."""
STATED = frozenset({"exists", "done", "present", "implemented", "completed", "status", "answer"})
"""Fields that say how it is, which is open in a template."""
BESIDE_STATED = frozenset({"url", "urls", "link", "links", "notes", "comment", "comments", "evidence", "owner", "date"})
COMMENTS = ("//", "_comment", "$comment", "comment")
INFORMING = frozenset({"banner", "info", "information", "note", "heading"})
"""Types of entries that ask nothing."""
NONE_OF_THEM = re.compile(r"none of (these|those|the above|them)\b.{0,20}", re.IGNORECASE)
NONE_ID = re.compile(r"(.*_)?none(_?of_?(these|those|them|the_?above))?", re.IGNORECASE)
"""The choice of a questionnaire that denies all the others."""


def load_json(text: str) -> Any:
    """Read JSON; keys that stand twice are refused unless they are comments. Raises ValueError."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = [(key, value) for key, value in pairs if key not in COMMENTS]
    found = dict(kept)
    if len(found) < len(kept):
        raise ValueError("a key stands twice")
    return found


def entries_of(content: Any, section: tuple[str, ...] = (), key: str = "") -> Iterator[Item]:
    """Find what is asked: entries with a text of their own, plain texts in lists, names with an answer beside.

    `key` is what the document calls the content, where a mapping holds it.
    """
    if isinstance(content, list):
        for one in content:
            if isinstance(one, str):
                yield Item(bare(one), None, section)
            else:
                yield from entries_of(one, section, key)
    elif isinstance(content, Mapping):
        yield from _of_mapping(content, section, key)


def without_order(content: Any) -> Any:
    """Return a document with its ordered mappings (`!!omap` in YAML, read as lists of pairs) as plain ones."""
    if isinstance(content, Mapping):
        return {key: without_order(value) for key, value in content.items()}
    if not isinstance(content, list):
        return content
    if content and all(isinstance(one, tuple) and len(one) == 2 for one in content):
        return {str(key): without_order(value) for key, value in content}
    return [without_order(one) for one in content]


def _of_mapping(content: Mapping[Any, Any], section: tuple[str, ...], key: str) -> Iterator[Item]:
    fields = {str(name).lower(): value for name, value in content.items()}
    inner = {str(name): value for name, value in content.items() if isinstance(value, list | dict)}
    text = _text(fields)
    name = _first(fields, NAMES)
    group = _first(fields, GROUPS)
    if not (text or name or group) and (_grade(fields) or _is_open_answer(fields)):
        text = key.replace("_", " ").replace("-", " ")  # `runbook: {required: true}`, `readme: {exists: , urls: }`
    if _grade(fields) or "id" in fields or _first(fields, TEXTS[:-2]):
        inner = {one: value for one, value in inner.items() if one.lower() not in BESIDE}
    if text and not any(_holds_entries(one, value) for one, value in inner.items()):
        if not _informs(fields, key):
            yield _item(fields, text, name or key, (*section, bare(group)) if group and group != text else section)
        return
    head = name or text or group
    if not head:
        yield from _answered(content, section)
    under = (*section, bare(head)) if head else section
    for one, value in inner.items():
        if _holds_entries(one, value) or not (_is_aside(one) or one.lower() in KINDS):
            is_entry = isinstance(value, Mapping) and bool(_text({str(part).lower(): value[part] for part in value}))
            known = head or is_entry
            yield from entries_of(value, under if known else (*section, bare(one.replace("_", " "))), one)


def _item(fields: Mapping[str, Any], text: str, name: str, section: tuple[str, ...]) -> Item:
    detail = next((found for one in WHYS if (found := _told(fields.get(one))) and found != bare(text)), "")
    remedy = next((found for one in REMEDIES if (found := _told(fields.get(one)))), "")
    own = bare(name.replace("_", " ")) if name != text else ""
    own = "" if own == bare(text) else own
    is_finding = any(isinstance(fields.get(one), Mapping) for one in DETECTING)
    return Item(bare(text), None, section, own, detail, grade=_grade(fields), remedy=remedy, is_finding=is_finding)


def _grade(fields: Mapping[str, Any]) -> str:
    return bare(" ".join(str(fields[one]) for one in GRADES if GRADE.fullmatch(str(fields.get(one)).strip())))


def _told(value: Any) -> str:
    """Return an explanation, which may be a list of sentences or stand in a field of its own."""
    if isinstance(value, Mapping):
        value = value.get("displayText") or value.get("text")
    if isinstance(value, list):
        value = " ".join(one.strip() for one in value if isinstance(one, str))
    return bare(value) if isinstance(value, str) and WORDS.search(value) else ""


def _answered(content: Mapping[Any, Any], section: tuple[str, ...]) -> Iterator[Item]:
    """`{"Has a runbook": true}`, `{SRE-1: The service has an owner}`: the longer of the two says what is asked."""
    for key, value in content.items():
        key_words, words = str(key).replace("_", " "), value if isinstance(value, str) else ""
        if key_words.lower() in ABOUT or str(key).startswith("_"):
            continue
        if len(words.split()) > 2:
            yield Item(bare(words), None, section, bare(key_words))
        elif len(key_words.split()) > 1 and not isinstance(value, list | dict) and _is_open(str(key), value):
            yield Item(bare(key_words), None, section)


def _is_open_answer(fields: Mapping[str, Any]) -> bool:
    """Say whether an entry holds nothing but how it is, and where that can be seen."""
    told = [value for one, value in fields.items() if one in STATED]
    known = fields.keys() <= STATED | BESIDE_STATED
    return known and bool(told) and all(one is None or str(one).strip().lower() in OPEN_ANSWERS for one in told)


def _is_open(key: str, value: Any) -> bool:
    """A key of words asks by itself; one of a program, such as `has_runbook`, where its value is yes, no or open."""
    return " " in key or value is None or isinstance(value, bool) or str(value).strip().lower() in OPEN_ANSWERS


def _text(fields: Mapping[str, Any]) -> str:
    """Return what an entry asks; a title that is a question goes before what describes it."""
    title = _first(fields, ("title", "name"))
    return title if title.rstrip().endswith(("?", "\uff1f")) else _first(fields, TEXTS)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = (str(fields[one]) for one in names if isinstance(fields.get(one), str) and WORDS.search(fields[one]))
    return next((one for one in found if not GRADE.fullmatch(one.strip())), "")


def _holds_entries(key: str, value: Any) -> bool:
    """Say whether something holds entries of its own, and not just the answers to choose from or words beside."""
    entries = value if isinstance(value, list) else list(value.values())
    keys = [{str(inner).lower() for inner in one} for one in entries if isinstance(one, Mapping)]
    if key.lower() in KINDS and not any(isinstance(one, list | dict) for each in entries for one in _values(each)):
        return False
    if _is_aside(key):
        return key.lower() == "choices" and bool(keys) and any(one & PRACTICE for one in keys)
    are_answers = bool(keys) and all(one & ANSWERS for one in keys)
    texts = isinstance(value, list) and any(isinstance(one, str) and len(one.split()) > 2 for one in value)
    return not are_answers and (texts or any(one & {*TEXTS, *NAMES, *GROUPS} for one in keys))


def _values(entry: Any) -> list[Any]:
    return list(entry.values()) if isinstance(entry, Mapping) else []


def _is_aside(key: str) -> bool:
    return key.lower() in ASIDES or key.startswith("_")


def informing(content: Any, key: str = "") -> int:
    """Count the entries of a questionnaire that inform and ask nothing; `key` as in `entries_of`."""
    if isinstance(content, list):
        return sum(informing(one, key) for one in content)
    if not isinstance(content, Mapping):
        return 0
    if _informs({str(name).lower(): value for name, value in content.items()}, key):
        return 1
    return sum(informing(value, str(name)) for name, value in content.items())


def _informs(fields: Mapping[str, Any], key: str) -> bool:
    """Say whether an entry asks nothing: a heading, or the choice that denies the others."""
    if str(fields.get("type", "")).lower() in INFORMING:
        return True
    return key.lower() == "choices" and bool(
        NONE_ID.fullmatch(str(fields.get("id", ""))) or NONE_OF_THEM.fullmatch(_text(fields).strip())
    )
