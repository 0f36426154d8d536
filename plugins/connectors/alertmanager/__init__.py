"""Alertmanager: what fires now, what is silenced, and whom a page of each service would reach."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar

from marshmallow import Schema, fields, validate

from plugins import parts
from plugins.connectors.alertmanager.routing import Matcher, Routing, checked, concerns, read_routing
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FactSpec,
    FactType,
    FactValue,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)
from plugins.grouping import in_groups
from plugins.label_join import Join, join
from plugins.moments import required_moment

ANNOTATION = "sre.portal/prometheus-service"
LABELS_ANNOTATION = "sre.portal/alert-labels"
SERVICES_PER_BATCH = 500
HOUR, HOURS_72 = timedelta(hours=1), timedelta(hours=72)
DAY = timedelta(days=1)
ALERTS, SILENCES = "api/v2/alerts", "api/v2/silences"
Read = TypeVar("Read")

_LABEL = validate.Regexp(r"^[a-zA-Z_][a-zA-Z0-9_]*$", error="must be a Prometheus label name")


class OptionsSchema(Schema):
    """How alerts name their service, and which of them page."""

    service_label = fields.String(
        load_default="service",
        validate=_LABEL,
        metadata={"description": "The label by which alerts name their service."},
    )
    severity_label = fields.String(
        load_default="severity",
        validate=_LABEL,
        metadata={"description": "The label that tells whether an alert pages."},
    )
    paging_severities = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=lambda: ["page", "critical"],
        validate=validate.Length(min=1),
        metadata={"description": "Its values that page somebody."},
    )


FACTS = (
    FactSpec("alerts.firing.count", FactType.INTEGER, "count", "Alerts of the service that fire now.", HOUR),
    FactSpec("alerts.firing.paging", FactType.INTEGER, "count", "Paging alerts among them.", HOUR),
    FactSpec("alerts.firing.names", FactType.SET, "", "Names of the paging alerts that fire now.", HOUR),
    FactSpec("alerts.muted.count", FactType.INTEGER, "count", "Alerts that a silence or inhibition hides now.", HOUR),
    FactSpec("alerts.silences.count", FactType.INTEGER, "count", "Silences in force on the service.", HOURS_72),
    FactSpec(
        "alerts.silences.longest_days", FactType.NUMBER, "days", "The longest of them, from start to end.", HOURS_72
    ),
    FactSpec(
        "alerts.paging.receivers",
        FactType.SET,
        "",
        "Receivers that notify somebody when an alert with the service's labels and a paging severity fires.",
        HOURS_72,
    ),
)


class AlertmanagerConnector(Connector):
    """Reads one Alertmanager (or one member of a cluster: they tell each other what they know)."""

    name: ClassVar[str] = "alertmanager"
    title: ClassVar[str] = "Alertmanager"
    facts = FACTS
    annotations = (
        AnnotationSpec(
            ANNOTATION, "Value of the service label on its alerts; without it the entity's name counts.", "checkout"
        ),
        AnnotationSpec(
            LABELS_ANNOTATION,
            "Further labels of its alerts that routes look at: `team=payments,tier=1`.",
            "team=payments,tier=1",
        ),
    )
    permissions = ("read /api/v2/status, /api/v2/alerts and /api/v2/silences",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Ask for the version, read the routes, and try alerts and silences; raises PullFailed."""
        status = _status(context)
        version = (status.get("versionInfo") or {}).get("version", "of unknown version")
        try:
            routing = _routing(status)
        except ValueError as error:
            raise PullFailed(FailureKind.BAD_ANSWER, f"the configuration that Alertmanager shows {error}") from error
        seen = _Seen(context, [])
        reached = sum(1 for ref in seen.names if seen.receivers(ref, routing))
        hidden: list[PullFault] = []
        for path in (ALERTS, SILENCES):
            parts.part(path, partial(context.client.get_json, path), hidden)
        answered = (
            f"Alertmanager {version} answers; a page of {reached} of {len(context.targets)} services "
            "would reach somebody"
        )
        return parts.checked(answered, hidden)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Ask for status, alerts and silences, once each, and yield what they mean for each service."""
        faults: list[PullFault] = []
        status = _status(context)  # an Alertmanager that does not even answer this ends the pull
        routing = _part("routes", lambda: _routing(status), faults)
        alerts = _part("alerts", lambda: _listed(context, ALERTS), faults)
        silences = _part("silences", lambda: _silences(context, faults), faults)
        seen = _Seen(context, alerts or [])
        yield Batch(faults=[*seen.join.faults, *faults], unmatched=sorted(seen.join.unmatched))
        for refs in in_groups(seen.names, SERVICES_PER_BATCH):
            values: dict[str, dict[str, FactValue]] = {ref: {} for ref in refs}
            for ref in refs:
                if alerts is not None:
                    values[ref] |= seen.counts(ref)
                if silences is not None:
                    values[ref] |= seen.silenced(ref, silences)
                if routing is not None:
                    values[ref]["alerts.paging.receivers"] = seen.receivers(ref, routing)
            yield Batch(
                facts=[Fact(ref, key, value, context.now) for ref in refs for key, value in values[ref].items()]
            )


@dataclass(frozen=True)
class Silence:
    """A silence that is in force."""

    matchers: Sequence[Matcher]
    days: float


class _Seen:
    """What the answers say of each service."""

    def __init__(self, context: PullContext, alerts: Sequence[Mapping[str, Any]]) -> None:
        self.service_label: str = context.options["service_label"]
        self.severity_label: str = context.options["severity_label"]
        self.paging: list[str] = context.options["paging_severities"]
        self.join: Join = join(context.targets, ANNOTATION, (self.service_label,))
        self.annotations = {target.ref: target.annotations for target in context.targets}
        # The label value of each service that has one of its own.
        self.names = {ref: name for name, refs in self.join.refs.items() for ref in refs}
        self.alerts: dict[str, list[Mapping[str, Any]]] = {}
        for alert in alerts:
            for ref in self.join.find(alert.get("labels") or {}):
                self.alerts.setdefault(ref, []).append(alert)

    def counts(self, ref: str) -> dict[str, FactValue]:
        """Return how many alerts fire and how many are hidden."""
        active = [alert for alert in self.alerts.get(ref, []) if _state(alert) != "suppressed"]
        paging = [alert["labels"] for alert in active if alert["labels"].get(self.severity_label) in self.paging]
        return {
            "alerts.firing.count": len(active),
            "alerts.firing.paging": len(paging),
            "alerts.firing.names": sorted({labels.get("alertname", "") for labels in paging} - {""}),
            "alerts.muted.count": len(self.alerts.get(ref, [])) - len(active),
        }

    def silenced(self, ref: str, silences: Sequence[Silence]) -> dict[str, FactValue]:
        """Return how many silences are on the service; the longest is only told where there is one."""
        labels = self.labels(ref)
        days = [silence.days for silence in silences if concerns(silence.matchers, labels, (self.service_label,))]
        return {
            "alerts.silences.count": len(days),
            **({"alerts.silences.longest_days": round(max(days), 2)} if days else {}),
        }

    def receivers(self, ref: str, routing: Routing) -> list[str]:
        """Return whom a page of the service reaches, over all severities that page."""
        labels = self.labels(ref)
        found = [routing.reached({**labels, self.severity_label: severity}) for severity in self.paging]
        return sorted({name for names in found for name in names})

    def labels(self, ref: str) -> dict[str, str]:
        """Return the labels that an alert of the service carries for certain."""
        written = self.annotations[ref].get(LABELS_ANNOTATION, "")
        pairs = (pair.partition("=") for pair in written.split(",") if "=" in pair)
        extra = {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
        return {**extra, self.service_label: self.names[ref]}


def _status(context: PullContext) -> Mapping[str, Any]:
    status = context.client.get_json("api/v2/status")
    if not isinstance(status, dict) or "config" not in status:
        raise PullFailed(FailureKind.BAD_ANSWER, "api/v2/status answered no status of an Alertmanager")
    return status


def _routing(status: Mapping[str, Any]) -> Routing:
    return read_routing(str((status.get("config") or {}).get("original") or ""))


def _listed(context: PullContext, path: str) -> list[Mapping[str, Any]]:
    answer = context.client.get_json(path)
    if not isinstance(answer, list):
        raise ValueError("answered no list")
    entries = [entry for entry in answer if isinstance(entry, dict) and isinstance(entry.get("labels", {}), dict)]
    return list({str(entry.get("fingerprint") or entry.get("id") or id(entry)): entry for entry in entries}.values())


def _silences(context: PullContext, faults: list[PullFault]) -> list[Silence]:
    found = []
    for entry in _listed(context, SILENCES):
        if ((entry.get("status") or {}).get("state")) != "active":
            continue
        try:
            matchers = [_silence_matcher(written) for written in entry["matchers"]]
            lasts = required_moment(entry["endsAt"]) - required_moment(entry["startsAt"])
            found.append(Silence(matchers, lasts / DAY))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append(PullFault(f"silence {entry.get('id', '')}", f"cannot be read: {error}"))
    return found


def _silence_matcher(written: Mapping[str, Any]) -> Matcher:
    # isEqual is missing before version 0.22, where every matcher was an equal one.
    equal = written.get("isEqual") is not False
    return checked(Matcher(str(written["name"]), str(written["value"]), bool(written.get("isRegex")), equal))


def _state(alert: Mapping[str, Any]) -> str:
    return str((alert.get("status") or {}).get("state") or "active")


def _part(scope: str, read: Callable[[], Read], faults: list[PullFault]) -> Read | None:
    """Read one part; what goes wrong with it becomes a fault, and the rest goes on."""
    try:
        return read()
    except ValueError as error:
        faults.append(PullFault(scope, f"cannot be read: it {error}"))
    except PullFailed as failure:
        if failure.kind in {FailureKind.CREDENTIALS, FailureKind.RATE_LIMITED}:
            raise
        faults.append(PullFault(scope, failure.message))
    return None


CONNECTOR = AlertmanagerConnector()
