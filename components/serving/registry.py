"""Following the registry: a thread that asks for the aliases every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from components.core import tracking
from components.serving.routing import Route

logger = logging.getLogger("traceo.serving")


class Follower:
    """Keeps routes in step with the registry's aliases; the registry may be away for as long as it likes."""

    def __init__(self, routes: Sequence[Route], poll_s: float) -> None:
        self._routes = routes
        self._poll_s = poll_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="registry", daemon=True)
        self.error: str | None = "not asked yet"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        # Not joined: the thread may wait for a server that does not answer, and holds nothing that must be closed.
        self._stopped.set()

    def poll(self) -> None:
        """Ask once; a registry that does not answer changes nothing."""
        try:
            aliases: Mapping[str, Mapping[str, str]] = tracking.registered_models()
        except Exception as error:  # whatever went wrong, the loaded versions go on serving
            if self.error is None:
                logger.warning("the registry is away: %s", error)
            self.error = f"{type(error).__name__}: {error}"[:500]
            return
        for route in self._routes:
            route.refresh(aliases.get(route.model, {}), time.monotonic())
        self.error = None

    def _follow(self) -> None:
        while not self._stopped.is_set():
            self.poll()
            self._stopped.wait(self._poll_s)
