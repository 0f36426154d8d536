"""Reads checks, tracks and collectors of Soundcheck. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Said, key_part, plain, slug, snake
from scorecards.importing.json_paths import NotPlainPath, steps_of_path
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying, by_backstage, together
from scorecards.importing.products.shared import (
    KINDS,
    MAX_DEPTH,
    MAX_LEVEL,
    OPERATORS,
    Document,
    NotSaid,
    condition,
    is_list_of,
    pushed,
)
from scorecards.importing.products.soundcheck_collectors import OF_FILES, collectors, is_collector

SECTIONS = ("checks", "tracks", "programs")
ENTITY = "catalog:default/entity_descriptor"
"""The fact that is the entity itself, as the catalog has it."""
ENTITY_ROOTS = frozenset({"metadata", "spec"})
COLLECTORS_APART = (
    "Facts of `scm` are read out of files, which the configuration of its collectors names: put it before the checks, "
    "with `---` between, and import both at once."
)


@dataclass(frozen=True)
class Place:
    """Where a track asks a check."""

    track: str
    level: int
    wanted: Document | None
    """What the track's filter asks of a service; None where it asks nothing."""
    told: Document
    """What the track says itself of the check."""


def is_soundcheck(content: Any) -> bool:
    """Say whether a document holds checks, or tracks, of Soundcheck."""
    return bool(listed(content)) or is_collector(content)


def listed(content: Any) -> list[Document]:
    """Return the checks and tracks of a document: one, a list, or the configuration's `soundcheck:`; else nothing."""
    if isinstance(content, list):
        return content if content and all(_is_check(one) or _is_track(one) for one in content) else []
    if not isinstance(content, Mapping):
        return []
    if _is_check(content) or _is_track(content):
        return [content]
    inner = content.get("soundcheck") or content
    sections = [inner.get(name) for name in SECTIONS] if isinstance(inner, Mapping) else []
    found = [one for section in sections if isinstance(section, list) for one in section]
    return listed(found)


def _is_check(one: Any) -> bool:
    return isinstance(one, Mapping) and "id" in one and isinstance(one.get("rule"), Mapping | list)


def _is_track(one: Any) -> bool:
    return isinstance(one, Mapping) and "id" in one and is_list_of(one.get("levels"))


def soundcheck(content: Any, draft: Draft, options: Options) -> None:
    """Read checks, tracks or collectors of Soundcheck."""
    if is_collector(content):
        collectors(content, draft)
        return
    found = listed(content)
    places = _places([one for one in found if _is_track(one)], draft)
    for check in found:
        if _is_check(check):
            asked = places.pop(str(check["id"]), [])
            draft.said.append(_checked(check, asked, draft, options))
    for check_id, asked in places.items():
        draft.said.append(_answered(check_id, asked, draft, options))
    if any(key.startswith(OF_FILES) and key not in draft.files for key in draft.facts):
        draft.notes.append(COLLECTORS_APART)


def _places(tracks: Sequence[Document], draft: Draft) -> dict[str, list[Place]]:
    """Return where the tracks ask each check, by its id."""
    found: dict[str, list[Place]] = {}
    for track in tracks:
        name = str(track.get("name", track["id"]))
        parts = _filtered(track, f"the track {name}", draft)
        wanted = together("all", parts) if parts else None
        levels = sorted(track["levels"], key=_ordinal)
        for number, level in enumerate(levels, 1):
            for check in _checks_of(level):
                told = check if isinstance(check, Mapping) else {"id": check}
                place = Place(name, min(number, MAX_LEVEL), wanted, told)
                found.setdefault(str(told.get("id") or told.get("name")), []).append(place)
    return found


def _ordinal(level: Document) -> float:
    """Levels without a number come first, in their order."""
    ordinal = level.get("ordinal")
    return ordinal if isinstance(ordinal, int | float) else 0


def _checks_of(level: Document) -> list[Any]:
    checks = level.get("checks")
    return [one for one in checks if one] if isinstance(checks, list) else []


def _filtered(given: Document, whose: str, draft: Draft) -> list[Document]:
    rules = [str(key) for key in given if str(key).lower().startswith("applicab") and given[key]]
    draft.notes += [f"The `{key}` of {whose} is not carried over: add it to `applies_to`." for key in rules]
    return by_backstage(given, draft.notes, whose)


def _item(check_id: str, told: Document, places: Sequence[Place], draft: Draft) -> Item:
    """Return what a check is called, on the lowest of the levels that ask it."""
    name = _words(str(told.get("name") or check_id))
    text = next(
        (str(one["description"]) for one in [told, *(place.told for place in places)] if one.get("description")), name
    )
    tracks = tuple(dict.fromkeys(place.track for place in places))
    level = min([place.level for place in places], default=None)
    if len({place.level for place in places}) > 1:
        levels = ", ".join(f"L{place.level} of {place.track}" for place in places)
        draft.notes.append(f"The check {check_id} stands on several levels ({levels}): it is asked on L{level}.")
    return Item(text, None, tracks[:1], name, "", level)


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _asked_by(places: Sequence[Place]) -> list[Document]:
    """Return what a service has to be for some track to ask the check of it; nothing where one asks it of all."""
    wanted = [place.wanted for place in places]
    distinct = [one for number, one in enumerate(wanted) if one is not None and one not in wanted[:number]]
    return [together("any", distinct)] if distinct and None not in wanted else []


def _checked(check: Document, places: Sequence[Place], draft: Draft, options: Options) -> Said:
    check_id = str(check["id"])
    item = _item(check_id, check, places, draft)
    words: dict[str, Any] = {}
    if check.get("passedMessage"):
        words["passes"] = plain(str(check["passedMessage"]))
    if check.get("failedMessage"):
        words |= {"fails": plain(str(check["failedMessage"])), "how_to_fix": [plain(str(check["failedMessage"]))]}
    own = _filtered(check, f"the check {check_id}", draft)
    words |= applying([*own, *(one for one in _asked_by(places) if one not in own)], "check" if own else "track")
    if "applies_to" in words and check.get("notApplicableMessage"):
        words["applies_to"] |= {"otherwise": plain(str(check["notApplicableMessage"]))}
    try:
        tree = _soundcheck_rule(check["rule"], draft, 1)
    except NotSaid as reason:
        return pushed(item, f"soundcheck.{slug(check_id)}", draft, options, f"{reason}.", words)
    return ruled(item, tree, draft, options, "Its rule is said as it stands.", words)


def _answered(check_id: str, places: Sequence[Place], draft: Draft, options: Options) -> Said:
    """A check that tracks name and whose rule stands elsewhere is answered by its result."""
    item = _item(check_id, places[0].told, places, draft)
    why = "The track names the check, whose rule stands elsewhere."
    words = applying(_asked_by(places), "track")
    return pushed(item, f"soundcheck.{slug(check_id)}", draft, options, why, words)


def _soundcheck_rule(rule: Any, draft: Draft, depth: int) -> dict[str, Any]:
    if isinstance(rule, list) and rule and depth <= MAX_DEPTH:
        return together("all", [_soundcheck_rule(one, draft, depth + 1) for one in rule])
    if not isinstance(rule, Mapping) or depth > MAX_DEPTH:
        raise NotSaid("It is no condition that is understood")
    found = [f"`{word}`" for word in ("all", "any", "not", "factRef") if word in rule]
    if len(found) > 1:
        raise NotSaid(f"It holds {' and '.join(found)} side by side")
    for group in ("all", "any"):
        if isinstance(rule.get(group), list):
            return {group: [_soundcheck_rule(one, draft, depth + 1) for one in rule[group]]}
    if "not" in rule:
        return {"not": _soundcheck_rule(rule["not"], draft, depth + 1)}
    key, what = _fact(rule)
    value = rule.get("value")
    if isinstance(value, Mapping) and "factRef" in value:
        return _compared(key, what, rule.get("operator"), value, draft)
    return condition(key, rule.get("operator"), value, what, draft)


def _fact(given: Document) -> tuple[str, str]:
    """Return the key of the fact that a condition names, and how it is called there."""
    reference, path = str(given.get("factRef", "")), str(given.get("path", "$"))
    source, _, rest = reference.partition(":")
    try:
        steps = steps_of_path(path)
    except NotPlainPath as reason:
        raise NotSaid(str(reason).capitalize()) from None
    if reference == ENTITY and steps and steps[0] in ENTITY_ROOTS:
        return ".".join(["entity", *steps]), f"{reference} at {path}"
    if not rest or any(key_part(step) != step.replace("-", "_") for step in steps):
        raise NotSaid(f"Its path {path} is more than names joined by dots")
    return ".".join([snake(source), key_part(rest.rpartition("/")[2]), *map(key_part, steps)]), f"{reference} at {path}"


def _compared(key: str, what: str, operator: Any, other: Document, draft: Draft) -> dict[str, Any]:
    """Return the condition that compares a fact with another one."""
    name = OPERATORS.get(str(operator), "")
    if KINDS.get(name) != "number" and name not in {"equal", "notEqual"}:
        raise NotSaid(f"Its operator {operator} is not asked of two facts here")
    against, called = _fact(other)
    for one, words in ((key, what), (against, called)):
        if not one.startswith("entity."):
            draft.declare(one, KINDS.get(name, "string"), "", f"What is read from {words}")
    return leaf(key, name, {"fact": against})
