"""Reads checks of OpsLevel by their kinds. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Outcome, Said, plain, short, slug, snake
from scorecards.importing.making import Options, known_axis, ruled
from scorecards.importing.products.shared import Document, pushed, rank

OPSLEVEL: dict[str, Callable[[Document], Any]] = {
    "has_owner": lambda _: "arch.owner",
    "service_ownership": lambda _: "arch.owner",
    "has_documentation": lambda _: leaf("entity.metadata.annotations.backstage.io/techdocs-ref", "exists", True),
    "has_repository": lambda _: leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True),
    "repository_integrated": lambda _: leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True),
    "has_recent_deploy": lambda spec: ("deploys.last_at", "datetime", "youngerThan", f"{int(spec.get('days', 30))}d"),
    "git_branch_protection": lambda _: ("repo.branch.protected", "boolean", "equal", True),
    "tag_defined": lambda spec: leaf(_label(spec), "exists", True),
    "service_dependency": lambda _: leaf("entity.relations.dependsOn", "exists", True),
}
"""Kinds of checks: the default check that asks the same, or the rule."""


def _label(spec: Document) -> str:
    return f"entity.metadata.labels.{spec.get('tagKey') or spec.get('tag_key')}"


def is_opslevel(content: Any) -> bool:
    """Say whether a document holds checks of OpsLevel."""
    return bool(_opslevel_checks(content))


def _opslevel_checks(content: Any) -> list[tuple[str, Document]]:
    if isinstance(content, Mapping):
        content = content.get("checks") or (content.get("rubric") or {}).get("checks") or [content]
    found = []
    for one in content if isinstance(content, list) else ():
        spec = one.get("spec") or one.get("Check") or one if isinstance(one, Mapping) else None
        kind = (one.get("kind") or one.get("Kind") or one.get("type")) if isinstance(one, Mapping) else None
        marks = {"category", "level", "filter", "categoryId", "levelId", "category_id", "level_id"}
        if isinstance(spec, Mapping) and isinstance(kind, str) and spec.get("name") and marks & spec.keys():
            found.append((snake(kind), spec))
    return found


def opslevel(content: Any, draft: Draft, options: Options) -> None:
    """Read checks of OpsLevel by their kinds; those that compute something are answered by their own result."""
    for kind, spec in _opslevel_checks(content):
        level = rank(["bronze", "silver", "gold", "platinum"], str(spec.get("level", "")).lower())
        item = Item(str(spec.get("notes") or spec["name"]), None, (), str(spec["name"]), "", level)
        axis = known_axis(spec.get("category"))
        words = {"axis": axis} if axis else {}
        narrowed = spec.get("filter") or spec.get("filterId") or spec.get("filter_id")
        if narrowed:
            name = f" {narrowed}" if isinstance(narrowed, str) else ""
            told = f"The check {item.name} is asked of those of its filter{name}, which stands elsewhere"
            draft.notes.append(f"{told}: add it to `applies_to`.")
        draft.said.append(_opslevel_check(item, kind, spec, draft, options, words))


def _opslevel_check(
    item: Item, kind: str, spec: Document, draft: Draft, options: Options, words: dict[str, Any]
) -> Said:
    if kind == "manual":
        statement = plain(item.text).rstrip(".") + "."
        made = ruled(item, {}, draft, options, "It is answered by people there, too.", words)
        definition = {key: value for key, value in made.definition.items() if key not in {"rule", "passes", "fails"}}
        definition |= {"attest": {"for": options.attested_for, "confirms": statement}}
        return Said(item, Outcome.ATTESTED, made.why, made.check, definition)
    if kind == "repository_file":
        paths = [str(path) for path in spec.get("filePaths") or spec.get("file_paths") or ()]
        draft.declare("repo.files", "set", "", "Paths of the files of the repository")
        tree = {"any": [leaf("repo.files", "contains", path) for path in paths]}
        return ruled(item, tree, draft, options, "It looks for a file.", words)
    said = OPSLEVEL[kind](spec) if kind in OPSLEVEL else None
    if isinstance(said, str):
        return Said(item, Outcome.EXISTING, "The catalogue asks it.", said)
    if isinstance(said, tuple):
        draft.declare(said[0], said[1], "", short(plain(item.name), 150))
        said = leaf(said[0], said[2], said[3])
    if said is None:
        key = f"opslevel.{slug(item.name)}"
        return pushed(item, key, draft, options, f"A check of the kind {kind} computes its answer there.", words)
    return ruled(item, said, draft, options, f"A check of the kind {kind} is said as a rule.", words)
