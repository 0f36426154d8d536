"""What the alerting rules say about each service."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugins.connectors.prometheus.api import AlertRule
from plugins.connectors.prometheus.options import Options
from plugins.label_join import Join

SEVERITY_LABELS = ("severity", "sloth_severity")
RUNBOOK_ANNOTATIONS = ("runbook_url", "runbook")

_BURN = re.compile(r"slo:sli_error:ratio_rate|burn_?rate|error_?budget", re.IGNORECASE)
"""The recorded names of Sloth, Pyrra and the SRE workbook's example, and what people call it by hand."""


@dataclass(frozen=True)
class PagingRule:
    """A rule that pages, and what it has."""

    slo: str
    """The SLO whose burn it watches; empty when it names none."""
    on_burn: bool
    has_runbook: bool
    has_team: bool


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
            slo=rule.labels.get(options.slo_name_label) or _single(_selected(rule, options.slo_name_label)),
            on_burn=bool(_BURN.search(rule.expression)),
            has_runbook=any(rule.annotations.get(name) for name in RUNBOOK_ANNOTATIONS),
            has_team=bool(rule.labels.get(options.team_label)),
        )
        for ref in _services(rule, join):
            found.setdefault(ref, []).append(paging)
    return found


def coverage(slos: Sequence[str], rules: Sequence[PagingRule]) -> float | None:
    """Return the share of the SLOs (by name) whose burn pages somebody; None without SLOs.

    A rule that names no SLO counts where the service has only one.
    """
    if not slos:
        return None
    watched = {rule.slo for rule in rules if rule.on_burn}
    alone = len(slos) == 1 and "" in watched
    return 1.0 if alone else sum(slo in watched for slo in slos) / len(slos)


def _pages(rule: AlertRule, options: Options) -> bool:
    return any(rule.labels.get(label) in options.paging_severities for label in SEVERITY_LABELS)


def _services(rule: AlertRule, join: Join) -> set[str]:
    if join.name(rule.labels) is not None:
        return set(join.find(rule.labels))
    selected: Mapping[str, set[str]] = {label: _selected(rule, label) for label in join.labels}
    return {ref for label, values in selected.items() for value in values for ref in join.find({label: value})}


def _selected(rule: AlertRule, label: str) -> set[str]:
    """Return the values that the expression's selectors ask of a label by `=`."""
    return set(re.findall(rf'(?<![\w:]){re.escape(label)}\s*=\s*"([^"\\]+)"', rule.expression))


def _single(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""
