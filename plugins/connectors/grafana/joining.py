"""Which dashboards belong to which service."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from plugins.connectors.grafana.selectors import Dashboard, Selector, parse
from plugins.contract import PullFault, Target

SELECTOR = "grafana/dashboard-selector"
UID = "sre.portal/dashboard-uid"


@dataclass
class Joined:
    """The dashboards of each claiming service, by its reference, and the claims that could not be followed."""

    dashboards: dict[str, list[Dashboard]] = field(default_factory=dict)
    faults: list[PullFault] = field(default_factory=list)


def is_claiming(target: Target) -> bool:
    """Say whether a service names dashboards at all."""
    return SELECTOR in target.annotations or UID in target.annotations


def join(targets: Sequence[Target], dashboards: Sequence[Dashboard]) -> Joined:
    """Find each service's dashboards. A service whose expression is wrong is left out: nothing is known of it."""
    index = _Index(dashboards)
    joined = Joined()
    for target in targets:
        if not is_claiming(target):
            continue
        try:
            chosen = index.chosen(target, joined.faults)
        except ValueError as error:
            joined.faults.append(PullFault(target.ref, f"{SELECTOR} {error}"))
            continue
        if not chosen:
            joined.faults.append(
                PullFault(target.ref, "selects no dashboard that the token sees; check the annotation and the folders")
            )
        joined.dashboards[target.ref] = list(chosen.values())
    return joined


class _Index:
    """Dashboards by uid and by tag, and expressions parsed once."""

    def __init__(self, dashboards: Sequence[Dashboard]) -> None:
        self._all = dashboards
        self._by_uid = {dashboard.uid: dashboard for dashboard in dashboards}
        self._by_tag: dict[str, list[Dashboard]] = defaultdict(list)
        self._parsed: dict[str, Selector] = {}
        for dashboard in dashboards:
            for tag in dashboard.tags:
                self._by_tag[tag].append(dashboard)

    def chosen(self, target: Target, faults: list[PullFault]) -> dict[str, Dashboard]:
        """Return a service's dashboards by uid; raises ValueError for an expression that cannot be read."""
        chosen: dict[str, Dashboard] = {}
        expression = target.annotations.get(SELECTOR)
        if expression is not None:
            chosen |= {dashboard.uid: dashboard for dashboard in self._selected(expression)}
        for uid in filter(None, (part.strip() for part in target.annotations.get(UID, "").split(","))):
            if uid in self._by_uid:
                chosen[uid] = self._by_uid[uid]
            else:
                faults.append(PullFault(target.ref, f"{UID} names {uid!r}, which the token does not see"))
        return chosen

    def _selected(self, expression: str) -> list[Dashboard]:
        selector = self._parsed.get(expression)
        if selector is None:
            selector = self._parsed[expression] = parse(expression)
        candidates = self._all
        if selector.any_tag is not None:
            candidates = [dashboard for tag in selector.any_tag for dashboard in self._by_tag.get(tag, ())]
        return [dashboard for dashboard in candidates if selector.matches(dashboard)]
