"""Computes every service's facts from the answers. Pure: no request is made here."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from plugins.connectors.prometheus.alert_history import Episode, Window, episodes
from plugins.connectors.prometheus.api import AlertRule, Sample, Series
from plugins.connectors.prometheus.measurements import (
    BUDGET_LEFT,
    MEASUREMENTS,
    OBJECTIVE,
    PERIOD_ERROR,
    PRESENCE,
    SIGNALS,
    Measurement,
)
from plugins.connectors.prometheus.options import Options
from plugins.connectors.prometheus.rules import coverage, paging_rules
from plugins.connectors.prometheus.slos import Slo, by_slo, collect, worst
from plugins.contract import FactValue, PullFault
from plugins.label_join import Join

AVAILABILITY = "slo.availability.actual_28d"
LATENCY = "slo.latency.actual_28d"

Values = dict[str, dict[str, FactValue]]
"""Facts by service (entity reference) and key."""


@dataclass(frozen=True)
class Answers:
    """What the server said. A question that was not answered is missing, or None."""

    samples: Mapping[str, Sequence[Sample]]
    rules: Sequence[AlertRule] | None
    pages: Sequence[Series] | None
    window: Window

    def server_time(self) -> datetime | None:
        """Return the time at which the server evaluated the first query that gave a sample."""
        return next((samples[0].at for samples in self.samples.values() if samples), None)


@dataclass(frozen=True)
class View:
    """The answers, and what it takes to understand them."""

    answers: Answers
    join: Join
    options: Options
    faults: list[PullFault]
    """What turns out to be odd is added here."""

    def refs(self, query: str) -> set[str]:
        """Return the services that a query has a sample of."""
        return {ref for sample in self.answers.samples.get(query, ()) for ref in self.join.find(sample.labels)}

    def worst(self, slos: Iterable[Slo], *, latency: bool) -> Slo | None:
        """Return the SLO of one kind that is published."""
        return worst(slos, latency=latency, pattern=self.options.latency_slo_pattern)


def figures(view: View) -> tuple[Values, list[Episode]]:
    """Return every fact that the answers show, and the episodes of paging alerts.

    A series that does not exist gives no fact, never a zero. Only what is counted over rules and alerts can be zero,
    and only for a service that this Prometheus knows.
    """
    slos = _slos(view)
    values: Values = {}
    for measurement in MEASUREMENTS:
        for ref, value in _measured(view, measurement, slos).items():
            values.setdefault(ref, {})[measurement.key] = value
    for ref, found in slos.items():
        values.setdefault(ref, {}).update(_slo_facts(view, found))
    for facts in values.values():
        if LATENCY in facts:
            facts["slo.latency.threshold_seconds"] = view.options.latency_threshold_seconds
    known = set(values) | view.refs(PRESENCE)
    _add_signals(values, known, view)
    return values, _add_alerts(values, known, view, slos)


def _slos(view: View) -> dict[str, list[Slo]]:
    objectives, errors, budgets = (
        by_slo(view.answers.samples.get(name, ()), view.join, view.options)
        for name in (OBJECTIVE, PERIOD_ERROR, BUDGET_LEFT)
    )
    return collect(objectives, errors, budgets)


def _measured(view: View, measurement: Measurement, slos: Mapping[str, Sequence[Slo]]) -> dict[str, FactValue]:
    """Return one fact of every service. Where samples carry an SLO's name, the one of the published SLO counts."""
    table: dict[str, dict[str, list[float]]] = {}
    for sample in view.answers.samples.get(measurement.key, ()):
        slo = sample.labels.get(view.options.slo_name_label, "")
        for ref in view.join.find(sample.labels):
            table.setdefault(ref, {}).setdefault(slo, []).append(sample.value)
    found: dict[str, FactValue] = {}
    ambiguous = []
    for ref, by_name in table.items():
        published = view.worst(slos.get(ref, ()), latency=measurement.key == LATENCY)
        samples = by_name.get(published.name if published else "") or by_name.get("", [])
        if len(samples) == 1:
            found[ref] = measurement.convert(samples[0])
        else:
            ambiguous.append(ref)
    if ambiguous:
        message = f"not one sample for each of {len(ambiguous)} services, such as {ambiguous[0]}: group it by service"
        view.faults.append(PullFault(measurement.key, message))
    return found


def _slo_facts(view: View, slos: Sequence[Slo]) -> dict[str, FactValue]:
    facts: dict[str, FactValue] = {}
    availability, latency = view.worst(slos, latency=False), view.worst(slos, latency=True)
    if availability:
        facts["slo.availability.target"] = availability.target
        if availability.period_error is not None:
            facts["slo.availability.period_sli_30d"] = 1 - availability.period_error
        if availability.budget_left is not None:
            facts["slo.availability.budget_left"] = availability.budget_left
    if latency:
        facts["slo.latency.target"] = latency.target
    return facts


def _add_signals(values: Values, known: set[str], view: View) -> None:
    """Say which golden signals a service exports; nothing when one of the questions was not answered."""
    names = {signal: f"signals.{signal}" for signal in SIGNALS}
    if any(name not in view.answers.samples for name in names.values()):
        return
    exported = {signal: view.refs(name) for signal, name in names.items()}
    for ref in known.union(*exported.values()):
        missing: list[str] = sorted(signal for signal in SIGNALS if ref not in exported[signal])
        values.setdefault(ref, {}).update(
            {"metrics.signals.present": len(SIGNALS) - len(missing), "metrics.signals.missing": missing}
        )


def _add_alerts(values: Values, known: set[str], view: View, slos: Mapping[str, Sequence[Slo]]) -> list[Episode]:
    answers = view.answers
    found = episodes(answers.pages or (), answers.window, view.join)
    if answers.rules:
        _add_rules(values, known, view, slos)
        if answers.pages is not None:
            _add_pages(values, known, found)
    elif answers.rules is not None:  # its rules are evaluated elsewhere: that none is seen does not mean none exists
        view.faults.append(PullFault("rules", "it holds no alerting rules, so nothing can be said about alerts"))
    return found


def _add_rules(values: Values, known: set[str], view: View, slos: Mapping[str, Sequence[Slo]]) -> None:
    rules = paging_rules(view.answers.rules or (), view.join, view.options)
    for ref in known | set(rules):
        own = rules.get(ref, [])
        facts: dict[str, FactValue] = {
            "alerts.slo_burn.count": sum(rule.on_burn for rule in own),
            "alerts.paging.without_runbook": sum(not rule.has_runbook for rule in own),
            "alerts.paging.unrouted": sum(not rule.has_team for rule in own),
        }
        covered = coverage([slo.name for slo in slos.get(ref, ())], own)
        if covered is not None:
            facts["alerts.sli_coverage_ratio"] = covered
        values.setdefault(ref, {}).update(facts)


def _add_pages(values: Values, known: set[str], found: Sequence[Episode]) -> None:
    began = Counter(episode.ref for episode in found if episode.began_at is not None)
    for ref in known | set(began):
        values.setdefault(ref, {})["alerts.paging.count_30d"] = began[ref]
