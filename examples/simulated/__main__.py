"""Runs the simulated systems on loopback until it is ended: `python -m examples.simulated --prometheus-port 9090 …`."""

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from examples.simulated import argocd, grafana, prometheus, tools
from examples.simulated.deploys import DeploysFault
from examples.simulated.telemetry import TelemetryFault

LOOPBACK = "127.0.0.1"
COMPANY = Path(__file__).parents[1] / "shakespeare"
PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--prometheus-port", type=PORT, help="Port of the simulated Prometheus; 0 takes a free one.")
@click.option("--argocd-port", type=PORT, help="Port of the simulated Argo CD.")
@click.option("--grafana-port", type=PORT, help="Port of the simulated Grafana.")
@click.option("--portal-url", help="Address of the portal to which the company's other tools post.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=COMPANY,
    show_default=True,
    help="Folder with telemetry.yaml, deploys.yaml, tools.yaml and dashboards/.",
)
def main(
    prometheus_port: int | None, argocd_port: int | None, grafana_port: int | None, portal_url: str | None, data: Path
) -> None:
    """Run simulated systems, each on its port; one without a port is not started."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    wanted: list[tuple[str, int | None, Callable[[Path], Flask], Path]] = [
        ("Prometheus", prometheus_port, prometheus.create_app, data / "telemetry.yaml"),
        ("Argo CD", argocd_port, argocd.create_app, data / "deploys.yaml"),
        ("Grafana", grafana_port, grafana.create_app, data / "dashboards"),
    ]
    chosen = [(system, port, make, path) for system, port, make, path in wanted if port is not None]
    if not chosen:
        raise click.UsageError("Give at least one of --prometheus-port, --argocd-port and --grafana-port.")
    servers = [_start(*one) for one in chosen]
    ended = threading.Event()
    if portal_url:
        arguments = (portal_url, data / "tools.yaml", ended)
        threading.Thread(target=tools.post_for_good, args=arguments, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    for one in servers:
        one.shutdown()


def _start(system: str, port: int, make: Callable[[Path], Flask], path: Path) -> BaseWSGIServer:
    try:
        server: Any = make_server(LOOPBACK, port, make(path), threaded=True)
    except (TelemetryFault, DeploysFault) as error:
        raise click.ClickException(str(error)) from error
    except (OSError, SystemExit) as error:
        raise click.ClickException(f"Port {port} cannot be used for the simulated {system}.") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    click.echo(f"Simulated {system} on http://{LOOPBACK}:{server.server_port}")
    started: BaseWSGIServer = server
    return started


if __name__ == "__main__":
    main()
