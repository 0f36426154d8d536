"""Reads what OpsLevel asks of the files of a repository, as entries of the option `files`. Pure."""

from typing import Any

from scorecards.importing import plain_jq
from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, plain, short, slug
from scorecards.importing.products.filters import together
from scorecards.importing.products.predicates import version
from scorecards.importing.products.shared import Document, NotSaid
from scorecards.importing.repository_files import NotRead, beginning, by_jq, ending, entry, exactly

VERSION = r"\A\s*v?(\d[\w.+-]*)"
OPPOSITES = {
    "does_not_exist": "exists",
    "does_not_contain": "contains",
    "does_not_equal": "equals",
    "does_not_match_regex": "matches_regex",
}


def of_files(spec: Document, asked: Document | None, draft: Draft) -> dict[str, Any]:
    """Return the rule on files that a check names; what no source can read is answered by a fact that is pushed."""
    paths = _paths(spec)
    try:
        return _asked(paths, dict(asked or {}), draft)
    except NotRead as reason:
        if not asked:
            raise NotSaid(f"It looks for files that no source is asked for ({reason})") from None
        return _told_elsewhere(spec, paths, asked, draft, str(reason))


def searched(spec: Document, asked: Document | None, draft: Draft) -> dict[str, Any]:
    """Return the rule on whatever file of the repository holds something: whoever searches it all says so."""
    extensions = spec.get("file_extensions") or ()
    paths = [str(one) for one in extensions] if isinstance(extensions, list) else [str(extensions)]
    return _told_elsewhere(spec, paths, asked or {}, draft, "a source reads files by their names, and searches none")


def _paths(spec: Document) -> list[str]:
    """Return the paths that a check names, from the repository's root where it says so."""
    given = spec.get("file_paths") or spec.get("filepaths") or ()
    paths = [str(path).removeprefix("./").lstrip("/") for path in (given if isinstance(given, list) else [given])]
    if not any(paths):
        raise NotSaid("It names no file")
    if spec.get("directory_search"):
        paths = [f"{path.rstrip('/')}/*" for path in paths]
    return [f"/{path}" if spec.get("use_absolute_root") else path for path in paths]


def _asked(paths: list[str], asked: dict[str, Any], draft: Draft) -> dict[str, Any]:
    kind, value = str(asked.get("type") or "exists"), str(asked.get("value") or "")
    if kind in OPPOSITES:
        there = [] if kind == "does_not_exist" else [leaf(draft.read_file(entry(paths)), "equal", True)]
        found = _asked(paths, {**asked, "type": OPPOSITES[kind]}, draft)
        return together("all", [*there, {"not": found}])
    if kind == "satisfies_jq_expression":
        return _by_jq(paths, value, draft)
    if kind == "satisfies_version_constraint":
        return version(draft.read_file(entry(paths, "version", capture=VERSION)), value)
    questions: dict[str, dict[str, str]] = {
        "exists": {},
        "contains": {"contains": value},
        "equals": {"matches": exactly(value)},
        "starts_with": {"matches": beginning(value)},
        "ends_with": {"matches": ending(value)},
        "matches_regex": {"matches": value},
    }
    if kind not in questions:
        raise NotRead(f"its predicate {kind} computes its answer there")
    return leaf(draft.read_file(entry(paths, value if questions[kind] else "", **questions[kind])), "equal", True)


def _by_jq(paths: list[str], program: str, draft: Draft) -> dict[str, Any]:
    try:
        asked = plain_jq.read(program)
    except plain_jq.NotPlain as reason:
        raise NotRead(f"the jq program `{program}` would have to be run: {reason}") from None
    return together("any", [by_jq(path, asked, draft.read_file) for path in paths])


def _told_elsewhere(spec: Document, paths: list[str], asked: Document, draft: Draft, reason: str) -> dict[str, Any]:
    """Whatever reads the files, such as a step of the pipeline, says whether they hold what is asked for."""
    sought = " ".join(str(asked[part]).replace("_", " ") for part in ("type", "value") if asked.get(part))
    key = f"repo.contents.{slug(str(spec.get('name')))}"
    told = (
        f"Whether this is so of what stands in {', '.join(paths) or 'any file of the repository'}: {sought or 'exists'}"
    )
    draft.declare(key, "boolean", "", short(plain(f"{told} ({reason})"), 300))
    return leaf(key, "equal", True)
