"""Prometheus: SLIs, SLOs, traffic, alerts and runtime figures of all services by one grouped query per figure."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from plugins import parts
from plugins.connectors.prometheus import alert_history, api
from plugins.connectors.prometheus.facts import Answers, View, figures
from plugins.connectors.prometheus.measurements import FACTS, OVER_TIME, PRESENCE, QUERIES
from plugins.connectors.prometheus.options import Options, OptionsSchema
from plugins.connectors.prometheus.own_facts import measurements
from plugins.contract import (
    AnnotationSpec,
    Batch,
    Connector,
    Fact,
    FactSpec,
    FailureKind,
    PullContext,
    PullFailed,
    PullFault,
)
from plugins.grouping import in_groups
from plugins.label_join import Join, join

ALERT_RULES, RECORDING_RULES = "rules", "recording rules"
NO_SAMPLES = OVER_TIME | {ALERT_RULES, RECORDING_RULES}
SERVICES_PER_BATCH = 500
MAX_CLOCK_SKEW = timedelta(minutes=5)
REFUSED = frozenset({FailureKind.CREDENTIALS, FailureKind.RATE_LIMITED})


class PrometheusConnector(Connector):
    """Reads a Prometheus, or anything that speaks its query API."""

    name = "prometheus"
    title = "Prometheus"
    facts = FACTS
    events = (
        alert_history.FIRED,
        alert_history.RESOLVED,
        alert_history.BREACHED,
        alert_history.EXHAUSTED,
        alert_history.RECOVERED,
    )
    annotations = (
        AnnotationSpec(
            "sre.portal/prometheus-service",
            "Value of the service label in Prometheus; without it the entity's name counts.",
            "checkout",
        ),
    )
    permissions = ("read /api/v1/query, /api/v1/query_range, /api/v1/rules and /api/v1/status/buildinfo",)
    options_schema = OptionsSchema

    def check(self, context: PullContext) -> str:
        """Ask for version and services, and try the rest; raises PullFailed when no service of ours is among them."""
        options = Options.of(context.options)
        answered = f"Prometheus {api.version(context.client)} answers"
        question = options.promql().get(PRESENCE) or options.fill(QUERIES[PRESENCE])
        samples = api.instant(context.client, question)
        joined = _join(context, options)
        matched = {ref for sample in samples for ref in joined.find(sample.labels)}
        if context.targets and not matched:
            known = ", ".join(sorted(joined.unmatched)[:5]) or "none"
            raise PullFailed(
                FailureKind.MISCONFIGURED,
                f"{answered}, but no service matches: the label {options.service_label} of `up` has the values "
                f"{known}; write `{options.annotation}: VALUE` with one of them under metadata.annotations in the "
                f"service's catalog file, or set the option service_label",
            )
        hidden: list[PullFault] = []
        parts.part("rules", partial(api.recording_rules, context.client), hidden)
        now = context.now.timestamp()
        parts.part("query_range", partial(api.over_time, context.client, question, now, now, 60), hidden)
        return parts.checked(f"{answered} and knows {len(matched)} of {len(context.targets)} services", hidden)

    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Ask every question once, join the answers to the services, and yield them by groups of services."""
        options = Options.of(context.options)
        joined = _join(context, options)
        asked, faults, ended_by = _ask_all(_questions(context, options))
        answers = Answers(
            samples={name: answer for name, answer in asked.items() if name not in NO_SAMPLES},
            alert_rules=asked.get(ALERT_RULES),
            recording_rules=asked.get(RECORDING_RULES),
            stretches={name: asked[name] for name in OVER_TIME & asked.keys()},
            window=alert_history.window(context.now),
        )
        view = View(answers, joined, options, faults)
        found = figures(view)
        values = found.values
        observed_at = answers.server_time() or context.now
        if abs(observed_at - context.now) > MAX_CLOCK_SKEW:
            skew = round((observed_at - context.now).total_seconds())
            faults.append(PullFault("clock", f"its clock is {skew:+d} s from ours; set both by NTP"))
            observed_at = context.now
        observed_at = min(observed_at, context.now)
        events = [*alert_history.alert_events(found.pages), *alert_history.breach_events(found.breaches)]
        yield Batch(faults=[*joined.faults, *faults], unmatched=sorted(joined.unmatched))
        refs = sorted({*values, *(event.ref for event in events)})
        for group in in_groups(refs, SERVICES_PER_BATCH):
            chosen = set(group)
            yield Batch(
                facts=[
                    Fact(ref, key, value, observed_at) for ref in group for key, value in values.get(ref, {}).items()
                ],
                events=[event for event in events if event.ref in chosen],
            )
        if ended_by:  # what was answered stays; the run has failed all the same
            raise ended_by

    def declared(self, options: Mapping[str, Any]) -> list[FactSpec]:
        """Return the facts of the organisation's own."""
        return [measurement.spec for measurement in measurements(options.get("facts", ()))]


def _join(context: PullContext, options: Options) -> Join:
    labels = (options.service_label, options.slo_service_label, options.kube_label)
    return join(context.targets, options.annotation, labels)


Question = Callable[[], Any]


def _questions(context: PullContext, options: Options) -> dict[str, Question]:
    """Return what to ask, by name: as many questions for five services as for five thousand."""
    client, seen = context.client, alert_history.window(context.now)
    questions: dict[str, Question] = {}
    for name, promql in options.promql().items():
        if name in OVER_TIME:
            grid = (seen.start, seen.end, alert_history.STEP_SECONDS)
            questions[name] = partial(api.over_time, client, promql, *grid)
        else:
            questions[name] = partial(api.instant, client, promql)
    questions[ALERT_RULES] = partial(api.alert_rules, client)
    questions[RECORDING_RULES] = partial(api.recording_rules, client)
    return questions


def _ask_all(questions: dict[str, Question]) -> tuple[dict[str, Any], list[PullFault], PullFailed | None]:
    """Ask each question; one that fails does not keep the others from being answered.

    Beside answers and faults comes the refusal of our credentials or of more requests that ended the asking, if any.
    Raises PullFailed when none is answered, or when the first failure shows that asking on is of no use.
    """
    answers: dict[str, Any] = {}
    faults: list[PullFault] = []
    failures: list[PullFailed] = []
    for name, ask in questions.items():
        try:
            answers[name] = ask()
        except PullFailed as failure:
            failures.append(failure)
            faults.append(PullFault(name, failure.message))
            if _is_final(failure, answered=bool(answers)):
                break
    if not answers:
        raise failures[0]
    left = [name for name in questions if name not in answers and name not in {fault.scope for fault in faults}]
    if left:
        faults.append(PullFault(", ".join(left), f"not asked any more: {failures[-1].message}"))
    refused = failures and failures[-1].kind in REFUSED
    return answers, faults, failures[-1] if refused else None


def _is_final(failure: PullFailed, *, answered: bool) -> bool:
    """Say whether the next question would fail in the same way."""
    if failure.kind in REFUSED:
        return True
    if failure.kind is FailureKind.UNREACHABLE:
        return failure.status is None or not answered
    return not answered and failure.kind in {FailureKind.TIMEOUT, FailureKind.MISCONFIGURED, FailureKind.PERMISSION}


CONNECTOR = PrometheusConnector()
