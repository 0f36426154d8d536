"""What the processes of a benchmark cost, as Linux counts it."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def peak_mb_of_others() -> float:
    """Return the most memory that one of the processes below this one has had so far."""
    below = children(os.getpid())
    below += [grandchild for child in below for grandchild in children(child)]
    return max((_peak_kb(pid) / 1024 for pid in below), default=0.0)


def of_children() -> float:
    """Return the CPU seconds of this process's running children, and of their own that have ended."""
    return sum(sum(int(ticks) for ticks in _stat(child)[11:15]) for child in children(os.getpid())) / TICKS


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
