"""Lines that differ in their digits and long ids only, made equal: every digit a one, every long hex id ones.

The patterns of the miner and of the header ask whether a character is a digit and never which one; a long hex id is
a variable whatever its letters are. So a folded line has the same length, the same shape and its variables in the
same places as the line, and whatever is expensive is done once per distinct folded line. All of this is arithmetic on
whole blocks, of a byte or a bit for each of their bytes: no step looks at a line.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
#: A bit for each byte of a piece of text, the first byte's lowest, and a zero word at the end.
Bits = npt.NDArray[np.uint64]

_ONE, _LETTERS, _DIGITS = ord("1"), 6, 10
#: So many hex digits and hyphens in a row are folded, where one of them is a digit and no two are hyphens side by side:
#: UUIDs, trace and span ids, digests.
MIN_HEX_RUN = 16
#: Bytes of whole lines that are folded at once.
_CHUNK = 1 << 20


def fold(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    """The lines with their digits and long hex ids folded; equal lengths, and every line by itself."""
    _, offsets, data = lines.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines) + 1]
    if data is None or not len(lines):
        return lines
    text = np.frombuffer(data, dtype=np.uint8)[starts[0] : starts[-1]]
    starts = starts - starts[0]
    return pa.LargeStringArray.from_buffers(len(lines), pa.py_buffer(starts), pa.py_buffer(_folded(text, starts)))


def _folded(text: Bytes, starts: Places) -> Bytes:
    # A piece at a time, so that all that is computed of it stays in the processor's cache.
    folded = np.empty_like(text)
    rows = np.searchsorted(starts, np.arange(0, len(text) + _CHUNK, _CHUNK)).clip(max=len(starts) - 1)
    for first, last in pairwise(sorted(set(rows.tolist()))):
        some = slice(starts[first], starts[last])
        _fold(text[some], starts[first : last + 1] - starts[first], folded[some])
    return folded


def _fold(text: Bytes, starts: Places, folded: Bytes) -> None:
    # Byte arithmetic wraps round: what is no digit is far beyond nine. It is quicker than a look-up in a table and,
    # unlike bytes.translate, lets other threads work. A folded Unix time begins with a one, as Unix times do.
    value = text - np.uint8(ord("0"))
    digit = _bits(value < _DIGITS)
    np.bitwise_or(text, 0x20, out=value)
    value -= ord("a")
    letter, named = _bits(value < _LETTERS), value == ord("u") - ord("a")
    slash, hyphen = _bits(text == ord("\\")), _bits(text == ord("-"))
    if slash.any() and (before := slash & _next(letter | _bits(named), 1)).any():
        escaped = _mask(_escaped(text, starts, _places(before)), len(text))
        digit, letter = digit & ~escaped, letter & ~escaped
    ends = _mask(starts[1:] - 1, len(text))
    is_folded = digit | (letter & _in_ids(digit, letter, hyphen, ends))
    np.subtract(text, _ONE, out=value)
    value *= np.unpackbits(is_folded.view(np.uint8), count=len(text), bitorder="little")
    np.subtract(text, value, out=folded)


def _in_ids(digit: Bits, letter: Bits, hyphen: Bits, ends: Bits) -> Bits:
    """Which bytes lie in MIN_HEX_RUN signs of an id; `ends` are the last bytes of lines."""
    sign = digit | letter | hyphen
    # Where a pair of signs begins within a line; where 15 pairs in a row do; where one of their 16 signs is a digit.
    begins = sign & _next(sign, 1) & ~(hyphen & _next(hyphen, 1)) & ~ends
    for step in (1, 2, 4, MIN_HEX_RUN - 9):
        begins &= _next(begins, step)
    wordy = ~digit
    for step in (1, 2, 4, 8):
        wordy &= _next(wordy, step)
    within = begins & ~wordy
    for step in (1, 2, 4, 8):
        within |= _last(within, step)
    return within


def _bits(flags: Flags) -> Bits:
    packed = np.packbits(flags, bitorder="little")
    words = np.zeros(len(flags) // 64 + 2, dtype=np.uint64)
    words.view(np.uint8)[: len(packed)] = packed
    return words


def _mask(places: Places, size: int) -> Bits:
    words = np.zeros(size // 64 + 2, dtype=np.uint64)
    places = places[places >= 0]
    np.bitwise_or.at(words, places >> 6, np.uint64(1) << (places & 63).astype(np.uint64))
    return words


def _places(bits: Bits) -> Places:
    some = np.flatnonzero(bits)
    word, bit = np.nonzero(np.unpackbits(bits[some].view(np.uint8), bitorder="little").reshape(-1, 64))
    found: Places = some[word] * 64 + bit
    return found


def _next(bits: Bits, step: int) -> Bits:
    """Each place's bit of the place so many further on."""
    moved = bits >> np.uint64(step)
    moved[:-1] |= bits[1:] << np.uint64(64 - step)
    return moved


def _last(bits: Bits, step: int) -> Bits:
    """Each place's bit of the place so many before."""
    moved = bits << np.uint64(step)
    moved[1:] |= bits[:-1] >> np.uint64(64 - step)
    return moved


def spread(begins: Places, lengths: Places) -> tuple[Places, Places]:
    """The places of all bytes of pieces one after another, and where each piece begins among them."""
    first = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(begins - first, lengths), first


def _escaped(text: Bytes, starts: Places, slashes: Places) -> Places:
    r"""Where the four signs behind \u stand, and the b and f of \b and \f.

    In JSON they name a character: their digits count, and no id begins with them.
    """
    line_ends = starts[np.searchsorted(starts, slashes, side="right")]
    sign = text[slashes + 1]
    named, single = sign == ord("u"), (sign == ord("b")) | (sign == ord("f"))
    places = np.concatenate([(slashes[named, None] + np.arange(2, 6)).ravel(), slashes[single] + 1])
    return places[places < np.concatenate([np.repeat(line_ends[named], 4), line_ends[single]])]
