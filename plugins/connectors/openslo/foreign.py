"""SLO formats beside OpenSLO v1, put into its words: OpenSLO v1alpha, Sloth's and Pyrra's files and Kubernetes objects.

After OpenSLO's v1alpha specification, Sloth's `prometheus/v1` and `sloth.slok.dev/v1`, Pyrra's `pyrra.dev/v1alpha1`.
What a format leaves to the tool's settings is taken as the tool has it by default, and the docs say so.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from plugins.promql import read

Fields = Mapping[str, Any]

SLOTH_PERIOD = "30d"
"""Sloth's default; another one is set for the generator, not in its files."""
PYRRA_PREFIX = "pyrra.dev/"
"""Labels that begin so are put on Pyrra's rules without it."""
PYRRA_SERVICE_LABELS = ("pyrra.dev/service", "service", "app.kubernetes.io/name", "app")
SELECTED_LABELS = ("service", "job")
"""Labels of the total's selectors that name the service where none of its own labels does."""
PROMQL = "Prometheus"

_UNITS = {"minute": "m", "hour": "h", "day": "d", "week": "w", "month": "M", "quarter": "Q", "year": "Y"}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")


def translate(value: Fields) -> list[dict[str, Any]] | None:
    """Return a document of another format as documents of openslo/v1; None when it is of none of them.

    Raises ValueError that says what is wrong with it.
    """
    version = value.get("apiVersion") or value.get("version")
    reader = _READERS.get(version) if isinstance(version, str) else None
    return None if reader is None else reader(value)


def _v1alpha(value: Fields) -> list[dict[str, Any]]:
    """OpenSLO's first draft: metrics stand in the objectives, or a threshold's in the indicator."""
    if value.get("kind") != "SLO":
        return [{**value, "apiVersion": "openslo/v1"}]
    spec = _object(value, "spec")
    threshold = (
        (spec.get("indicator") or {}).get("thresholdMetric") if isinstance(spec.get("indicator"), dict) else None
    )
    objectives = [
        {
            **{key: objective[key] for key in ("target", "value", "op") if key in objective},
            "indicator": {"metadata": {}, "spec": _alpha_metrics(objective, threshold)},
        }
        for objective in _objects(spec, "objectives")
    ]
    windows = spec.get("timeWindows")
    window = windows[0] if isinstance(windows, list) and windows and isinstance(windows[0], dict) else {}
    unit = _UNITS.get(str(window.get("unit", "")).lower(), "")
    made = {**spec, "objectives": objectives, "timeWindow": [{"duration": f"{window.get('count', '')}{unit}"}]}
    made.pop("indicator", None)
    return [{**value, "apiVersion": "openslo/v1", "spec": made}]


def _alpha_metrics(objective: Fields, threshold: Any) -> dict[str, Any]:
    ratio = objective.get("ratioMetrics")
    if isinstance(ratio, dict):
        parts = {key: _alpha_source(ratio[key]) for key in ("good", "bad", "total") if isinstance(ratio.get(key), dict)}
        return {"ratioMetric": parts}
    return {"thresholdMetric": _alpha_source(threshold)} if isinstance(threshold, dict) else {}


def _alpha_source(metric: Fields) -> dict[str, Any]:
    return {"metricSource": {"type": metric.get("source"), "spec": {"query": metric.get("query")}}}


def _sloth(value: Fields) -> list[dict[str, Any]]:
    """Sloth: one document holds the SLOs of one service; objectives are in percent, queries count errors."""
    spec = value if "version" in value else _object(value, "spec")
    service = spec.get("service")
    if not isinstance(service, str) or not service:
        raise ValueError("service is missing, or is no text: nothing says whose SLOs these are")
    common = _labels(spec)
    return [
        _slo(
            name=str(slo.get("name") or ""),
            service=service,
            labels={**common, **_labels(slo)},
            objective={"targetPercent": slo.get("objective")},
            metrics=_sloth_metrics(slo.get("sli")),
            window=SLOTH_PERIOD,
        )
        for slo in _objects(spec, "slos")
    ]


def _sloth_metrics(sli: Any) -> dict[str, Any]:
    """Read an SLI; the plain file writes error_query where the Kubernetes object writes errorQuery."""
    sli = sli if isinstance(sli, dict) else {}
    events, raw, plugin = (sli.get(key) for key in ("events", "raw", "plugin"))
    if isinstance(events, dict):
        bad = events.get("error_query") or events.get("errorQuery")
        return {
            "ratioMetric": {"bad": _query(bad), "total": _query(events.get("total_query") or events.get("totalQuery"))}
        }
    if isinstance(raw, dict):
        return {"ratioMetric": {"raw": _query(raw.get("error_ratio_query") or raw.get("errorRatioQuery"))}}
    if isinstance(plugin, dict):
        return {"ratioMetric": {"raw": {"metricSource": {"type": f"Sloth's plugin {plugin.get('id')}"}}}}
    return {}


def _pyrra(value: Fields) -> list[dict[str, Any]]:
    """Pyrra: one document is one SLO; its metrics are selectors, its target is in percent and often a text."""
    if value.get("kind") != "ServiceLevelObjective":
        raise ValueError(f"kind {str(value.get('kind'))[:60]} is none of Pyrra's; ServiceLevelObjective is read")
    metadata, spec = _object(value, "metadata"), _object(value, "spec")
    indicator = _object(spec, "indicator")
    labels = _labels(metadata)
    kind, total = _pyrra_total(indicator)
    own = {key.removeprefix(PYRRA_PREFIX): label for key, label in labels.items()}
    category = {"latency": "latency", "latencyNative": "latency", "bool_gauge": "availability"}.get(kind)
    objective: dict[str, Any] = {"targetPercent": _number(spec.get("target"))}
    metrics: dict[str, Any]
    if kind == "latencyNative":
        objective["value"] = _seconds(indicator[kind].get("latency"), "spec.indicator.latencyNative.latency")
        metrics = {"thresholdMetric": _query(total)}
    elif kind == "bool_gauge":
        metrics = {"ratioMetric": {"raw": _query(total)}}
    else:
        part, other = ("errors", "bad") if kind == "ratio" else ("success", "good")
        counted = _object(indicator[kind], part).get("metric")
        metrics = {"ratioMetric": {other: _query(counted), "total": _query(total)}}
    minutes = _seconds(spec.get("window"), "spec.window") / 60
    return [
        _slo(
            name=str(metadata.get("name") or ""),
            service=_pyrra_service(labels, total),
            labels={**({"sli": category} if category else {}), **own},
            objective=objective,
            metrics=metrics,
            window=f"{round(minutes)}m",
        )
    ]


def _pyrra_total(indicator: Fields) -> tuple[str, str]:
    """Return the kind of an indicator, and the selector that counts everything."""
    for kind in ("ratio", "latency", "latencyNative", "bool_gauge"):
        part = indicator.get(kind)
        if isinstance(part, dict):
            holder = part if kind == "bool_gauge" else _object(part, "total")
            metric = holder.get("metric")
            if not isinstance(metric, str) or not metric:
                raise ValueError(f"spec.indicator.{kind} names no metric")
            return kind, metric
    raise ValueError("spec.indicator has none of ratio, latency, latencyNative, bool_gauge")


def _pyrra_service(labels: Mapping[str, str], total: str) -> str:
    """Return whose SLO it is: by a label, or by what its total selects."""
    selected: dict[str, str] = {}
    for selector in read(total).selectors:
        selected |= selector.equals
    named = [labels.get(label) for label in PYRRA_SERVICE_LABELS] + [selected.get(label) for label in SELECTED_LABELS]
    service = next((name for name in named if name), None)
    if service is None:
        raise ValueError("nothing says whose SLO it is: give it the label pyrra.dev/service")
    return service


def _slo(*, name: str, service: str, labels: Fields, objective: Fields, metrics: Fields, window: str) -> dict[str, Any]:
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "service": service,
            "indicator": {"metadata": {"name": name}, "spec": metrics},
            "timeWindow": [{"duration": window}],
            "objectives": [objective],
        },
    }


def _query(expression: Any) -> dict[str, Any]:
    return {"metricSource": {"type": PROMQL, "spec": {"query": expression}}}


def _labels(holder: Fields) -> dict[str, str]:
    labels = holder.get("labels")
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}


def _object(holder: Fields, key: str) -> Fields:
    found = holder.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} is missing, or is no object")
    return found


def _objects(holder: Fields, key: str) -> list[Fields]:
    found = holder.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"{key} is empty, or is no list of objects")
    return found


def _number(value: Any) -> Any:
    """Return a number that was written as a text; anything else as it is, for the reader to refuse."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _seconds(value: Any, path: str) -> float:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f"{path} is no duration such as 4w, 30d or 200ms")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(value))


_READERS: Mapping[str, Callable[[Fields], list[dict[str, Any]]]] = {
    "openslo/v1alpha": _v1alpha,
    "prometheus/v1": _sloth,
    "sloth/v1": _sloth,
    "sloth.slok.dev/v1": _sloth,
    "pyrra.dev/v1alpha1": _pyrra,
}
FORMATS = ("openslo/v1", *_READERS)
"""The versions that are read."""
