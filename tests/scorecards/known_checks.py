"""The default checks that the sample service has evidence for: what is tested with them holds for any catalogue."""

from dataclasses import replace
from functools import cache

from flask import Flask

from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import CheckCatalogue
from scorecards.judging import Judging, init_app
from tests.scorecards.samples import GOOD, SPECS

EVIDENT = frozenset(GOOD) | {"deps.hard.min_slo_target", "alerts.paging.per_shift_30d", "deploys.rollback.automated"}


@cache
def known_checks() -> CheckCatalogue:
    return only_known(load_catalogue((), SPECS))


def judge_by_known(judging: Judging, app: Flask) -> Judging:
    """Let the application judge by what the sample service has evidence for, whatever else the catalogue asks."""
    few = replace(judging, catalogue=only_known(judging.catalogue))
    init_app(app, few)
    return few


def only_known(catalogue: CheckCatalogue) -> CheckCatalogue:
    """Leave out of a catalogue what the sample service shows nothing of."""
    checks = {id_: check for id_, check in catalogue.checks.items() if check.facts and set(check.facts) <= EVIDENT}
    return replace(catalogue, checks=checks)
