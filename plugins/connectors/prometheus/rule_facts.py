"""The facts that rules and the alerts they fired give. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from plugins.connectors.prometheus.alert_history import Episode
from plugins.connectors.prometheus.api import AlertRule
from plugins.connectors.prometheus.burn import TICKET, BurnRule, lacking
from plugins.connectors.prometheus.options import Options
from plugins.connectors.prometheus.rules import (
    PagingRule,
    RecordedSlos,
    burn_rules,
    coverage,
    has_deadman,
    paging_rules,
)
from plugins.contract import FactValue
from plugins.label_join import Join


def of_alerts(
    rules: Sequence[AlertRule],
    join: Join,
    options: Options,
    known: set[str],
    slos: Mapping[str, Sequence[str]],
    pages: Sequence[Episode],
    pages_answered: bool,
) -> dict[str, dict[str, FactValue]]:
    """Return the facts of alerting rules by service; `slos` are the names of each service's recorded SLOs."""
    paging = paging_rules(rules, join, options)
    burning = burn_rules(rules, join, options)
    watched = has_deadman(rules)
    found: dict[str, dict[str, FactValue]] = {}
    for ref in known | paging.keys():
        found[ref] = _of_rules(paging.get(ref, ()), burning.get(ref, ()), slos.get(ref, ()))
        if watched:
            found[ref]["monitoring.deadman"] = True
    if pages_answered:
        began = Counter(episode.ref for episode in pages if episode.began_at is not None)
        for ref in known | began.keys():
            found.setdefault(ref, {})["alerts.paging.count_30d"] = began[ref]
    return found


def _of_rules(paging: Sequence[PagingRule], burning: Sequence[BurnRule], slos: Sequence[str]) -> dict[str, FactValue]:
    bare = [rule.name for rule in paging if not rule.has_runbook]
    facts: dict[str, FactValue] = {
        "alerts.slo_burn.count": sum(rule.on_burn for rule in paging),
        "alerts.paging.without_runbook": len(bare),
        "alerts.paging.runbook_missing": sorted(set(bare)),
        "alerts.paging.unrouted": sum(not rule.has_team for rule in paging),
    }
    covered = coverage(slos, paging)
    if covered is not None:
        lacks = lacking(slos, burning)
        whole = sum(not set(kinds) - {TICKET} for kinds in lacks.values())
        facts["alerts.sli_coverage_ratio"] = covered
        facts["alerts.slo_burn.multiwindow_ratio"] = whole / len(slos)
        facts["alerts.slo_burn.lacking"] = sorted(
            f"{slo or 'the service'}: {kind}" for slo, kinds in lacks.items() for kind in kinds
        )
    return facts


def of_recordings(recorded: RecordedSlos) -> dict[str, FactValue]:
    """Return the facts of a service's recorded SLOs; its metrics only where every expression could be read."""
    facts: dict[str, FactValue] = {"slo.count": len(recorded.names), "slo.names": sorted(recorded.names)}
    if recorded.owners:
        facts["slo.owner"] = ", ".join(sorted(recorded.owners))
    if not recorded.unread:
        facts["slo.metrics"] = sorted(recorded.metrics)
    return facts
