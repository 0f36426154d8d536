"""What the alerting and recording rules say about each service."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plugins.connectors.prometheus.api import AlertRule, RecordingRule
from plugins.connectors.prometheus.burn import BURN, BurnRule, pairs_of
from plugins.connectors.prometheus.options import Options
from plugins.label_join import Join
from plugins.promql import read

SEVERITY_LABELS = ("severity", "sloth_severity")
RUNBOOK_ANNOTATIONS = ("runbook_url", "runbook")
OWNER_LABEL = "owner"
PYRRA_SLO = "slo"
"""The label by which Pyrra names an SLO."""

_ALWAYS = re.compile(r"\s*vector\s*\(\s*1(\.0*)?\s*\)\s*")
_DEADMAN = re.compile(r"watchdog|dead_?man", re.IGNORECASE)
_SLOTH_SLI = re.compile(r"slo:sli_error:ratio_rate\d+[smhdw]$")
_PYRRA_SLI = re.compile(r"[a-zA-Z_:][\w:]*:burnrate[\dsmhdwy]+$")


@dataclass(frozen=True)
class PagingRule:
    """A rule that pages, and what it has."""

    name: str
    slo: str
    """The SLO whose burn it watches; empty when it names none."""
    on_burn: bool
    has_runbook: bool
    has_team: bool


@dataclass
class RecordedSlos:
    """What the recording rules of a service's SLOs say."""

    names: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    unread: bool = False
    """An expression could not be parsed: the metrics are not all of them."""


def paging_rules(rules: Sequence[AlertRule], join: Join, options: Options) -> dict[str, list[PagingRule]]:
    """Return the paging rules by service.

    A rule belongs to the service that its labels name, or else to those that its expression selects by `=`. A rule over
    all services at once belongs to none: it shows up with the alerts that it fires.
    """
    found: dict[str, list[PagingRule]] = {}
    for rule in rules:
        if not _pages(rule, options):
            continue
        paging = PagingRule(
            name=rule.name,
            slo=slo_of(rule, options),
            on_burn=bool(BURN.search(rule.expression)),
            has_runbook=any(rule.annotations.get(name) for name in RUNBOOK_ANNOTATIONS),
            has_team=bool(rule.labels.get(options.team_label)),
        )
        for ref in services_of(rule, join):
            found.setdefault(ref, []).append(paging)
    return found


def burn_rules(rules: Sequence[AlertRule], join: Join, options: Options) -> dict[str, list[BurnRule]]:
    """Return the rules on a burn by service, whether they page or open a ticket."""
    found: dict[str, list[BurnRule]] = {}
    for rule in rules:
        if not BURN.search(rule.expression):
            continue
        burn = BurnRule(slo_of(rule, options), _pages(rule, options), pairs_of(rule.expression))
        for ref in services_of(rule, join):
            found.setdefault(ref, []).append(burn)
    return found


def recorded_slos(rules: Sequence[RecordingRule], join: Join, options: Options) -> dict[str, RecordedSlos]:
    """Return what the SLIs that Sloth or Pyrra recorded say, by service; of an SLI's windows the first is read."""
    found: dict[str, RecordedSlos] = {}
    seen: set[tuple[str, str]] = set()
    for rule in rules:
        slo = slo_of(rule, options)
        if not slo or not (_SLOTH_SLI.match(rule.name) or _PYRRA_SLI.match(rule.name)):
            continue
        for ref in services_of(rule, join):
            if (ref, slo) in seen:
                continue
            seen.add((ref, slo))
            query = read(rule.expression)
            recorded = found.setdefault(ref, RecordedSlos())
            recorded.names.add(slo)
            recorded.unread = recorded.unread or not query.parsed or not query.metrics
            recorded.metrics |= query.metrics
            owner = rule.labels.get(OWNER_LABEL) or rule.labels.get(options.team_label)
            recorded.owners |= {owner} if owner else set()
    return found


def has_deadman(rules: Sequence[AlertRule]) -> bool:
    """Say whether an alert always fires, so that its absence tells of a monitoring that is down."""
    return any(_ALWAYS.fullmatch(rule.expression) or _DEADMAN.search(rule.name) for rule in rules)


def coverage(slos: Sequence[str], rules: Sequence[PagingRule]) -> float | None:
    """Return the share of the SLOs (by name) whose burn pages somebody; None without SLOs.

    A rule that names no SLO counts where the service has only one.
    """
    if not slos:
        return None
    watched = {rule.slo for rule in rules if rule.on_burn}
    alone = len(slos) == 1 and "" in watched
    return 1.0 if alone else sum(slo in watched for slo in slos) / len(slos)


def slo_of(rule: AlertRule | RecordingRule, options: Options) -> str:
    """Return the SLO that a rule names by its labels or its selectors; empty when it names none, or several."""
    for label in (options.slo_name_label, PYRRA_SLO):
        named = rule.labels.get(label) or _single(_selected(rule, label))
        if named:
            return named
    return ""


def services_of(rule: AlertRule | RecordingRule, join: Join) -> set[str]:
    """Return the services that a rule is about."""
    if join.name(rule.labels) is not None:
        return set(join.find(rule.labels))
    selected: Mapping[str, set[str]] = {label: _selected(rule, label) for label in join.labels}
    return {ref for label, values in selected.items() for value in values for ref in join.find({label: value})}


def _pages(rule: AlertRule, options: Options) -> bool:
    return any(rule.labels.get(label) in options.paging_severities for label in SEVERITY_LABELS)


def _selected(rule: AlertRule | RecordingRule, label: str) -> set[str]:
    """Return the values that the expression's selectors ask of a label by `=`."""
    return set(re.findall(rf'(?<![\w:]){re.escape(label)}\s*=\s*"([^"\\]+)"', rule.expression))


def _single(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""
