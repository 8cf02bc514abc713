"""How a step is started somewhere else: `TRACEO_RUNNER` names the launcher.

Every launcher takes a step's name, its artifact URIs and its parameters, runs the one command line that
`components.core.step` defines, and returns the step's summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from components.core.errors import SettingsError
from components.core.launch.docker import DockerLauncher
from components.core.launch.process import ProcessLauncher
from components.core.spec import Spec


class Launcher(Protocol):
    """Runs one step to its end; `stop` may be called from another thread or a signal handler."""

    def run(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]: ...

    def stop(self) -> None: ...


LAUNCHERS: dict[str, type[Launcher]] = {"docker": DockerLauncher, "process": ProcessLauncher}


def launcher(runner: str) -> Launcher:
    """The launcher of this name; SettingsError where there is none."""
    known(runner)
    return LAUNCHERS[runner]()


def known(runner: str) -> None:
    """SettingsError where TRACEO_RUNNER names nothing that starts steps."""
    # A pod is no launcher: Airflow's own operator starts it (components.core.launch.kubernetes).
    names = [*LAUNCHERS, "kubernetes"]
    if runner not in names:
        raise SettingsError(f"TRACEO_RUNNER={runner!r} is not known; choose from {', '.join(names)}")
