"""Which metrics a dashboard shows: its panels walked through, its template variables expanded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plugins.promql import read

PROMQL_DATASOURCES = ("prometheus", "victoriametrics-metrics", "victoriametrics-datasource")
"""Parts of the types of data sources that are asked in PromQL; Amazon's and Azure's contain `prometheus`."""
MAX_VALUES = 50
"""Values of one template variable that are tried in metric names."""
MAX_DEPTH = 5
"""Rows are one level deep; a library panel can be a row's."""


@dataclass
class Shown:
    """What the panels of a dashboard show."""

    metrics: set[str] = field(default_factory=set)
    library_panels: set[str] = field(default_factory=set)
    """Uids of library panels whose queries are kept elsewhere."""
    faults: list[str] = field(default_factory=list)


def metrics_of(model: Mapping[str, Any]) -> Shown:
    """Walk through a dashboard's JSON model of the classic schema."""
    shown = Shown()
    variables = variables_of(model)
    for panel in _panels([model], MAX_DEPTH):
        library = panel.get("libraryPanel")
        uid = library.get("uid") if isinstance(library, dict) else None
        if uid and not _dicts(panel.get("targets")):
            shown.library_panels.add(str(uid))
        read_panel(panel, variables, shown)
    return shown


def read_panel(panel: Mapping[str, Any], variables: Mapping[str, Sequence[str]], shown: Shown) -> None:
    """Add what one panel shows. Hidden queries count: they feed the panel's own expressions."""
    for target in _dicts(panel.get("targets")):
        expression = target.get("expr")
        asked_in_promql = _asks_promql(target.get("datasource") or panel.get("datasource"))
        if not isinstance(expression, str) or not expression.strip() or asked_in_promql is False:
            continue
        query = read(expression, variables)
        if query.parsed or asked_in_promql:
            shown.metrics |= query.metrics
        if not query.parsed and asked_in_promql:
            shown.faults.append(
                f"panel {panel.get('title') or panel.get('id')!r}: no PromQL that we know, read word by word: "
                f"{expression.strip()[:120]!r}"
            )


def variables_of(model: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values that each template variable has in the saved dashboard."""
    templating = model.get("templating")
    found = _dicts(templating.get("list")) if isinstance(templating, dict) else []
    return {str(variable["name"]): _values(variable) for variable in found if variable.get("name")}


def _panels(holders: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield all panels: those of the dashboard, of collapsed rows, and of the rows of schemas before version 16."""
    if depth == 0:
        return
    for holder in holders:
        panels = _dicts(holder.get("panels"))
        yield from panels
        yield from _panels([*panels, *_dicts(holder.get("rows"))], depth - 1)


def _asks_promql(datasource: Any) -> bool | None:
    """Say whether a query goes to a data source that speaks PromQL; None when the dashboard does not tell."""
    kind = datasource.get("type") if isinstance(datasource, dict) else None
    if not isinstance(kind, str) or not kind:
        return None
    return any(part in kind.lower() for part in PROMQL_DATASOURCES)


def _values(variable: Mapping[str, Any]) -> list[str]:
    current = variable.get("current")
    chosen = current.get("value") if isinstance(current, dict) else None
    values = list(chosen) if isinstance(chosen, list) else [chosen]
    values += [option.get("value") for option in _dicts(variable.get("options"))]
    query = variable.get("query")
    if isinstance(query, str) and variable.get("type") in {"constant", "textbox"}:
        values.append(query)
    if isinstance(query, str) and variable.get("type") == "custom":
        values += [part.rpartition(" : ")[2].strip() for part in query.split(",")]
    texts = (value for value in values if isinstance(value, str) and value and not value.startswith("$__"))
    return list(dict.fromkeys(texts))[:MAX_VALUES]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
