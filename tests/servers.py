"""Real servers for the tests: found on this machine, started on free loopback ports, ended with the run.

A server whose program is missing skips its tests with the reason; `make test` installs them where it may.
"""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START_TIMEOUT_SECONDS = 180


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def require(program: str, *folders: str) -> str:
    """Return the program's path, or skip the test: tests never pretend."""
    found = shutil.which(program) or next(
        (path for folder in folders for path in sorted(glob.glob(f"{folder}/{program}"), reverse=True)), None
    )
    if found is None:
        pytest.skip(f"{program} is not installed (`make test` installs it as root or with sudo)")
    return found


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args} does not listen on {port}")


@contextlib.contextmanager
def running(command: list[str], port: int, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; its output goes nowhere."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        wait_for_port(port, process)
        yield process
    finally:
        if options.get("start_new_session"):  # a script that starts the server: both are a group of their own
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL of our own; yield the SQLAlchemy URL of an empty database."""
    postgres = require("postgres", "/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin")
    folder = Path(tempfile.mkdtemp(prefix="portal-pg-"))
    user: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = next((name for name in ("postgres", "nobody") if _has_account(name)), None)
        if account is None:
            pytest.skip("PostgreSQL does not run as root, and there is no account postgres or nobody")
        user = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}
        shutil.chown(folder, account)
    environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    options = {**user, "env": environment, "cwd": folder}
    data = folder / "data"
    port = free_port()
    try:
        initdb = require("initdb", str(Path(postgres).resolve().parent), "/usr/lib/postgresql/*/bin")
        subprocess.run(
            [initdb, "-D", str(data), "-U", "portal", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, **options,  # type: ignore[call-overload]
        )  # fmt: skip
        command = [
            postgres, "-D", str(data), "-p", str(port), "-k", str(folder),
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off",
            "-c", "synchronous_commit=off",
        ]  # fmt: skip
        with running(command, port, **options):
            yield f"postgresql+psycopg://portal@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_account(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


@contextlib.contextmanager
def redis(port: int | None = None) -> Iterator[str]:
    """Run a Redis of our own, on a port that may be given; yield its URL."""
    program, port = require("redis-server"), port or free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder, running(command, port, cwd=folder):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    """Run a RabbitMQ of our own, with a name service of its own; yield its URL."""
    program = require("rabbitmq-server", "/usr/lib/rabbitmq/bin")
    program = next(iter(sorted(glob.glob("/usr/lib/rabbitmq/bin/rabbitmq-server"))), program)
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="portal-mq-"))
    (folder / "plugins").write_text("[].\n")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"portal{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    try:
        with running([program], port, env=environment, cwd=folder, start_new_session=True):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        _end_name_service(environment)
        shutil.rmtree(folder, ignore_errors=True)


def _end_name_service(environment: dict[str, str]) -> None:
    """End the name service of Erlang, which stays behind on the port that was ours alone."""
    if epmd := shutil.which("epmd"):
        for _ in range(50):  # it refuses until it has noticed that the server is gone
            ended = subprocess.run([epmd, "-kill"], env=environment, check=False, capture_output=True, text=True)
            if "not allowed" not in ended.stdout + ended.stderr:
                return
            time.sleep(0.1)


@contextlib.contextmanager
def buildbot(config: str) -> Iterator[str]:
    """Run a Buildbot master of our own, its web port put in the place of `PORT` in the configuration; yield its URL."""
    program = require("buildbot", str(Path(__file__).parents[1] / ".venv-buildbot" / "bin"))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "create-master", "--quiet", folder], check=True, stdout=subprocess.DEVNULL)
        (Path(folder) / "master.cfg").write_text(config.replace("PORT", str(port)))
        with running([program, "start", "--nodaemon", folder], port):
            yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def alertmanager(config: str) -> Iterator[str]:
    """Run an Alertmanager of our own with the given configuration (YAML); yield its URL."""
    program = shutil.which("prometheus-alertmanager") or require("alertmanager")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "alertmanager.yml").write_text(config)
        command = [
            program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error",
        ]  # fmt: skip
        with running(command, port):
            yield f"http://127.0.0.1:{port}"
