"""The Celery app: schedules and runs the pipeline's steps.

The database is the truth about what is due and what runs; a message only wakes a worker. So a broker may lose or
repeat messages (the filesystem one loses what a killed worker held) and nothing is lost or doubled: the next tick finds
the source still due, and the lease lets one run in.
"""

import contextlib
import logging
import math
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from celery import Celery
from flask import Flask

from portal_backend import catalog_refresh, exception_events, folder_broker, judgement, pipeline, pruning
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.database_faults import SHOWN, DatabaseFault, database_fault
from portal_backend.core.db import transaction
from scorecards.webhooks import outbox
from scorecards.webhooks import settings as webhook_settings

TICK_SECONDS = 2.0
UPKEEP_SECONDS = 30.0
PRUNE_SECONDS = 86_400.0
CONCURRENCY = 8
"""Threads: pulling is waiting, and a few sources that hang must not keep the others from their turn."""
REDIS_OPTIONS = {
    # A message goes to another worker when the first has not confirmed it in this many seconds.
    "visibility_timeout": int(timedelta(hours=1).total_seconds()),
    # A server that vanished without a word is given up; whoever waits for a message asks once a second.
    "socket_connect_timeout": 10,
    "socket_timeout": 10,
    "socket_keepalive": True,
}
TELL_SECONDS = 60.0
"""How often a log says of a kind of task that the database does not answer; one is begun every other second."""
QUIET = ("celery.app.trace", "celery.beat", "celery.worker.strategy")
"""Loggers that would write three lines for every tick."""
_last_told: dict[str, float] = {}

log = logging.getLogger(__name__)


def make_celery(app: Flask, config: Config) -> Celery:
    """Return the Celery app whose tasks run inside the Flask application's context."""
    # kombu warns of a missing host, which a folder has not.
    broker = "filesystem://localhost" if config.broker_url.startswith("filesystem") else config.broker_url
    folder_broker.install()
    celery = Celery("portal", broker=broker, set_as_current=False)
    celery.conf.update(
        broker_transport_options=_transport_options(config),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker that gives up is one more that somebody has to start again
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        beat_schedule_filename=str(config.data_dir / "beat-schedule"),
        beat_schedule={
            "dispatch": {"task": "portal.dispatch", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS}},
            "upkeep": {"task": "portal.upkeep", "schedule": UPKEEP_SECONDS, "options": {"expires": UPKEEP_SECONDS}},
            "prune": {"task": "portal.prune", "schedule": PRUNE_SECONDS},
        },
    )
    _register_tasks(celery, app)
    return celery


def _register_tasks(celery: Celery, app: Flask) -> None:
    @celery.task(name="portal.dispatch", shared=False)
    def dispatch() -> None:
        """Wake a worker for each source that is due; more than one message for a source does no harm."""
        with _when_the_database_answers("dispatch"), app.app_context():
            for name in pipeline.due():
                collect.apply_async((name,), expires=timedelta(minutes=1).total_seconds())

    @celery.task(name="portal.collect", shared=False)
    def collect(name: str) -> None:
        """Pull one source, if it is (still) due and nobody else does."""
        with _when_the_database_answers("collect"), app.app_context():
            if name in pipeline.due():  # another message for it may have been quicker
                pipeline.refresh(name, only_due=True)

    @celery.task(name="portal.upkeep", shared=False)
    def upkeep() -> None:
        """Judge again what time alone has changed, tell what ended of itself, and send what others wait for."""
        with _when_the_database_answers("upkeep"), app.app_context():
            judgement.rejudge_due()
            exception_events.upkeep()
            outbox.deliver_due(transaction, webhook_settings.current(), clock.now)

    @celery.task(name="portal.prune", shared=False)
    def prune() -> None:
        """Delete what the retention policy does not keep, and compare numbers that are kept with what they count."""
        with _when_the_database_answers("prune"), app.app_context():
            pruning.prune_facts()
            pruning.prune_entity_changes()
            catalog_refresh.reindex()
            pruning.recount_values()


@contextlib.contextmanager
def _when_the_database_answers(task: str) -> Iterator[None]:
    """Run a task; where the database is away, or too busy, it is put off with a line in the log, at most one a minute.

    Nothing is lost by that: the next tick finds what is due. Other errors are Celery's to tell.
    """
    try:
        yield
    except Exception as error:
        if database_fault(error) is not DatabaseFault.LATER:
            raise
        if time.monotonic() - _last_told.get(task, -math.inf) < TELL_SECONDS:
            return
        _last_told[task] = time.monotonic()
        log.error("database fault, task put off", extra={"portal": {"task": task, "error": str(error)[:SHOWN]}})


def _transport_options(config: Config) -> dict[str, Any]:
    if config.broker_url.startswith("redis"):
        return REDIS_OPTIONS
    if not config.broker_url.startswith("filesystem"):
        return {}
    folders = {name: config.data_dir / "broker" / name for name in ("queue", "control")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["queue"]),
        "data_folder_out": str(folders["queue"]),
        "control_folder": str(folders["control"]),
    }


def run(celery: Celery, beat: bool) -> None:
    """Work until told to stop; `beat` also sends the ticks (exactly one worker of an installation should)."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # RabbitMQ keeps each worker's own queue for it alone: two of one name on one machine would shut each other out.
    hostname = f"portal-{os.getpid()}@%h"
    arguments = [
        "--quiet",
        "worker",
        "--pool=threads",
        f"--concurrency={CONCURRENCY}",
        f"--hostname={hostname}",
        "--loglevel=INFO",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    celery.worker_main([*arguments, "--beat"] if beat else arguments)
