"""Reads checks, tracks and collectors of Soundcheck. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scorecards.importing.drafts import Draft, Item, Said, key_part, plain, slug, snake
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.shared import MAX_DEPTH, MAX_LEVEL, Document, NotSaid, condition, is_list_of, pushed


def is_soundcheck(content: Any) -> bool:
    """Say whether a document is a list of checks, or of tracks, of Soundcheck."""
    return is_list_of(content, "id", "rule") or is_list_of(content, "levels", "id") or is_collector(content)


def is_collector(content: Any) -> bool:
    """Say whether a document says how facts of Soundcheck are collected."""
    return isinstance(content, Mapping) and is_list_of(content.get("collects"), "factName")


def soundcheck(content: Any, draft: Draft, options: Options) -> None:
    """Read checks, tracks or collectors of Soundcheck."""
    if is_collector(content):
        _collectors(content, draft)
    elif is_list_of(content, "levels"):
        for track in content:
            _track(track, draft, options)
    else:
        for check in content:
            name = str(check.get("name") or check["id"])
            item = Item(str(check.get("description") or _words(name)), name=_words(name))
            draft.said.append(_checked(item, check, draft, options))


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _checked(item: Item, check: Document, draft: Draft, options: Options) -> Said:
    words: dict[str, Any] = {}
    if check.get("passedMessage"):
        words["passes"] = plain(str(check["passedMessage"]))
    if check.get("failedMessage"):
        words |= {"fails": plain(str(check["failedMessage"])), "how_to_fix": [plain(str(check["failedMessage"]))]}
    try:
        tree = _soundcheck_rule(check["rule"], draft, 1)
    except NotSaid as reason:
        return pushed(item, f"soundcheck.{slug(str(check['id']))}", draft, options, f"{reason}.", words)
    return ruled(item, tree, draft, options, "Its rule is said as it stands.", words)


def _soundcheck_rule(rule: Any, draft: Draft, depth: int) -> dict[str, Any]:
    if not isinstance(rule, Mapping) or depth > MAX_DEPTH:
        raise NotSaid("It is no condition that is understood")
    for group in ("all", "any"):
        if isinstance(rule.get(group), list):
            return {group: [_soundcheck_rule(one, draft, depth + 1) for one in rule[group]]}
    if "not" in rule:
        return {"not": _soundcheck_rule(rule["not"], draft, depth + 1)}
    reference, path = str(rule.get("factRef", "")), str(rule.get("path", "$"))
    source, _, rest = reference.partition(":")
    steps = path.removeprefix("$").strip(".").split(".")
    if not rest or any(step != key_part(step) for step in steps if step):
        raise NotSaid(f"Its path {path} is more than names joined by dots")
    key = ".".join([snake(source), key_part(rest.rpartition("/")[2]), *(step for step in steps if step)])
    return condition(key, rule.get("operator"), rule.get("value"), f"{reference} at {path}", draft)


def _track(track: Document, draft: Draft, options: Options) -> None:
    """Place the checks of a track on its levels; one whose rule stands elsewhere is answered by its result."""
    levels = sorted(track["levels"], key=lambda one: one.get("ordinal", 0))
    for number, level in enumerate(levels, 1):
        for check in level.get("checks") or ():
            name = str(check.get("name") or check.get("id"))
            text = str(check.get("description") or name)
            item = Item(text, None, (str(track.get("name", track["id"])),), name, "", min(number, MAX_LEVEL))
            key = f"soundcheck.{slug(str(check.get('id') or name))}"
            why = "The track names the check, whose rule stands elsewhere."
            draft.said.append(pushed(item, key, draft, options, why))


def _collectors(content: Document, draft: Draft) -> None:
    """Collectors ask nothing: they say where facts come from."""
    names = ", ".join(str(one["factName"]) for one in content["collects"])
    hours = _hours(content)
    aged = f", to be trusted for {hours} hours" if hours else ""
    draft.notes.append(
        f"It collects facts and asks nothing of them: {names}{aged}. Import the checks that ask for them."
    )


def _hours(content: Document) -> int:
    duration = (content.get("cache") or {}).get("duration") or {}
    known = {name: value for name, value in duration.items() if name in {"weeks", "days", "hours", "minutes"}}
    return int(timedelta(**known).total_seconds() // 3600)
