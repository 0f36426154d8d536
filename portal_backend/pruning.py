"""Deletes what the retention policy does not keep, and puts kept numbers right: once a day, by the worker.

Needs an application context. Each step is a short transaction of its own; all of it may be interrupted and repeated.
"""

import logging
from datetime import timedelta

from catalog.ingestion import changes, counting
from catalog.ingestion.storing import INGESTION
from portal_backend import settings
from portal_backend.core import clock
from portal_backend.core.db import serialise, transaction
from scorecards import retention

log = logging.getLogger(__name__)

CHANGES_AT_ONCE = 5_000
"""Changes of entities deleted in one transaction."""


def prune_facts() -> int:
    """Delete what is not kept of the history of facts, a hundred services at a time; return how many values went."""
    gone, last = 0, ""
    while True:
        with transaction() as session:
            step = retention.prune_step(session, settings.current().retention, clock.now(), last)
        gone += step.gone
        if step.last is None:
            return gone
        last = step.last


def prune_entity_changes() -> int:
    """Delete the changes of entities that are older than the policy keeps; return how many went."""
    gone = 0
    while True:
        with transaction() as session:
            before = clock.now() - timedelta(days=settings.current().retention.daily_days)
            step = changes.prune_changes(session, before, CHANGES_AT_ONCE)
        gone += step
        if step < CHANGES_AT_ONCE:
            return gone


def recount_values() -> int:
    """Put right the catalog's counts of values that differ from its entities; return how many did."""
    with transaction() as session:
        serialise(session, INGESTION)
        wrong = counting.recount(session)
    if wrong:
        log.warning("counted the catalog's values anew", extra={"portal": {"wrong": wrong}})
    return wrong
