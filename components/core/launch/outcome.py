"""What a launched step said: its summary, or why it failed and what it left to look at. The same for every launcher."""

from __future__ import annotations

import json
import logging
from typing import Any

from components.core.errors import NotYetError, TraceoError
from components.core.spec import Spec
from components.core.step import LINKS_LINE

logger = logging.getLogger("traceo.launch")


class Outcome:
    """Follows a step's output line by line and judges it by its exit code."""

    def __init__(self, spec: Spec) -> None:
        self._name = spec.name
        self._last = ""
        self._links: dict[str, str] = {}

    def follow(self, line: str) -> None:
        """Take one line of the step's output; it also goes to the log."""
        logger.info(line.rstrip())
        self.hear(line)

    def hear(self, line: str) -> None:
        """Take one line that stands in the log already."""
        line = line.rstrip()
        links = _links(line)
        if links is None:
            self._last = line or self._last
        else:
            self._links = links

    def settle(self, exit_code: int) -> dict[str, Any]:
        """The step's summary.

        TraceoError carries the step's last line and links where it failed, NotYetError where it waits for data.
        """
        if exit_code:
            raise self.failure(exit_code)
        return self._summary()

    def failure(self, exit_code: int, why: str = "") -> TraceoError:
        """The error to raise for an exit code other than 0; `why` is what the place it ran in knows of it."""
        if exit_code == NotYetError.exit_code:
            return NotYetError(self._last.removeprefix("error: "), links=self._links)
        message = f"{self._name} ended with exit code {exit_code}" + (f": {self._last}" if self._last else "")
        return TraceoError(message + (f" ({why})" if why else ""), links=self._links)

    def _summary(self) -> dict[str, Any]:
        try:
            summary: dict[str, Any] = json.loads(self._last)
        except ValueError:
            message = f"{self._name} printed no summary as its last line, but {self._last[:200]!r}"
            raise TraceoError(message) from None
        return summary


def _links(line: str) -> dict[str, str] | None:
    """The links that a line holds; None for any other line, one that only begins like it included."""
    if not line.startswith(LINKS_LINE):
        return None
    try:
        found = json.loads(line.removeprefix(LINKS_LINE))
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    return found
