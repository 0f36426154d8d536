"""`portal up`, `portal serve`, `portal worker`, `portal db upgrade`: the processes and the schema."""

import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import flask_migrate
from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer as WebServer

from portal_backend import pipeline, worker
from portal_backend.app import create_app
from portal_backend.commands.common import (
    COULD_NOT_RUN,
    as_json,
    complaints,
    configured,
    console,
    giving_up,
    named_config,
    print_json,
    require_schema,
)
from portal_backend.core.bodies import MOST_WAITING
from portal_backend.core.config import Config
from portal_backend.core.memory import keep_what_is_loaded
from portal_backend.core.telemetry import MULTIPROCESS_VARIABLE, configure_logging
from portal_backend.core.wire import share_threads
from portal_backend.migrations import FOLDER, wanted_revision
from portal_backend.supervisor import Program, portal_command, supervise

STOP_SECONDS = 10
"""How long a web process that was told to stop may finish what it has begun."""
SILENT_SECONDS = 30
"""After this long without the head of a next request a connection is closed."""


def web_server(config: Config) -> WebServer:
    """Return the web server that `serve` runs, not started: processes of threads, each process with an application.

    A process that dies is replaced.
    """
    return WebServer(
        "portal_backend.app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.web_workers,
        blocking_threads=config.web_threads + MOST_WAITING,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=SILENT_SECONDS * 1000),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
    )


def _application(config: Config) -> Flask:
    """Build the application in a web process."""
    configure_logging()
    app = create_app(config)
    share_threads(app, config.web_threads)
    keep_what_is_loaded()
    return app


@click.command("serve")
def serve() -> None:
    """Run the web server only."""
    config = _checked_config()
    _require_free_port(config)  # the system would let a second server share it
    _prepare_metrics(config)
    configure_logging()
    web_server(config).serve(target_loader=partial(_application, config), wrap_loader=False)


@click.command("worker")
@click.option("--beat", is_flag=True, help="Also send the schedule's ticks: exactly one worker should.")
def work(beat: bool) -> None:
    """Run a worker that pulls sources and judges services."""
    config = _checked_config()
    _prepare_metrics(config)
    configure_logging()
    app = create_app(config)
    with giving_up(), app.app_context():
        require_schema()
        pipeline.prepare()
    worker.run(worker.make_celery(app, config), beat)


@click.command("up")
def up() -> None:
    """Run everything on this machine: the web server and one worker, on the embedded database and broker."""
    run_everything([])


def run_everything(others: Sequence[Program], log_to_files: bool = False) -> None:
    """Migrate, then run the web server and a worker until Ctrl-C, with other programs started before them.

    Their logs come here, or go to a file each in the data folder.
    """
    config = _checked_config()
    _require_free_port(config)
    with giving_up(), create_app(config).app_context():
        upgrade_schema()
    for left in _metrics_folder(config).glob("*.db"):  # of processes that are gone
        left.unlink()
    address = config.local_address
    shared = {MULTIPROCESS_VARIABLE: str(_metrics_folder(config))}
    if path := named_config():
        shared["PORTAL_CONFIG"] = str(path)
    programs = [
        *others,
        Program("web server", portal_command("serve"), shared),
        Program("worker", portal_command("worker", "--beat"), shared),
    ]
    if log_to_files:
        _log_to_files(programs, config.data_dir / "log")
    supervise(programs, lambda: _answers(address), lambda: _announce(address, config, log_to_files), complaints.print)


def _log_to_files(programs: Sequence[Program], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        program.log = folder / f"{program.name.replace(' ', '-')}.log"
        program.log.write_bytes(b"")  # this run's only: a demonstration's logs are not to grow for ever


def _require_free_port(config: Config) -> None:
    try:
        socket.create_server((config.host, config.port)).close()
    except OSError as error:
        reason = error.strerror or str(error)
        complaints.print(f"[red]Could not run:[/] {config.host}:{config.port}: {reason}. Name another port (PORT=…).")
        sys.exit(COULD_NOT_RUN)


@click.group("db")
def database() -> None:
    """Look after the database's schema."""


@database.command("upgrade")
@as_json
def upgrade(json_output: bool) -> None:
    """Bring the database to this release's schema; repeating it changes nothing."""
    with giving_up(), create_app(_checked_config()).app_context():
        upgrade_schema()
    if json_output:
        print_json({"revision": wanted_revision()})
    else:
        console.print(f"The database is at revision {wanted_revision()}.")


def upgrade_schema() -> None:
    """Run the migrations that are missing. Needs an app context."""
    flask_migrate.upgrade(directory=str(FOLDER))


def _checked_config() -> Config:
    with giving_up():
        return configured()


def _metrics_folder(config: Config) -> Path:
    """Return where processes map their metrics; on a disk that is full the system kills whoever writes them there."""
    return Path(os.environ.get(MULTIPROCESS_VARIABLE) or config.data_dir / "metrics")


def _prepare_metrics(config: Config) -> None:
    """Let all processes of this machine add up their metrics in one folder (before any metric is made)."""
    _metrics_folder(config).mkdir(parents=True, exist_ok=True)
    if MULTIPROCESS_VARIABLE in os.environ:
        return
    arguments = [sys.executable, "-m", "portal_backend.cli", *sys.argv[1:]]
    os.execve(sys.executable, arguments, {**os.environ, MULTIPROCESS_VARIABLE: str(_metrics_folder(config))})  # noqa: S606


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=1) as response:  # noqa: S310 (our own address)
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _announce(address: str, config: Config, log_to_files: bool) -> None:
    console.print(f"\n[bold green]The portal is up:[/] [bold]{address}[/]")
    console.print(f"  services   {address}/api/services")
    console.print(f"  triage     {address}/api/engagements/triage")
    console.print(f"  API        {address}/docs/")
    if not config.service_tokens:
        console.print(
            "[yellow]No authentication is configured: the server listens on this machine only, "
            "and everyone on it is a local administrator.[/]"
        )
    if any(source.simulated for source in config.sources):
        names = ", ".join(source.name for source in config.sources if source.simulated)
        console.print(f"[yellow]Simulated sources (no real system behind them): {names}[/]")
    if log_to_files:
        console.print(f"Logs: {config.data_dir / 'log'}", soft_wrap=True)
    console.print("Ctrl-C ends everything.\n")
