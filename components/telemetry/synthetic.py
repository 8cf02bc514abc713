"""The built-in shop as a source. Its data is synthetic: generated from a seed, never measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from components.core.times import Window, iso


class SyntheticSource:
    """The generated shop: rows for any time, the faults of its script placed around `anchor`.

    Seed and anchor are the generator's own defaults where None.
    """

    live = True

    def __init__(self, seed: int | None = None, anchor: datetime | None = None) -> None:
        from components.telemetry.shop import Shop

        given = {"seed": seed, "anchor": anchor}
        self._shop = Shop(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        self.name = f"shop://?seed={self._shop.seed}&anchor={iso(self._shop.anchor)}"

    def extent(self) -> Window | None:
        return None

    def read(self, table: str, window: Window) -> pl.DataFrame:
        generate: Callable[[Window], pl.DataFrame] = getattr(self._shop, table)
        return generate(window)

    def notes(self) -> list[str]:
        return ["the shop's data is synthetic"]
