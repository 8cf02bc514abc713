"""Runs a step as a child process on this machine: the embedded default."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from components.core.errors import NotYetError, TraceoError
from components.core.spec import Spec

logger = logging.getLogger("traceo.launch")


def command(spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> list[str]:
    """The argument list that runs a step; the same for every launcher."""
    ports = [part for name, uri in uris.items() for part in (f"--{name}", uri)]
    return [spec.step, *ports, "--params", json.dumps(dict(params), sort_keys=True, default=str)]


class ProcessLauncher:
    """Starts `python -m components.<domain> <step> …` in its own process group and follows its output."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

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
            last = ""
            for line in process.stdout or ():
                last = line.rstrip() or last
                logger.info(line.rstrip())
        if process.returncode == NotYetError.exit_code:
            raise NotYetError(last.removeprefix("error: "))
        if process.returncode:
            raise TraceoError(f"{spec.name} ended with exit code {process.returncode}: {last}")
        return _summary(spec, last)

    def stop(self) -> None:
        """End the step and everything it started."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)


def _summary(spec: Spec, last: str) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads(last)
    except ValueError:
        raise TraceoError(f"{spec.name} printed no summary as its last line, but {last[:200]!r}") from None
    return summary
