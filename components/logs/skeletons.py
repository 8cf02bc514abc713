"""Shapes that differ in several words at once, found by how often their words occur.

`lease for anna at sector` and `lease for boris at meadow` have no sibling that differs in one word alone when both
words take many values. But a statement's own words stand in all of its shapes, and values in few of them: what is left
of a shape without its rare words is the *skeleton* that it shares with the other shapes of its statement.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

#: Numbers that are sorted at once; more would take memory, fewer time.
CELLS = 2_000_000
#: A skeleton is one statement's where this share of the shapes with its rarest word have it.
_OWN = 0.5
#: A word is told from the skeleton's by being this many times as rare as it is common: 2, 3, 4, 6, 8, 12, …
_STEPS = [step << power for power in range(1, 20) for step in (2, 3)]


def free_words(terms: Keys, may_go: Flags, wordy: Flags, wild: Flags, needed: int) -> Flags:
    """Of each shape and word: whether it is a variable, by the skeletons of shapes of one number of words.

    terms: a number of each word in its place; may_go: words that may become variables; wordy: words with a letter;
    wild: variables already. A skeleton has at least half of the words, two of them with letters, and twice `needed`
    shapes; a variable takes `needed` values among them, twice as many where it is the first word.
    """
    free = np.zeros_like(wild)
    left = np.arange(len(terms))
    frequency = _frequencies(np.where(wild, np.uint64(0), terms))
    for step in _STEPS:
        if len(left) < 2 * needed or step > len(terms):
            break
        rare = (frequency[left] < step) & ~wild[left]
        chosen = _statements(terms[left], frequency[left], rare, may_go[left], wordy[left], wild[left], needed)
        free[left[chosen]] = rare[chosen]
        left = left[~chosen]
    return free


def _statements(
    terms: Keys,
    frequency: npt.NDArray[np.int64],
    rare: Flags,
    may_go: Flags,
    wordy: Flags,
    wild: Flags,
    needed: int,
) -> Flags:
    """Which shapes are of a statement whose variables are these rare words."""
    own = ~rare & ~wild
    can: Flags = np.logical_and(rare.any(axis=1), (may_go | ~rare).all(axis=1))
    can &= (own.sum(axis=1) * 2 >= own.shape[1]) & ((own & wordy).sum(axis=1) > 1)
    rows = np.flatnonzero(can)
    if len(rows) < 2 * needed:
        return np.zeros_like(can)
    skeleton = np.where(own[rows], terms[rows], np.uint64(1) << np.uint64(63)).sum(axis=1, dtype=np.uint64)
    _, of, sizes = np.unique(skeleton, return_inverse=True, return_counts=True)
    least = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(least, of, np.where(own[rows], frequency[rows], least[0]).min(axis=1))
    enough = (sizes >= 2 * needed) & (sizes >= _OWN * least)
    kept = enough[of]
    rows, of = rows[kept], of[kept]
    for place in np.flatnonzero(rare[rows].any(axis=0)):
        some = rare[rows, place]
        pairs = np.unique(np.stack([of[some].astype(np.uint64), terms[rows[some], place]]), axis=1)
        values = np.bincount(pairs[0].astype(np.int64), minlength=len(sizes))
        enough &= (values >= needed * (1 + (place == 0))) | (np.bincount(of[some], minlength=len(sizes)) == 0)
    can[:] = False
    can[rows[enough[of]]] = True
    return can


def _frequencies(terms: Keys) -> npt.NDArray[np.int64]:
    """How many shapes have each word in its place."""
    found = np.empty(terms.shape, dtype=np.int64)
    step = max(1, CELLS // len(terms))
    for place in range(0, terms.shape[1], step):
        order, run = runs(terms[:, place : place + step])
        np.put_along_axis(found[:, place : place + step], order, np.bincount(run.ravel())[run], axis=0)
    return found


def runs(cells: Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """The order that sorts each column, and of its sorted cells the number of their value, counted through all."""
    order = cells.argsort(axis=0)
    ranked = np.take_along_axis(cells, order, axis=0)
    begins = np.ones(ranked.shape, dtype=bool)
    begins[1:] = ranked[1:] != ranked[:-1]
    return order, np.cumsum(begins.T.ravel()).reshape(begins.T.shape).T - 1
