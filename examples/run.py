"""`make run`: the product with the Shakespeare company, whose monitoring and deploy systems are simulated.

PORT (7007), CONFIG (examples/portal.yaml) and DATA_DIR (./data) override. With a CONFIG of your own nothing is
simulated.
"""

import contextlib
import os
import socket
import sys
from pathlib import Path

from portal_backend.commands.common import COULD_NOT_RUN, complaints
from portal_backend.commands.serving import run_everything
from portal_backend.supervisor import Program

HERE = Path(__file__).parent
USUAL_PORT = 7007
SIMULATED = {"prometheus": 17090, "argocd": 17091, "grafana": 17092}
"""The simulated systems and their usual ports, which stand in portal.yaml as well."""


def main() -> None:
    """Start the simulated systems, if the example is what runs, and then everything that `portal up` starts."""
    config = os.environ.get("CONFIG") or str(HERE / "portal.yaml")
    os.environ["PORTAL_CONFIG"] = config
    if folder := os.environ.get("DATA_DIR"):
        os.environ["PORTAL_DATA_DIR"] = folder
    if port := os.environ.get("PORT"):
        os.environ["PORTAL_PORT"] = port
    if not Path(config).is_file():
        complaints.print(f"[red]Could not run:[/] CONFIG names {config}, which is no file.")
        sys.exit(COULD_NOT_RUN)
    run_everything(_simulated_systems() if "CONFIG" not in os.environ else [], log_to_files=True)


def _simulated_systems() -> list[Program]:
    """Return the program that simulates the company's systems, and tell the configuration where they listen."""
    ports = {name: _free_port(usual) for name, usual in SIMULATED.items()}
    for name, port in ports.items():
        os.environ[f"SIMULATED_{name.upper()}_URL"] = f"http://127.0.0.1:{port}"
    options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    options += ["--portal-url", f"http://127.0.0.1:{os.environ.get('PORTAL_PORT', USUAL_PORT)}"]
    return [Program("simulated systems", [sys.executable, "-m", "examples.simulated", *options])]


def _free_port(usual: int) -> int:
    """Return the usual port, or another one where that is taken."""
    for port in (usual, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as listener:
            free: int = listener.getsockname()[1]
            return free
    raise OSError("no port is free on 127.0.0.1")


if __name__ == "__main__":
    main()
