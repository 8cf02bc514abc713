"""Names that keep their digits (ssh2, eth0): the digits of a line that stay in its shape.

Lines of one folded line have their variables in the same places, so the digits that stay are in the same places too.
They are put back into the folded line, and lines that are the same then have one shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from components.logs.columns import as_series, numbered
from components.logs.folding import MIN_HEX_RUN, Places, spread
from components.logs.masking import WILDCARD, variables

# An id has half as many ones as signs. Three are a variable anywhere, fewer may belong to a name (ssh2-------).
_FEWEST = 3
_FOLDED_ID = re.compile(rb"[1-]{%d,}" % MIN_HEX_RUN)


def digits_kept(lines: pl.Series, messages: pl.Series, shapes: pl.Series) -> list[Places]:
    """Where the digits stand that stay in the shape, in bytes from the line's begin, of each folded line.

    Where a line does not end in its message (JSON, logfmt), all of its digits but those of folded ids: they may be
    anywhere. An id is a variable as it was folded, and need not be one as it was (deadbeefdeadbeef01).
    """
    found = messages.to_frame("message").select(variables(pl.col("message"), names=True)).to_series()
    rows = zip(lines, messages, shapes, found, strict=True)
    return [_digits(*row) for row in rows]


def _digits(line: str, message: str, shape: str, values: Sequence[str]) -> Places:
    text = np.frombuffer(line.encode(), dtype=np.uint8)
    is_digit = (text - np.uint8(ord("0"))) < 10
    if line.endswith(message):
        at = len(text) - len(message.encode())
        is_digit[:at] = False
        for literal, value in zip(shape.split(WILDCARD), values, strict=False):
            at += len(literal.encode())
            end = at + len(value.encode())
            is_digit[at:end] = False
            at = end
    else:
        for run in _FOLDED_ID.finditer(line.encode()):
            if run[0].count(b"1") >= _FEWEST:
                is_digit[slice(*run.span())] = False
    return np.flatnonzero(is_digit)


def restore(
    lines: pa.LargeStringArray, rows: Places, key_of: Places, keys: Sequence[str], kept: Sequence[Places]
) -> tuple[list[str], Places]:
    """The distinct folded lines of some rows with their kept digits as they were, and each row's place among them.

    key_of: the place of each row's folded line in `keys`; kept: of each of them.
    """
    _, offsets, data = lines.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines)][rows]
    counts = np.array([len(one) for one in kept], dtype=np.int64)
    place, _ = spread((np.cumsum(counts) - counts)[key_of], counts[key_of])
    digits = np.frombuffer(data, dtype=np.uint8)[np.repeat(starts, counts[key_of]) + np.concatenate(kept)[place]]
    # The number of the folded line in four bytes, and the digits.
    ends = np.append(0, np.cumsum(counts[key_of] + 4))
    told = np.empty(ends[-1], dtype=np.uint8)
    for byte in range(4):
        told[ends[:-1] + byte] = (key_of >> (8 * byte)) & 0xFF
    told[spread(ends[:-1] + 4, counts[key_of])[0]] = digits
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(rows), [None, pa.py_buffer(ends), pa.py_buffer(told)]
    )
    distinct, place = numbered(as_series(array))
    return [_line(keys, kept, one) for one in distinct], place


def _line(keys: Sequence[str], kept: Sequence[Places], told: bytes) -> str:
    key = int.from_bytes(told[:4], "little")
    line = bytearray(keys[key].encode())
    for at, digit in zip(kept[key].tolist(), told[4:], strict=True):
        line[at] = digit
    return line.decode()
