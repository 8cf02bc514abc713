"""The built-in shop as a source. Its data is synthetic: generated from a seed, never measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from components.core.times import Window, iso


class SyntheticSource:
    """The generated shop: rows for any time, the faults of its script placed around `anchor`."""

    live = True

    def __init__(self, seed: int, anchor: datetime) -> None:
        from components.telemetry.shop import Shop

        self._shop = Shop(seed, anchor)
        self.name = f"shop://?seed={seed}&anchor={iso(anchor)}"

    def extent(self) -> Window | None:
        return None

    def read(self, table: str, window: Window) -> pl.DataFrame:
        generate: Callable[[Window], pl.DataFrame] = getattr(self._shop, table)
        return generate(window)

    def notes(self) -> list[str]:
        return ["the shop's data is synthetic"]
