"""Starts Airflow's scheduler after ending what a killed one left behind.

A scheduler that dies by SIGKILL leaves its LocalExecutor workers alive, waiting on a queue that nobody
fills; each would keep some 100 MB. They carry TRACEO_PROGRAM and the stack's mark in their environment.
"""

from __future__ import annotations

import os
import sys

import psutil

from components.cli.local.layout import MARK


def end_leftovers(program: str, stack: str) -> int:
    """Kill every process of this program and stack but this one; returns how many."""
    killed = 0
    for process in psutil.process_iter():
        try:
            environment = process.environ() if process.pid != os.getpid() else {}
            if environment.get("TRACEO_PROGRAM") == program and environment.get(MARK) == stack:
                process.kill()
                killed += 1
        except psutil.Error:
            continue
    return killed


if __name__ == "__main__":
    end_leftovers(os.environ["TRACEO_PROGRAM"], os.environ[MARK])
    os.execv(sys.executable, [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"])  # noqa: S606
