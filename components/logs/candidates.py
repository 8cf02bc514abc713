"""Which spans were open when a line was written: pairs of rows, without comparing every line with every span."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.folding import spread

Rows = npt.NDArray[np.int64]


def open_spans(lines: pl.DataFrame, spans: pl.DataFrame, slack_us: int) -> tuple[Rows, Rows]:
    """Pairs of a row of `timestamp, service` and a row of `service, start_time, duration_us` that is open then.

    A line without a service is paired with the spans of any. Clocks may differ by `slack_us`.
    """
    at = lines["timestamp"].dt.epoch("us").to_numpy()
    begins = spans["start_time"].dt.epoch("us").to_numpy()
    lengths = spans["duration_us"].to_numpy()
    parts = []
    of_service = dict(lines.with_row_index("row").group_by("service").agg("row").iter_rows())
    spans_of = dict(spans.with_row_index("row").group_by("service").agg("row").iter_rows())
    spans_of[None] = list(range(len(spans)))
    for service, rows in of_service.items():
        candidates = np.array(spans_of.get(service, []), dtype=np.int64)
        if len(candidates):
            parts += _pairs(np.array(sorted(rows), dtype=np.int64), candidates, at, begins, lengths, slack_us)
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    line, span = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((span, line))
    return line[order], span[order]


def _pairs(lines: Rows, spans: Rows, at: Rows, begins: Rows, lengths: Rows, slack_us: int) -> list[tuple[Rows, Rows]]:
    """The pairs within one service. Spans of one magnitude of length are looked through together: those that are open
    at an instant began no longer ago than the longest of them lasts.
    """
    found = []
    magnitude = np.ceil(np.log2(lengths[spans] + 1.0)).astype(np.int64)
    for exponent in np.unique(magnitude):
        some = spans[magnitude == exponent]
        some = some[np.argsort(begins[some], kind="stable")]
        first = np.searchsorted(begins[some], at[lines] - (1 << int(exponent)) - slack_us, side="left")
        counts = np.searchsorted(begins[some], at[lines] + slack_us, side="right") - first
        place, _ = spread(first, counts)
        line, span = np.repeat(lines, counts), some[place]
        is_open = begins[span] + lengths[span] + slack_us >= at[line]
        found.append((line[is_open], span[is_open]))
    return found
