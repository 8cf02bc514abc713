"""Noise without state: every value is a hash of (stream, tick), so any split of time gives the same values.

A *stream* is a 64-bit number made from the seed and a name; a *tick* is a counter of time. Streams are the rows
and ticks the columns of every array here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

# The increment and the finalizer of splitmix64 (Steele, Lea and Flood, 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def stream(seed: int, *names: object) -> int:
    """The 64-bit number of the stream with this name."""
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def streams(seed: int, name: str, members: Iterable[object]) -> Words:
    """One stream per member, as an array."""
    return np.array([stream(seed, name, member) for member in members], dtype=np.uint64)


def scramble(words: Words) -> Words:
    """The finalizer of splitmix64: a bijection whose output bits look independent."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))


def words(keys: Words, ticks: Ints) -> Words:
    """Random words, one per stream (row) and tick (column)."""
    return scramble(keys[:, None] + ticks.astype(np.uint64)[None, :] * _GOLDEN)


def uniform(keys: Words, ticks: Ints) -> Floats:
    """Uniform in the open interval (0, 1), one per stream and tick."""
    return (words(keys, ticks) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normal(keys: Words, ticks: Ints) -> Floats:
    """Standard normal, one per stream and tick."""
    drawn: Floats = ndtri(uniform(keys, ticks))
    return drawn


def smooth(keys: Words, ticks: Ints, period: int) -> Floats:
    """Standard normal at every tick, autocorrelated over about `period` ticks: knots of noise, joined smoothly."""
    index = ticks // period
    first = int(index.min())
    knots = normal(keys, np.arange(first, int(index.max()) + 2))
    place = (ticks % period) / period
    weight = place * place * (3.0 - 2.0 * place)
    # Between two knots the variance of their mixture sinks; dividing restores it.
    scale = 1.0 / np.sqrt(weight * weight + (1.0 - weight) ** 2)
    left, right = knots[:, index - first], knots[:, index - first + 1]
    return left * ((1.0 - weight) * scale) + right * (weight * scale)


def textured(keys: Words, ticks: Ints, texture: dict[int, float]) -> Floats:
    """Unit-variance sum of noises: `texture` maps a period in ticks (1 is white noise) to its weight."""
    total = np.zeros((len(keys), len(ticks)))
    for period, weight in texture.items():
        octave = scramble(keys ^ np.uint64(period))
        total += weight * (normal(octave, ticks) if period == 1 else smooth(octave, ticks, period))
    return total / float(np.sqrt(sum(weight**2 for weight in texture.values())))


def draw(seed: int, *names: object) -> float:
    """One uniform number in (0, 1) for this name."""
    key = np.array([stream(seed, *names)], dtype=np.uint64)
    return float(uniform(key, np.zeros(1, dtype=np.int64))[0, 0])
