"""What may be set under `options:` of a Prometheus source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from string import Template
from typing import Any

import marshmallow
from marshmallow import Schema, validate

from plugins.connectors.prometheus.measurements import QUERIES

_LABEL = validate.Regexp(r"^[a-zA-Z_][a-zA-Z0-9_]*$", error="must be a Prometheus label name")
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
    queries: tuple[tuple[str, str | None], ...] = ()
    """Overridden queries by name; None switches one off."""

    @classmethod
    def of(cls, loaded: Mapping[str, Any]) -> "Options":
        """Return the options that the schema has loaded."""
        given = {field.name: loaded[field.name] for field in fields(cls) if field.name in loaded}
        if "paging_severities" in given:
            given["paging_severities"] = tuple(given["paging_severities"])
        if "queries" in given:
            given["queries"] = tuple(given["queries"].items())
        return cls(**given)

    def promql(self) -> dict[str, str]:
        """Return every query to ask, by name, ready to send."""
        templates = {**QUERIES, **dict(self.queries)}
        return {name: self.fill(template) for name, template in templates.items() if template}

    def fill(self, template: str) -> str:
        """Put the options in the place of `$service_label`, `$window` and the like; other `$` stay."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["latency_bucket"] = _bucket_pattern(self.latency_threshold_seconds)
        values["paging"] = _quoted("|".join(re.escape(severity) for severity in self.paging_severities))
        return Template(template).safe_substitute(values)


class OptionsSchema(Schema):
    """Checks `options:`; every key is optional."""

    service_label = marshmallow.fields.String(validate=_LABEL)
    annotation = marshmallow.fields.String(validate=validate.Length(min=1))
    slo_service_label = marshmallow.fields.String(validate=_LABEL)
    slo_name_label = marshmallow.fields.String(validate=_LABEL)
    kube_label = marshmallow.fields.String(validate=_LABEL)
    zone_label = marshmallow.fields.String(validate=_LABEL)
    team_label = marshmallow.fields.String(validate=_LABEL)
    window = marshmallow.fields.String(validate=_DAYS)
    latency_threshold_seconds = marshmallow.fields.Float(validate=validate.Range(min=0, min_inclusive=False))
    latency_slo_pattern = marshmallow.fields.String(validate=lambda text: _check_pattern(text))
    paging_severities = marshmallow.fields.List(
        marshmallow.fields.String(validate=validate.Length(min=1)), validate=validate.Length(min=1)
    )
    queries = marshmallow.fields.Dict(
        keys=marshmallow.fields.String(
            validate=validate.OneOf(QUERIES, error="is no query of this connector; there are: {choices}")
        ),
        values=marshmallow.fields.String(allow_none=True, validate=validate.Length(min=1)),
    )


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
