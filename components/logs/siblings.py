"""Merging sibling shapes: those that differ in one word only become one template with a `<*>` there.

"Invalid user anna", "Invalid user bob", … hold no digit that would mask the name; that the word takes many
values while the rest stays says that it is a variable. Every shape of the file votes, so the result does not
depend on the order of the lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.masking import WILDCARD

Keys = npt.NDArray[np.uint64]

# Longer shapes stay as they are: they are dumps rather than sentences, and extraction needs a regex per template.
MAX_WORDS, MAX_LENGTH, MAX_WILDCARDS = 64, 2048, 64
# Each round turns one more word of a shape into a variable; sentences with more free words than this are rare.
_ROUNDS = 8


def merge_siblings(shapes: pl.Series, min_siblings: int) -> pl.Series:
    """The template of each distinct shape, in the order given.

    A word becomes `<*>` where at least `min_siblings` shapes differ in that word alone.
    """
    frame = pl.DataFrame({"shape": shapes, "words": shapes.str.split(" ")}).with_row_index("row")
    frame = frame.with_columns(pl.col("words").list.len().alias("length"))
    mergeable = (
        pl.col("length").is_between(2, MAX_WORDS)
        & (pl.col("shape").str.len_bytes() <= MAX_LENGTH)
        & (pl.col("shape").str.count_matches(WILDCARD, literal=True) <= MAX_WILDCARDS)
    )
    templates = shapes.to_list()
    candidates = frame.filter(mergeable).sort("length", "shape")
    for (_,), group in candidates.group_by("length", maintain_order=True):
        if len(group) >= min_siblings:
            for row, template in _merge_group(group, min_siblings):
                templates[row] = template
    return pl.Series("template", templates, dtype=pl.String)


def _merge_group(group: pl.DataFrame, min_siblings: int) -> list[tuple[int, str]]:
    """The rows of shapes of one length that change, with their templates."""
    length = int(group["length"][0])
    words = group["words"].explode()
    hashes = words.hash(seed=1).to_numpy().reshape(-1, length).astype(np.uint64)
    literal = (~words.str.contains(WILDCARD, literal=True)).to_numpy().reshape(-1, length)
    wordy = literal & words.str.contains("[[:alpha:]]").to_numpy().reshape(-1, length)
    wild = _find_variables(hashes, literal, wordy, min_siblings)
    rows = group["row"].to_list()
    changed = np.flatnonzero(wild.any(axis=1))
    texts = group["words"].gather(changed).to_list()
    return [
        (rows[index], " ".join(WILDCARD if free else word for word, free in zip(text, wild[index], strict=True)))
        for index, text in zip(changed, texts, strict=True)
    ]


def _find_variables(hashes: Keys, literal: Any, wordy: Any, min_siblings: int) -> npt.NDArray[np.bool_]:
    """Which words of which shapes are variables (shapes x words), given a hash for each word."""
    positions = np.random.default_rng(0).integers(1, 2**63, size=(2, hashes.shape[1]), dtype=np.uint64) | np.uint64(1)
    terms = hashes * positions[0]
    wild = np.zeros(hashes.shape, dtype=bool)
    for _ in range(_ROUNDS):
        present = np.where(wild, positions[1], terms)
        sums = present.sum(axis=1, dtype=np.uint64)
        _, first, inverse = np.unique(sums, return_index=True, return_inverse=True)
        votes = _count_siblings(present[first], sums[first], positions[1])
        # A template keeps at least one word with a letter: `<*> <*>` says nothing.
        spared = (wordy & ~wild)[first].sum(axis=1)
        votes[~(literal & ~wild)[first] | ((spared < 2)[:, None] & wordy[first])] = 0
        best = votes.shape[1] - 1 - votes[:, ::-1].argmax(axis=1)
        chosen = votes[np.arange(len(votes)), best] >= min_siblings
        if not chosen.any():
            break
        grown = np.zeros((len(first), hashes.shape[1]), dtype=bool)
        grown[np.flatnonzero(chosen), best[chosen]] = True
        wild |= grown[inverse]
    return wild


def _count_siblings(present: Keys, sums: Keys, gap: Keys) -> npt.NDArray[np.int64]:
    """For each shape and word: how many distinct shapes are the same but for that word."""
    votes = np.empty(present.shape, dtype=np.int64)
    for position in range(present.shape[1]):
        without = sums - present[:, position] + gap[position]
        _, inverse, counts = np.unique(without, return_inverse=True, return_counts=True)
        votes[:, position] = counts[inverse]
    return votes
