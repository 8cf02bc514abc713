"""The fields and parameters of a block's lines: cut out by their places where a key tells them, read otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.core.times import TIME_DTYPE
from components.logs.shaping import Shaper, picked
from components.logs.slicing import Bytes, cut_field, cut_parameters
from components.logs.source import Block, Source, as_series, as_text
from components.logs.stamps import read_stamps


class Reader:
    """Reads the lines of one source; may be called from several threads.

    with_messages: the messages and trace ids are wanted as well, which takes its time.
    """

    def __init__(self, source: Source, shaper: Shaper, year: int, *, with_messages: bool) -> None:
        self._source, self._shaper, self._year = source, shaper, year
        self._plain = Shaper()
        self._cuts = source.layout.sliceable and not with_messages and source.table is None

    def read(self, block: Block, templates: pl.Series) -> pl.DataFrame:
        """`timestamp, severity, service, continues, parameters` (and `message, trace_id`) of each line."""
        if not self._cuts:
            return self._read(block, templates)
        keys, key_of = self._keys(self._shaper, block.lines, templates)
        placed = pl.concat([keys, self._source.layout.places(keys["line"])], how="horizontal")
        cut = placed["message_at"].is_not_null().to_numpy()
        if cut.all():
            return self._cut(block.lines, placed, key_of)
        is_cut = cut[key_of]
        rows = np.flatnonzero(is_cut), np.flatnonzero(~is_cut)
        parts = [self._read(_take(block, rows[1]), templates.gather(rows[1]))]
        if len(rows[0]):
            parts.append(self._cut(_take(block, rows[0]).lines, placed, key_of[rows[0]]).select(parts[0].columns))
        order = np.argsort(np.concatenate([rows[1], rows[0]][: len(parts)]))
        return pl.concat(parts)[order]

    def _read(self, block: Block, templates: pl.Series) -> pl.DataFrame:
        records = self._source.records(block, self._year)
        messages = as_text(records["message"])
        keys, key_of = self._keys(self._plain, messages, templates)
        keys = keys.with_columns(pl.col("line").alias("message"), pl.lit(0).alias("message_at"))
        return records.with_columns(cut_parameters(Bytes(messages), key_of, keys))

    def _cut(self, lines: pa.LargeStringArray, keys: pl.DataFrame, key_of: npt.NDArray[np.int64]) -> pl.DataFrame:
        block, about = Bytes(lines), keys[key_of]
        nothing = pl.lit(None, pl.String)
        return pl.select(
            self._times(block, about).alias("timestamp"),
            about["severity"],
            cut_field(block, about["service_at"], about["service_bytes"]).alias("service"),
            about["continues"],
            cut_parameters(block, key_of, keys),
            message=nothing,
            trace_id=nothing,
        )

    def _times(self, block: Bytes, about: pl.DataFrame) -> pl.Series:
        """Each line's timestamp, read by the format of its kind."""
        if about["time_at"].null_count() == len(about):
            return pl.Series([None], dtype=TIME_DTYPE).new_from_index(0, len(about))
        texts = cut_field(block, about["time_at"], about["time_bytes"])
        kinds = self._source.layout.kinds
        used = about["kind"].unique().to_list()
        if len(used) == 1:
            return read_stamps(texts, kinds[used[0]].time_format, self._year)
        times = pl.Series([None], dtype=TIME_DTYPE).new_from_index(0, len(about))
        for kind in used:
            if kind < len(kinds):
                of_kind = about["kind"] == kind
                # Those of other kinds are nulled first: no format but their own may read them.
                own = texts.zip_with(of_kind, pl.Series([None], dtype=pl.String))
                times = read_stamps(own, kinds[kind].time_format, self._year).zip_with(of_kind, times)
        return times

    @staticmethod
    def _keys(
        shaper: Shaper, lines: pa.LargeStringArray, templates: pl.Series
    ) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
        """`line, shape, template` of each key of a block, and which key each line has."""
        keys, shapes, codes = shaper.keys_of(lines)
        used, first, key_of = np.unique(codes, return_index=True, return_inverse=True)
        frame = pl.DataFrame(
            {
                "line": as_series(picked(keys, used)),
                "shape": pl.Series([shapes[code] for code in used], dtype=pl.String),
                "template": templates.gather(first),
            }
        )
        return frame, key_of.astype(np.int64)


def _take(block: Block, rows: npt.NDArray[np.intp]) -> Block:
    return Block(picked(block.lines, rows), None if block.rows is None else block.rows[rows])
