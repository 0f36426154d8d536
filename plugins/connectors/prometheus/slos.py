"""Picks, for each service and kind of SLO, the one whose figures are published together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plugins.connectors.prometheus.api import Sample
from plugins.connectors.prometheus.options import Options
from plugins.connectors.prometheus.rules import PYRRA_SLO
from plugins.label_join import Join

SloKey = tuple[str, str]
"""Service (entity reference) and the SLO's name; an empty name is the service as a whole."""
DAY_SECONDS = 86400
PYRRA_OBJECTIVE, PYRRA_AVAILABILITY, PYRRA_WINDOW = "pyrra_objective", "pyrra_availability", "pyrra_window"
BURN_RATE, PERIOD_DAYS = "slo:current_burn_rate:ratio", "slo:time_period:days"


@dataclass(frozen=True)
class Slo:
    """A recorded SLO. What is not recorded is None."""

    name: str
    target: float
    period_error: float | None
    """Sloth's: the mean of windows over the period."""
    budget_left: float | None
    burn_rate: float | None = None
    window_days: float | None = None


@dataclass
class Recorded:
    """Recorded figures by service and SLO."""

    objectives: dict[SloKey, float] = field(default_factory=dict)
    errors: dict[SloKey, float] = field(default_factory=dict)
    budgets: dict[SloKey, float] = field(default_factory=dict)
    burn_rates: dict[SloKey, float] = field(default_factory=dict)
    windows: dict[SloKey, float] = field(default_factory=dict)

    def slos(self) -> dict[str, list[Slo]]:
        """Return every SLO that has an objective, by service."""
        found: dict[str, list[Slo]] = {}
        for key, target in self.objectives.items():
            error = self.errors.get(key)
            left = self.budgets.get(key, _left(error, target))
            slo = Slo(key[1], target, error, left, self.burn_rates.get(key), self.windows.get(key))
            found.setdefault(key[0], []).append(slo)
        return found


def by_slo(samples: Iterable[Sample], join: Join, options: Options) -> dict[SloKey, float]:
    """Return the samples' values by service and SLO."""
    return {
        (ref, sample.labels.get(options.slo_name_label, "")): sample.value
        for sample in samples
        for ref in join.find(sample.labels)
    }


def add_recorded(
    recorded: Recorded,
    samples: Sequence[Sample],
    join: Join,
    options: Options,
    services_of_slo: Mapping[str, Iterable[str]],
) -> None:
    """Add what carries its metric's name: Sloth's burn rate and period, and all of Pyrra's generic rules.

    Pyrra's series name their service only where its SLO has the label `pyrra.dev/<service_label>`; `services_of_slo`
    tells it by the rules of the SLO otherwise.
    """
    pyrra: dict[str, dict[SloKey, float]] = {PYRRA_OBJECTIVE: {}, PYRRA_AVAILABILITY: {}, PYRRA_WINDOW: {}}
    sloth = {BURN_RATE: recorded.burn_rates, PERIOD_DAYS: recorded.windows}
    for sample in samples:
        name = sample.labels.get("__name__", "")
        if name in sloth:
            sloth[name].update(by_slo([sample], join, options))
        elif name in pyrra:
            slo = sample.labels.get(PYRRA_SLO, "")
            known = join.find(sample.labels) or services_of_slo.get(slo, ())
            pyrra[name].update({(ref, slo): sample.value for ref in known})
    recorded.objectives |= pyrra[PYRRA_OBJECTIVE]
    recorded.windows |= {key: seconds / DAY_SECONDS for key, seconds in pyrra[PYRRA_WINDOW].items()}
    for key, good in pyrra[PYRRA_AVAILABILITY].items():
        left = _left(1 - good, pyrra[PYRRA_OBJECTIVE].get(key))
        if left is not None:
            recorded.budgets[key] = left


def _left(error: float | None, target: float | None) -> float | None:
    """Return the share of the error budget that is left: 1 - error ratio / (1 - objective) (Sloth's formula)."""
    return None if error is None or target is None or target >= 1 else 1 - error / (1 - target)


def worst(slos: Iterable[Slo], *, latency: bool, pattern: str) -> Slo | None:
    """Return the SLO of one kind with the least budget left, or with the strictest target where no budget is known.

    A latency SLO is one whose name the pattern finds itself in; every other one counts as availability.
    """
    kind = [slo for slo in slos if bool(re.search(pattern, slo.name, re.IGNORECASE)) == latency]
    return min(kind, key=_badness, default=None)


def _badness(slo: Slo) -> tuple[float, float, str]:
    return (float("inf") if slo.budget_left is None else slo.budget_left, -slo.target, slo.name)
