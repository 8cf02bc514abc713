"""Lines that differ in their digits and long ids only, made equal: every digit a one, every long hex id ones.

The patterns of the miner and of the header ask whether a character is a digit and never which one; a long hex id is
a variable whatever its letters are. So a folded line has the same length, the same shape and its variables in the
same places as the line, and whatever is expensive is done once per distinct folded line. All of this is byte tables
and bit counts over whole blocks: no step looks at a line.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_ONE, _LETTERS, _DIGITS = ord("1"), 6, 10
#: A run of hex digits and hyphens that is folded: UUIDs, trace and span ids, digests. Every such run holds eight
#: bytes that begin at a multiple of eight, which is how runs are found.
MIN_HEX_RUN = 16
#: Bytes of whole lines that are folded at once.
_CHUNK = 512 << 10
# Of eight bits: how many ones begin the byte, and how many end it.
_LEADING = np.array([8 - (~bits & 0xFF).bit_length() for bits in range(256)], dtype=np.int64)
_TRAILING = np.array([((bits + 1) & ~bits).bit_length() - 1 for bits in range(256)], dtype=np.int64)


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
    rows = np.unique(np.searchsorted(starts, np.arange(0, len(text) + _CHUNK, _CHUNK)).clip(max=len(starts) - 1))
    for first, last in pairwise(rows.tolist()):
        some = slice(starts[first], starts[last])
        _fold(text[some], starts[first : last + 1] - starts[first], folded[some])
    return folded


def _fold(text: Bytes, starts: Places, folded: Bytes) -> None:
    # Byte arithmetic wraps round: what is no digit is far beyond nine. It is quicker than a look-up in a table and,
    # unlike bytes.translate, lets other threads work. A folded Unix time begins with a one, as Unix times do.
    value = text - np.uint8(ord("0"))
    is_digit = value < _DIGITS
    value -= 1
    value *= is_digit.view(np.uint8)
    np.subtract(text, value, out=folded)
    np.bitwise_or(text, 0x20, out=value)
    value -= ord("a")
    is_letter = value < _LETTERS
    is_hex = text == ord("-")
    is_hex |= is_digit
    is_hex |= is_letter
    escaped = _escaped(text, starts)
    is_hex[escaped] = False
    begins, ends = _hex_runs(is_hex, starts)
    if len(begins):
        # A number has few letters and a rule of hyphens no digit: 1.5e-1111 and ---- are left as they are.
        ids = (_count(is_letter, begins, ends) > 1) & (_count(is_digit, begins, ends) > 0)
        is_letter &= _within(begins[ids], ends[ids], len(text))
        np.subtract(folded, _ONE, out=value)
        value *= is_letter.view(np.uint8)
        folded -= value
    folded[escaped] = text[escaped]


def _hex_runs(is_hex: Flags, starts: Places) -> tuple[Places, Places]:
    """Where runs of hex signs of at least MIN_HEX_RUN begin and end; no run goes past its line."""
    packed = np.packbits(is_hex)
    full = np.flatnonzero(packed == 0xFF)
    if not len(full):
        return full, full
    jumps = np.flatnonzero(np.diff(full) > 1)
    first, last = full[np.append(0, jumps + 1)], full[np.append(jumps, len(full) - 1)]
    padded = np.concatenate([[np.uint8(0)], packed, [np.uint8(0)]])
    begins = first * 8 - _TRAILING[padded[first]]
    ends = last * 8 + 8 + _LEADING[padded[last + 2]]
    long = np.flatnonzero(ends - begins >= MIN_HEX_RUN)
    begins, ends = begins[long], ends[long]
    inner = starts[1:-1]
    inner = inner[(inner > 0) & (inner < len(is_hex))]
    inner = inner[is_hex[inner - 1] & is_hex[inner]]
    if not len(begins) or not len(inner):
        return begins, ends
    run = np.searchsorted(begins, inner) - 1
    is_cut = (run >= 0) & (ends[run] > inner)
    # Runs that go over the ends of lines, in their pieces.
    whole = np.ones(len(begins), dtype=bool)
    whole[run[is_cut]] = False
    first = np.sort(np.concatenate([begins[~whole], inner[is_cut]]))
    last = np.sort(np.concatenate([inner[is_cut], ends[~whole]]))
    long = last - first >= MIN_HEX_RUN
    return np.concatenate([begins[whole], first[long]]), np.concatenate([ends[whole], last[long]])


def _count(flags: Flags, begins: Places, ends: Places) -> Places:
    """How many flags are set in each piece."""
    packed = np.packbits(flags, bitorder="little")
    words = np.append(packed, np.zeros(16 - len(packed) % 8, dtype=np.uint8)).view("<u8")
    before = np.concatenate([[0], np.cumsum(np.bitwise_count(words), dtype=np.int64)])

    def up_to(places: Places) -> Places:
        lower = (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
        counted: Places = before[places >> 6] + np.bitwise_count(words[places >> 6] & lower)
        return counted

    return up_to(ends) - up_to(begins)


def _within(begins: Places, ends: Places, size: int) -> Flags:
    """A flag per byte: whether it lies in one of the pieces, which are longer than eight bytes and apart."""
    steps = np.zeros(size // 8 + 2, dtype=np.int8)
    steps[(begins + 7) >> 3] += 1
    steps[ends >> 3] -= 1
    packed = (np.cumsum(steps, dtype=np.int8) * -1).view(np.uint8)
    # The bytes of bits in which pieces begin and end; those that begin at a whole one have nothing to add.
    packed[begins >> 3] |= (0xFF >> (begins & 7)).astype(np.uint8)
    packed[ends >> 3] |= (0xFF00 >> (ends & 7)).astype(np.uint8)
    return np.unpackbits(packed, count=size).view(np.bool_)


def spread(begins: Places, lengths: Places) -> tuple[Places, Places]:
    """The places of all bytes of pieces one after another, and where each piece begins among them."""
    first = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(begins - first, lengths), first


def _escaped(text: Bytes, starts: Places) -> Places:
    r"""Where the four signs behind \u stand, and the b and f of \b and \f.

    In JSON they name a character: their digits count, and no id begins with them.
    """
    slashes = np.flatnonzero(text[:-1] == ord("\\"))
    line_ends = starts[np.searchsorted(starts, slashes, side="right")]
    sign = text[slashes + 1]
    named, single = sign == ord("u"), (sign == ord("b")) | (sign == ord("f"))
    places = np.concatenate([(slashes[named, None] + np.arange(2, 6)).ravel(), slashes[single] + 1])
    return places[places < np.concatenate([np.repeat(line_ends[named], 4), line_ends[single]])]
