"""Lines that differ in their digits and long ids only, made equal: every digit a one, every long hex id ones.

The patterns of the miner and of the header ask whether a character is a digit and never which one; a long hex id is
a variable whatever its letters are. So a folded line has the same length, the same shape and its variables in the
same places as the line, and whatever is expensive is done once per distinct folded line. All of this is byte tables
and bit counts over whole blocks: no step looks at a line.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_ONE = ord("1")
_HEX = b"0123456789abcdefABCDEF-"
# A Unix time begins with a one, and so does every folded number.
_ONES = bytes(_ONE if chr(sign).isdigit() and sign < 128 else sign for sign in range(256))
_IS_HEX = bytes(sign in _HEX for sign in range(256))
#: A run of hex digits and hyphens that is folded: UUIDs, trace and span ids, digests. Every such run holds eight
#: bytes that begin at a multiple of eight, which is how runs are found.
MIN_HEX_RUN = 16
# Of eight bits: how many ones begin the byte, and how many end it.
_LEADING = np.array([8 - (~bits & 0xFF).bit_length() for bits in range(256)], dtype=np.int64)
_TRAILING = np.array([((bits + 1) & ~bits).bit_length() - 1 for bits in range(256)], dtype=np.int64)


def fold(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    """The lines with their digits and long hex ids folded; equal lengths, and every line by itself."""
    _, offsets, data = lines.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines) + 1]
    text = memoryview(data)[starts[0] : starts[-1]].tobytes() if data is not None and len(lines) else b""
    starts = starts - starts[0] if len(starts) else np.zeros(1, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(lines), pa.py_buffer(starts), pa.py_buffer(_folded(text, starts)))


def _folded(text: bytes, starts: Places) -> bytes:
    folded = bytearray(text.translate(_ONES))
    content = np.frombuffer(folded, dtype=np.uint8)
    begins, ends = _hex_runs(text, starts)
    if len(begins):
        _fold_runs(content, begins, ends)
    if b"\\u" in text:
        _restore_escapes(content, np.frombuffer(text, dtype=np.uint8))
    return bytes(folded)


def _hex_runs(text: bytes, starts: Places) -> tuple[Places, Places]:
    """Where runs of hex signs of at least MIN_HEX_RUN begin and end; no run goes past its line."""
    packed = np.packbits(np.frombuffer(text.translate(_IS_HEX), dtype=np.uint8))
    full = np.flatnonzero(packed == 0xFF)
    if not len(full):
        return full, full
    jumps = np.flatnonzero(np.diff(full) > 1)
    first, last = full[np.append(0, jumps + 1)], full[np.append(jumps, len(full) - 1)]
    padded = np.concatenate([[np.uint8(0)], packed, [np.uint8(0)]])
    begins = first * 8 - _TRAILING[padded[first]]
    ends = last * 8 + 8 + _LEADING[padded[last + 2]]
    long = ends - begins >= MIN_HEX_RUN
    begins, ends = begins[long], ends[long]
    first_line = np.searchsorted(starts, begins, side="right")
    over = np.flatnonzero(starts[np.minimum(first_line, len(starts) - 1)] < ends)
    if not len(over):
        return begins, ends
    pieces = _cut(begins[over], ends[over], starts)
    return tuple(
        np.concatenate([np.delete(whole, over), parts]) for whole, parts in zip((begins, ends), pieces, strict=True)
    )


def _cut(begins: Places, ends: Places, starts: Places) -> tuple[Places, Places]:
    """Runs that go over the ends of lines, in their pieces."""
    pieces = []
    for begin, end in zip(begins, ends, strict=True):
        inner = starts[np.searchsorted(starts, begin, side="right") : np.searchsorted(starts, end)]
        edges = [begin, *inner, end]
        pieces += [(a, b) for a, b in pairwise(edges) if b - a >= MIN_HEX_RUN]
    found = np.array(pieces, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _fold_runs(content: Bytes, begins: Places, ends: Places) -> None:
    """Letters of hex runs to ones, where a run has a digit and two letters: 1.5e-1111 is a number, ---- is a rule."""
    places, first = spread(begins, ends - begins)
    signs = content[places]
    letters = signs > ord("9")
    counted: list[Any] = [
        np.add.reduceat(flags.view(np.uint8), first, dtype=np.int64) for flags in (letters, signs == _ONE)
    ]
    ids = np.repeat((counted[0] > 1) & (counted[1] > 0), ends - begins)
    content[places] = np.where(ids & letters, np.uint8(_ONE), signs)


def spread(begins: Places, lengths: Places) -> tuple[Places, Places]:
    """The places of all bytes of pieces one after another, and where each piece begins among them."""
    first = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(begins - first, lengths), first


def _restore_escapes(content: Bytes, text: Bytes) -> None:
    r"""The four signs behind \u as they were: in JSON they name a character, and their digits count."""
    found = np.flatnonzero(text[:-1] == ord("\\"))
    found = found[text[found + 1] == ord("u")]
    places = (found[:, None] + np.arange(2, 6)).ravel()
    places = places[places < len(text)]
    content[places] = text[places]
