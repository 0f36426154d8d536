"""Dashboards in the v2 schema (`dashboard.grafana.app/v2…`, Grafana 12 and later), told in the classic shape.

The shapes are those of Grafana's own `apps/dashboard/kinds/v2alpha1|v2beta1|v2/dashboard_spec.cue`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from plugins.contract import PullFailed

REFUSED = 406
"""How the classic API answers for a dashboard in the v2 schema; it names the path at which that is to be had."""
_PATH = re.compile(r"(?<=/)apis/dashboard\.grafana\.app/v\d\w*/namespaces/[\w.-]+/dashboards/[\w.-]+")
_SAVED = "grafana.app/updatedTimestamp"
_TYPES = {"TextVariable": "textbox", "CustomVariable": "custom", "ConstantVariable": "constant"}
"""The classic names of variables that hold their values themselves."""
_MAX_DEPTH = 30
"""Rows and tabs may hold each other."""

Entry = Mapping[str, Any]


def path_named_by(failure: PullFailed) -> str | None:
    """Return the path at which Grafana keeps a dashboard that its classic API refuses; None for another failure."""
    found = _PATH.search(failure.message) if failure.status == REFUSED else None
    return found.group() if found else None


def read(answer: Any) -> tuple[Entry, Any]:
    """Return a dashboard's classic model and the time at which it was saved, of an answer of either API.

    Raises KeyError, ValueError, TypeError or AttributeError for an answer of another shape.
    """
    if "spec" in answer:
        metadata = answer.get("metadata") or {}
        saved = (metadata.get("annotations") or {}).get(_SAVED) or metadata.get("creationTimestamp")
        model = answer["spec"]
    else:
        model, saved = answer["dashboard"], (answer.get("meta") or {}).get("updated")
    return (_classic(model) if "elements" in model and "panels" not in model else model), saved


def _classic(spec: Entry) -> Entry:
    """Return the panels that the layout shows, and the variables of the dashboard, its rows and its tabs."""
    elements, layout = spec["elements"], spec.get("layout")
    placed = list(_of_kind(layout, "ElementReference"))
    shown = [elements[name] for name in (one.get("name") for one in placed) if name in elements]
    panels = [_panel(one["kind"], one["spec"]) for one in (shown if layout else elements.values())]
    return {"panels": panels, "templating": {"list": list(_variables(spec))}}


def _of_kind(node: Any, kind: str, depth: int = _MAX_DEPTH) -> Iterator[Entry]:
    """Yield the objects of a kind anywhere in a layout, those within each other too."""
    if not depth or not isinstance(node, dict | list):
        return
    if isinstance(node, dict) and node.get("kind") == kind:
        yield node
    for part in node.values() if isinstance(node, dict) else node:
        yield from _of_kind(part, kind, depth - 1)


def _panel(kind: str, spec: Entry) -> Entry:
    if kind == "LibraryPanel":
        return {"title": spec.get("title"), "libraryPanel": spec["libraryPanel"]}
    if kind != "Panel":
        raise ValueError(f"an element of kind {kind!r}, which is not known yet")
    queries = _specs(spec["data"]["spec"].get("queries"))
    targets = [_target(one, one["query"]) for one in queries if isinstance(one.get("query"), dict)]
    return {"title": spec.get("title"), "id": spec.get("id"), "targets": targets}


def _specs(entries: Any) -> list[Entry]:
    """Return what a list's entries specify, without those that are none."""
    return [one["spec"] for one in entries or [] if isinstance(one, dict) and isinstance(one.get("spec"), dict)]


def _target(query: Entry, asked: Entry) -> Entry:
    """Return a query in the classic shape; v2alpha1 names the type of its data source by the query's kind."""
    source = asked.get("group") if asked.get("kind") == "DataQuery" else asked.get("kind")
    source = source or (query.get("datasource") or {}).get("type")
    return {**(asked.get("spec") or {}), **({"datasource": {"type": source}} if source else {})}


def _variables(spec: Entry) -> Iterator[Entry]:
    """Yield the variables in the classic shape."""
    kinds = ("RowsLayoutRow", "TabsLayoutTab")
    groups = _specs([group for kind in kinds for group in _of_kind(spec.get("layout"), kind)])
    for written in (entry for holder in (spec, *groups) for entry in holder.get("variables") or []):
        for variable in _specs([written]):
            yield {**variable, "type": _TYPES.get(str(written.get("kind")), "query")}
