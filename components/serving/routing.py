"""Which versions of one model are loaded, and which of them answers a request."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.core.tracking import Predictor

CHAMPION, CHALLENGER = "champion", "challenger"
#: A version that failed to load is tried again after this long: the fault may have been the network's.
RETRY_S = 30.0
logger = logging.getLogger("traceo.serving")


@dataclass(frozen=True)
class Loaded:
    """One version in memory."""

    version: str
    predictor: Predictor


@dataclass(frozen=True)
class Failure:
    """Why a version is not in memory, and when (monotonic seconds) it is tried again."""

    version: str
    reason: str
    retry_at_s: float


class Route:
    """The versions of one model in memory, by alias.

    `refresh` runs in one thread; `choose` in any. What is loaded is replaced as a whole, never changed, so that a
    request sees either the old versions or the new ones.
    """

    def __init__(self, model: str, challenger_weight: float, load: Callable[[str, str], Predictor]) -> None:
        self.model = model
        self._weight = challenger_weight
        self._load = load
        self._loaded: Mapping[str, Loaded] = {}
        self._failures: Mapping[str, Failure] = {}

    def refresh(self, aliases: Mapping[str, str], now_s: float) -> None:
        """Load what the aliases point to; a version that does not load leaves in place what was there."""
        loaded: dict[str, Loaded] = {}
        failures: dict[str, Failure] = {}
        for alias in (CHAMPION, CHALLENGER):
            if alias not in aliases:
                continue
            obtained = self._obtain(alias, aliases[alias], now_s)
            if isinstance(obtained, Loaded):
                loaded[alias] = obtained
                continue
            failures[alias] = obtained
            if alias in self._loaded:
                loaded[alias] = self._loaded[alias]
        for alias in (CHAMPION, CHALLENGER):
            before, after = self._loaded.get(alias), loaded.get(alias)
            if before != after:
                logger.info("%s %s: %s -> %s", self.model, alias, _version(before), _version(after))
        self._loaded, self._failures = loaded, failures

    def choose(self, request_id: str | None) -> Loaded | None:
        """The version that answers this request; None while there is no champion.

        The challenger gets its share of the request ids, spread evenly by SHA-256; a request without id goes to
        the champion.
        """
        loaded = self._loaded
        if CHAMPION in loaded and CHALLENGER in loaded and request_id and share(request_id) < self._weight:
            return loaded[CHALLENGER]
        return loaded.get(CHAMPION)

    def problem(self) -> str:
        """Why no champion answers, in one clause."""
        if CHAMPION in self._failures:
            failure = self._failures[CHAMPION]
            return f"version {failure.version} cannot be loaded: {failure.reason}"
        return "no version has the alias champion; train one and let the gate promote it"

    def status(self) -> dict[str, Any]:
        """What is loaded and what failed to load, by alias."""
        return {
            "versions": {alias: loaded.version for alias, loaded in self._loaded.items()},
            "errors": {alias: {"version": f.version, "reason": f.reason} for alias, f in self._failures.items()},
            "challenger_weight": self._weight,
        }

    def _obtain(self, alias: str, version: str, now_s: float) -> Loaded | Failure:
        # A promoted challenger is in memory already.
        for loaded in self._loaded.values():
            if loaded.version == version:
                return loaded
        failed = self._failures.get(alias)
        if failed and failed.version == version and now_s < failed.retry_at_s:
            return failed
        try:
            return Loaded(version, self._load(self.model, version))
        except Exception as error:  # a model's own loader may raise anything; the server must live on
            logger.exception("%s %s: version %s cannot be loaded", self.model, alias, version)
            return Failure(version, f"{type(error).__name__}: {error}"[:500], now_s + RETRY_S)


def share(request_id: str) -> float:
    """A number in [0, 1) that depends on the request id alone, evenly spread over ids."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8]) / 2**64


def _version(loaded: Loaded | None) -> str:
    return f"version {loaded.version}" if loaded else "none"
