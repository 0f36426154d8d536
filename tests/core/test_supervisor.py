"""Several programs as one: what dies comes back, what ends ends together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from portal_backend.supervisor import Program, supervise

folder = Path(sys.argv[1])
child = "import os, time, pathlib; pathlib.Path({0!r}, str(os.getpid())).touch(); time.sleep(600)"
programs = [Program("sleeper", [sys.executable, "-c", child.format(str(folder))])]
say = lambda text: print(text, flush=True)
supervise(programs, lambda: any(folder.iterdir()), lambda: say("announced"), say)
"""


def pids(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir()}


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_program_is_started_again_and_all_end_together(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: len(pids(tmp_path)) == 1)
        first = pids(tmp_path)
        os.kill(next(iter(first)), signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path)) == 2)
        second = next(iter(pids(tmp_path) - first))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert output.count("announced") == 1
    assert "starts again" in output
    assert process.returncode == 0
    wait_for(lambda: not alive(second))
