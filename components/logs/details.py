"""The fields and parameters of a block's lines: cut out by their places where a key tells them, read otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.core.times import TIME_DTYPE
from components.logs.folding import Places
from components.logs.shapes import BlockCodes
from components.logs.shaping import Keys, Shaper, picked
from components.logs.slicing import Bytes, Pieces, cut_field, cut_parameters, find_parameters
from components.logs.source import Block, Source, as_text
from components.logs.stamps import read_stamps

#: Keys whose places are remembered from block to block; past this the memory starts anew.
MAX_REMEMBERED = 200_000
_PLACES = ("kind", "message_at", "severity", "continues", "time_at", "time_bytes", "service_at", "service_bytes")
_SCHEMA = pl.Schema(
    {name: pl.String if name == "severity" else pl.Boolean if name == "continues" else pl.Int64 for name in _PLACES}
)


@dataclass(frozen=True)
class _Known:
    """Where keys have their fields and parameters: a row each, by the number of the key."""

    row_of: dict[int, int]
    fields: pl.DataFrame
    pieces: Pieces

    def plus(self, numbers: list[int], fields: pl.DataFrame, pieces: Pieces) -> _Known:
        """These keys and those, as another object: threads may be reading this one."""
        rows = self.row_of | dict(zip(numbers, count(len(self.fields)), strict=False))
        return _Known(rows, self.fields.vstack(fields), self.pieces.plus(pieces))


_NOBODY = np.empty(0, dtype=np.int64)
_NOTHING = _Known({}, pl.DataFrame(schema=_SCHEMA), Pieces(_NOBODY, _NOBODY, _NOBODY))


class Reader:
    """Reads the lines of one source; may be called from several threads.

    with_messages: the messages and trace ids are wanted as well, which takes its time.
    """

    def __init__(self, source: Source, shaper: Shaper, year: int, *, with_messages: bool) -> None:
        self._source, self._shaper, self._year = source, shaper, year
        self._plain = Shaper()
        self._cuts = source.layout.sliceable and not with_messages and source.table is None
        self._known = _NOTHING

    def read(self, block: Block, codes: BlockCodes, templates: pl.Series) -> pl.DataFrame:
        """`message, timestamp, severity, service, trace_id, continues, parameters` of each line.

        templates: of each row of `shapes`. Messages and trace ids are null where they are not asked for.
        """
        if not self._cuts:
            return self._read(block, templates.gather(codes.shapes))
        known, rows_of_keys = self._look_up(block.lines, codes, templates)
        row_of = rows_of_keys[codes.key_of]
        is_cut = known.fields["message_at"].is_not_null().to_numpy()[row_of]
        if is_cut.all():
            return self._cut(block.lines, row_of, known)
        rows = np.flatnonzero(~is_cut), np.flatnonzero(is_cut)
        parts = [self._read(_take(block, rows[0]), templates.gather(codes.shapes[rows[0]]))]
        if len(rows[1]):
            rest = _take(block, rows[1]).lines
            parts.append(self._cut(rest, row_of[rows[1]], known).select(parts[0].columns))
        return pl.concat(parts)[np.argsort(np.concatenate(rows))]

    def _look_up(self, lines: pa.LargeStringArray, codes: BlockCodes, templates: pl.Series) -> tuple[_Known, Places]:
        """What is known of the block's keys, and the row of each of them in it."""
        known, numbers = self._known, codes.keys.tolist()
        new = [key for key, number in enumerate(numbers) if number not in known.row_of]
        if new:
            if len(known.fields) + len(new) > MAX_REMEMBERED:
                known, new = _NOTHING, list(range(len(numbers)))
            first = np.zeros(len(numbers), dtype=np.int64)
            first[codes.key_of[::-1]] = np.arange(len(codes.key_of))[::-1]
            found = self._find(picked(lines, first[new]), templates.gather(codes.shape_of_key[new]))
            known = known.plus([numbers[key] for key in new], *found)
            # What another thread has found meanwhile is lost, and found again.
            self._known = known
        return known, np.fromiter((known.row_of[number] for number in numbers), dtype=np.int64, count=len(numbers))

    def _find(self, lines: pa.LargeStringArray, templates: pl.Series) -> tuple[pl.DataFrame, Pieces]:
        """Where lines, one of each key, have their fields and parameters."""
        keys = self._shaper.keys_of(lines)
        frame = _frame(keys, templates)
        frame = pl.concat([frame, self._source.layout.places(frame["line"])], how="horizontal")
        found = find_parameters(frame.with_columns(pl.col("message_at").fill_null(0)))
        return frame.select(_PLACES).cast(_SCHEMA)[keys.key_of], found.take(keys.key_of)

    def _read(self, block: Block, templates: pl.Series) -> pl.DataFrame:
        records = self._source.records(block, self._year)
        messages = as_text(records["message"])
        keys = self._plain.keys_of(messages)
        frame = _frame(keys, templates).with_columns(pl.col("line").alias("message"), pl.lit(0).alias("message_at"))
        return records.with_columns(cut_parameters(Bytes(messages), keys.key_of, find_parameters(frame)))

    def _cut(self, lines: pa.LargeStringArray, row_of: Places, known: _Known) -> pl.DataFrame:
        block, about = Bytes(lines), known.fields[row_of]
        nothing = pl.lit(None, pl.String)
        return pl.select(
            nothing.alias("message"),
            self._times(block, about).alias("timestamp"),
            about["severity"],
            cut_field(block, about["service_at"], about["service_bytes"]).alias("service"),
            nothing.alias("trace_id"),
            about["continues"],
            cut_parameters(block, row_of, known.pieces),
        )

    def _times(self, block: Bytes, about: pl.DataFrame) -> pl.Series:
        """Each line's timestamp, read by the format of its kind."""
        times = pl.Series([None], dtype=TIME_DTYPE).new_from_index(0, len(about))
        if about["time_at"].null_count() == len(about):
            return times
        texts = cut_field(block, about["time_at"], about["time_bytes"])
        kinds = self._source.layout.kinds
        for kind in about["kind"].unique().to_list():
            if kind < len(kinds):
                of_kind = about["kind"] == kind
                # Those of other kinds are nulled first: no format but their own may read them.
                own = texts.zip_with(of_kind, pl.Series([None], dtype=pl.String))
                times = read_stamps(own, kinds[kind].time_format, self._year).zip_with(of_kind, times)
        return times


def _frame(keys: Keys, templates: pl.Series) -> pl.DataFrame:
    """`line, shape, template` of each key of lines with these templates."""
    first = np.zeros(len(keys.shapes), dtype=np.int64)
    first[keys.key_of[::-1]] = np.arange(len(keys.key_of))[::-1]
    shapes = pl.Series("shape", keys.shapes, dtype=pl.String)
    return pl.DataFrame([keys.lines, shapes, templates.gather(first).alias("template")])


def _take(block: Block, rows: npt.NDArray[np.intp]) -> Block:
    return Block(picked(block.lines, rows), None if block.rows is None else block.rows[rows])
