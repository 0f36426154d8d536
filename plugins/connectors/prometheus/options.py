"""What may be set under `options:` of a Prometheus source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from string import Template
from typing import Any

import marshmallow
from marshmallow import Schema, validate

from plugins.connectors.prometheus.measurements import QUERIES, REQUESTS, Measurement
from plugins.connectors.prometheus.own_facts import FactSchema, are_distinct, measurements
from plugins.own_facts import MAX_DECLARED

_LABEL = validate.Regexp(r"^[a-zA-Z_][a-zA-Z0-9_]*$", error="must be a Prometheus label name")
LABEL_QUERY = f'count by ($service_label) ({REQUESTS}{{$label!=""}})'
_DAYS = validate.Regexp(r"^[1-9][0-9]{0,3}d$", error="must be a number of days such as 28d")


@dataclass(frozen=True)
class Options:
    """The options of one source, with the defaults that fit commonly exported metrics."""

    service_label: str = "service"
    annotation: str = "sre.portal/prometheus-service"
    slo_service_label: str = "sloth_service"
    slo_name_label: str = "sloth_slo"
    kube_label: str = "label_app_kubernetes_io_name"
    zone_label: str = "zone"
    team_label: str = "team"
    window: str = "28d"
    latency_threshold_seconds: float = 0.5
    latency_slo_pattern: str = r"latency|duration|response.?time|slow|fast"
    paging_severities: tuple[str, ...] = ("page", "critical")
    standard_labels: tuple[str, ...] = ()
    """Labels that every service's request metric should have; none by default, since each organisation has its own."""
    queries: tuple[tuple[str, str | None], ...] = ()
    """Overridden queries by name; None switches one off."""
    facts: tuple[Measurement, ...] = ()
    """Facts of the organisation's own."""

    @classmethod
    def of(cls, loaded: Mapping[str, Any]) -> "Options":
        """Return the options that the schema has loaded."""
        given = {field.name: loaded[field.name] for field in fields(cls) if field.name in loaded}
        for name in {"paging_severities", "standard_labels"} & given.keys():
            given[name] = tuple(given[name])
        if "queries" in given:
            given["queries"] = tuple(given["queries"].items())
        if "facts" in given:
            given["facts"] = measurements(given["facts"])
        return cls(**given)

    def promql(self) -> dict[str, str]:
        """Return every query to ask, by name, ready to send."""
        standard = {label_query(label): LABEL_QUERY.replace("$label", label) for label in self.standard_labels}
        own = {measurement.key: measurement.query for measurement in self.facts}
        templates = {**QUERIES, **standard, **dict(self.queries), **own}
        return {name: self.fill(template) for name, template in templates.items() if template}

    def fill(self, template: str) -> str:
        """Put the options in the place of `$service_label`, `$window` and the like; other `$` stay."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["latency_bucket"] = _bucket_pattern(self.latency_threshold_seconds)
        values["paging"] = _quoted("|".join(re.escape(severity) for severity in self.paging_severities))
        return Template(template).safe_substitute(values)


def _label(usual: str, description: str) -> marshmallow.fields.String:
    """Return an option that names a label."""
    return marshmallow.fields.String(load_default=usual, validate=_LABEL, metadata={"description": description})


class OptionsSchema(Schema):
    """Checks `options:`; every key is optional."""

    service_label = _label(Options.service_label, "The label that names the service.")
    annotation = marshmallow.fields.String(
        load_default=Options.annotation,
        validate=validate.Length(min=1),
        metadata={"description": "The annotation that holds this label's value; without it the entity's name counts."},
    )
    slo_service_label = _label(Options.slo_service_label, "The label that names the service on recorded SLOs.")
    slo_name_label = _label(Options.slo_name_label, "The label that names the SLO.")
    kube_label = _label(Options.kube_label, "The label of kube_pod_labels that names the service.")
    zone_label = _label(Options.zone_label, "The label that names the failure domain.")
    team_label = _label(Options.team_label, "The label of an alert that names who it is for.")
    window = marshmallow.fields.String(
        load_default=Options.window,
        validate=_DAYS,
        metadata={"description": "The window of slo.availability.actual_28d and slo.latency.actual_28d."},
    )
    latency_threshold_seconds = marshmallow.fields.Float(
        load_default=Options.latency_threshold_seconds,
        validate=validate.Range(min=0, min_inclusive=False),
        metadata={"description": "What is fast enough: the bucket `le` of the latency histogram."},
    )
    latency_slo_pattern = marshmallow.fields.String(
        load_default=Options.latency_slo_pattern,
        validate=lambda text: _check_pattern(text),
        metadata={"description": "A regular expression that finds itself in the names of latency SLOs."},
    )
    paging_severities = marshmallow.fields.List(
        marshmallow.fields.String(validate=validate.Length(min=1)),
        load_default=lambda: list(Options.paging_severities),
        validate=validate.Length(min=1),
        metadata={"description": "Values of severity, or sloth_severity, that page somebody."},
    )
    standard_labels = marshmallow.fields.List(
        marshmallow.fields.String(validate=_LABEL),
        load_default=list,
        validate=validate.Length(max=10),
        metadata={
            "description": "Labels that every request metric should have; metrics.labels.missing names the rest."
        },
    )
    queries = marshmallow.fields.Dict(
        keys=marshmallow.fields.String(
            validate=validate.OneOf(QUERIES, error="is no query of this connector; there are: {choices}")
        ),
        values=marshmallow.fields.String(allow_none=True, validate=validate.Length(min=1)),
        load_default=dict,
        metadata={"description": "PromQL in the place of a default query, by its name; null switches one off."},
    )
    facts = marshmallow.fields.List(
        marshmallow.fields.Nested(FactSchema),
        load_default=list,
        validate=[validate.Length(max=MAX_DECLARED), are_distinct],
        metadata={"description": "Facts of your own: key, type, unit, description, max_age_days (3), query."},
    )


def label_query(label: str) -> str:
    """Return the name of the query that asks who has a standard label."""
    return f"labels.{label}"


def _check_pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise marshmallow.ValidationError(f"must be a regular expression: {error}") from error


def _bucket_pattern(seconds: float) -> str:
    """Return a pattern for the `le` label: client libraries write whole numbers as `1` or as `1.0`."""
    text = f"{seconds:g}"
    spellings = [text, f"{text}.0"] if seconds == int(seconds) else [text]
    return _quoted("|".join(re.escape(spelling) for spelling in spellings))


def _quoted(pattern: str) -> str:
    """Return a pattern for a PromQL string, where a backslash is written twice."""
    return pattern.replace("\\", "\\\\").replace('"', '\\"')
