"""Runs a step as a child process on this machine: the embedded default."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from components.core.launch.outcome import Outcome
from components.core.spec import Spec


def command(spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> list[str]:
    """The argument list that runs a step; the same for every launcher."""
    ports = [part for name, uri in uris.items() for part in (f"--{name}", uri)]
    return [spec.step, *ports, "--params", json.dumps(dict(params), sort_keys=True, default=str)]


class ProcessLauncher:
    """Starts `python -m components.<domain> <step> …` in its own process group and follows its output."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
        """Run one step; returns its summary. TraceoError carries the step's own last line where it failed.

        NotYetError where the step found too little data so far.
        """
        arguments = [sys.executable, "-m", f"components.{spec.domain}", *command(spec, uris, params)]
        with subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._process = process
            if self._stopped:
                self.stop()
            outcome = Outcome(spec)
            for line in process.stdout or ():
                outcome.follow(line)
        return outcome.settle(process.returncode)

    def stop(self) -> None:
        """End the step and everything it started; one that has not begun ends as it begins."""
        self._stopped = True
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
