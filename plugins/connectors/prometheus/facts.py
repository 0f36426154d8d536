"""Computes every service's facts from the answers. Pure: no request is made here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from plugins.connectors.prometheus.alert_history import Episode, Window, alert_episodes, episodes
from plugins.connectors.prometheus.api import AlertRule, RecordingRule, Sample, Series
from plugins.connectors.prometheus.measurements import (
    BREACHES,
    BUDGET_LEFT,
    MEASUREMENTS,
    OBJECTIVE,
    PAGES,
    PERIOD_ERROR,
    PRESENCE,
    PROBES,
    RECORDED,
    SIGNALS,
    Measurement,
)
from plugins.connectors.prometheus.options import Options, label_query
from plugins.connectors.prometheus.rule_facts import of_alerts, of_recordings
from plugins.connectors.prometheus.rules import PYRRA_SLO, RecordedSlos, recorded_slos
from plugins.connectors.prometheus.slos import Recorded, Slo, add_recorded, by_slo, worst
from plugins.contract import FactValue, PullFault
from plugins.label_join import Join

LATENCY = "slo.latency.actual_28d"
TRAFFIC_SIGNAL = "signals.traffic"

Values = dict[str, dict[str, FactValue]]
"""Facts by service (entity reference) and key."""


@dataclass(frozen=True)
class Answers:
    """What the server said. A question that was not answered is missing, or None."""

    samples: Mapping[str, Sequence[Sample]]
    alert_rules: Sequence[AlertRule] | None
    recording_rules: Sequence[RecordingRule] | None
    stretches: Mapping[str, Sequence[Series]]
    """When something was so, by the name of the query: paging alerts, missed SLOs."""
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

    def slo_of(self, labels: Mapping[str, str]) -> str:
        """Return the SLO that Sloth or Pyrra names in a series' labels; empty where neither does."""
        return labels.get(self.options.slo_name_label) or labels.get(PYRRA_SLO, "")

    def worst(self, slos: Iterable[Slo], *, latency: bool) -> Slo | None:
        """Return the SLO of one kind that is published."""
        return worst(slos, latency=latency, pattern=self.options.latency_slo_pattern)


@dataclass
class Found:
    """What the answers mean."""

    values: Values = field(default_factory=dict)
    pages: list[Episode] = field(default_factory=list)
    breaches: list[Episode] = field(default_factory=list)

    def add(self, ref: str, facts: Mapping[str, FactValue]) -> None:
        """Add facts of a service."""
        self.values.setdefault(ref, {}).update(facts)


def figures(view: View) -> Found:
    """Return every fact that the answers show, and the episodes of paging alerts and of missed SLOs.

    A series that does not exist gives no fact, never a zero. Only what is counted over rules and alerts can be zero,
    and only for a service that this Prometheus knows.
    """
    found = Found()
    recorded = recorded_slos(view.answers.recording_rules or (), view.join, view.options)
    services_of_slo = _services_of_slo(recorded)
    slos = _slos(view, services_of_slo)
    for measurement in (*MEASUREMENTS, *view.options.facts):
        for ref, value in _measured(view, measurement, slos).items():
            found.add(ref, {measurement.key: value})
    for ref, own in slos.items():
        found.add(ref, _slo_facts(view, own))
    for ref, rules in recorded.items():
        found.add(ref, of_recordings(rules))
    for facts in found.values.values():
        _add_computed(facts, view)
    known = set(found.values) | view.refs(PRESENCE)
    _add_signals(found, known, view)
    _add_labels(found, view)
    _add_probes(found, known, view)
    _add_alerts(found, known, view, slos)
    found.breaches = _breaches(view, services_of_slo)
    return found


def _services_of_slo(recorded: Mapping[str, RecordedSlos]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for ref, rules in recorded.items():
        for name in rules.names:
            found.setdefault(name, []).append(ref)
    return found


def _slos(view: View, services_of_slo: Mapping[str, Sequence[str]]) -> dict[str, list[Slo]]:
    samples, join, options = view.answers.samples, view.join, view.options
    tables = (by_slo(samples.get(name, ()), join, options) for name in (OBJECTIVE, PERIOD_ERROR, BUDGET_LEFT))
    recorded = Recorded(*tables)
    add_recorded(recorded, samples.get(RECORDED, ()), join, options, services_of_slo)
    return recorded.slos()


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
    """Return what the published SLO of each kind shows."""
    facts: dict[str, FactValue] = {}
    published = {kind: view.worst(slos, latency=kind == "latency") for kind in ("availability", "latency")}
    for kind, slo in published.items():
        if slo is None:
            continue
        figures_of = {
            "target": slo.target,
            "period_sli_30d": None if slo.period_error is None else 1 - slo.period_error,
            "budget_left": slo.budget_left,
            "burn_rate": slo.burn_rate,
        }
        facts |= {f"slo.{kind}.{name}": value for name, value in figures_of.items() if value is not None}
    windows = [slo.window_days for slo in published.values() if slo and slo.window_days is not None]
    return {**facts, **({"slo.window_days": windows[0]} if windows else {})}


def _add_computed(facts: dict[str, FactValue], view: View) -> None:
    """Add what follows from a service's other facts."""
    if LATENCY in facts:
        facts["slo.latency.threshold_seconds"] = view.options.latency_threshold_seconds
    now, before = facts.get("traffic.rps_now"), facts.get("traffic.rps_180d_ago")
    if isinstance(now, float) and isinstance(before, float) and before > 0:
        facts["traffic.growth_180d"] = now / before


def _add_signals(found: Found, known: set[str], view: View) -> None:
    """Say which golden signals a service exports; nothing when one of the questions was not answered."""
    names = {signal: f"signals.{signal}" for signal in SIGNALS}
    if any(name not in view.answers.samples for name in names.values()):
        return
    exported = {signal: view.refs(name) for signal, name in names.items()}
    for ref in known.union(*exported.values()):
        missing: list[str] = sorted(signal for signal in SIGNALS if ref not in exported[signal])
        found.add(ref, {"metrics.signals.present": len(SIGNALS) - len(missing), "metrics.signals.missing": missing})


def _add_labels(found: Found, view: View) -> None:
    """Say which standard labels the request metric of a service lacks; nothing of one that exports none."""
    names = {label: label_query(label) for label in view.options.standard_labels}
    if not names or any(name not in view.answers.samples for name in names.values()):
        return
    having = {label: view.refs(name) for label, name in names.items()}
    for ref in view.refs(TRAFFIC_SIGNAL).union(*having.values()):
        found.add(ref, {"metrics.labels.missing": sorted(label for label in names if ref not in having[label])})


def _add_probes(found: Found, known: set[str], view: View) -> None:
    """Count probes; a known service has none only where other services' probes carry their name."""
    counts = {
        ref: round(sample.value)
        for sample in view.answers.samples.get(PROBES, ())
        for ref in view.join.find(sample.labels)
    }
    for ref in known | counts.keys() if counts else ():
        found.add(ref, {"probes.count": counts.get(ref, 0)})


def _add_alerts(found: Found, known: set[str], view: View, slos: Mapping[str, Sequence[Slo]]) -> None:
    answers = view.answers
    pages = answers.stretches.get(PAGES)
    found.pages = alert_episodes(pages or (), answers.window, view.join, view.slo_of)
    if answers.alert_rules:
        names = {ref: [slo.name for slo in own] for ref, own in slos.items()}
        told = of_alerts(answers.alert_rules, view.join, view.options, known, names, found.pages, pages is not None)
        for ref, facts in told.items():
            found.add(ref, facts)
    elif answers.alert_rules is not None:  # its rules are evaluated elsewhere: none seen does not mean that none exists
        view.faults.append(PullFault("rules", "it holds no alerting rules, so nothing can be said about alerts"))


def _breaches(view: View, services_of_slo: Mapping[str, Sequence[str]]) -> list[Episode]:
    """Return when SLOs were missed."""

    def refs_of(labels: Mapping[str, str]) -> Sequence[str]:
        return view.join.find(labels) or services_of_slo.get(labels.get(PYRRA_SLO, ""), ())

    return episodes(view.answers.stretches.get(BREACHES, ()), view.answers.window, refs_of, view.slo_of)
