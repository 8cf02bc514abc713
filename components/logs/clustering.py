"""Groups of templates that say nearly the same, by their words and letters.

scikit-learn has both TF-IDF and DBSCAN, and takes longer to load than a hundred megabytes of logs to read. What is
used of them here is one matrix product each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

#: Templates that are compared with each other: the most frequent ones. Distances are quadratic in them.
MAX_TEMPLATES = 3000
NOISE = -1
#: Templates that share this part of their different words (Jaccard) are near-duplicates: one word of ten differs.
MIN_SHARED = 0.8
_LETTERS = range(3, 6)
_MAX_CHARS = 1000
Labels = npt.NDArray[np.int64]


def cluster_templates(templates: pl.DataFrame, max_distance: float, min_lines: int) -> pl.Series:
    """The cluster of each row of `template, count`; 0 is the largest, -1 a template that is rare and alone.

    Near-duplicates by their words are taken as one first, in the name of the most frequent one. Then DBSCAN over TF-IDF
    character 3- to 5-grams with cosine distance. Templates weigh as many points as they have lines, so `min_lines` is
    how many lines make a neighbourhood dense. Templates past the MAX_TEMPLATES most frequent ones are not compared
    and stay -1.
    """
    clusters = np.full(len(templates), NOISE, dtype=np.int64)
    ranked = templates.with_row_index("row").sort(["count", "template"], descending=[True, False]).head(MAX_TEMPLATES)
    ranked = ranked.filter(pl.col("template").str.strip_chars() != "")
    if len(ranked):
        texts, counts = [text[:_MAX_CHARS] for text in ranked["template"]], ranked["count"].to_numpy()
        group, first = near_duplicates(texts)
        weights = np.bincount(group, weights=counts).astype(np.int64)
        labels = dbscan(tf_idf([texts[row] for row in first]), weights, max_distance, min_lines)[group]
        clusters[ranked["row"].to_numpy()] = _largest_first(labels, counts)
    return pl.Series("cluster", clusters, dtype=pl.Int64)


def near_duplicates(texts: Sequence[str]) -> tuple[Labels, Labels]:
    """Each text's group of near-duplicates, and the first text of each group; groups in the order of their first text.

    A text joins the first one before it that it shares MIN_SHARED of their different words with and that is first of
    its group: groups do not grow by chains, at whose ends texts would have little in common.
    """
    words = _counted(texts, lambda text: text.lower().split())
    words.data[:] = 1
    shared = (words @ words.T).tocoo()
    sizes = np.asarray(words.sum(axis=1)).ravel()
    near = shared.data >= MIN_SHARED * (sizes[shared.row] + sizes[shared.col] - shared.data)
    group, first = np.full(len(texts), -1, dtype=np.int64), list[int]()
    links = csr_matrix((np.ones(near.sum()), (shared.row[near], shared.col[near])), shape=shared.shape)
    for row in range(len(texts)):
        if group[row] < 0:
            alike = links.indices[links.indptr[row] : links.indptr[row + 1]]
            group[np.append(alike[group[alike] < 0], row)] = len(first)
            first.append(row)
    return group, np.array(first, dtype=np.int64)


def tf_idf(texts: Sequence[str]) -> csr_matrix:
    """Unit vectors of the texts' character 3- to 5-grams within words, rare ones weighing more; rows are texts."""
    terms = _counted(texts, _grams)
    frequency = np.bincount(terms.indices, minlength=terms.shape[1])
    weights = np.log((1 + len(texts)) / (1 + frequency)) + 1
    terms.data = (1 + np.log(terms.data)) * weights[terms.indices]
    lengths = np.sqrt(np.asarray(terms.multiply(terms).sum(axis=1)).ravel())
    return diags(1 / np.maximum(lengths, 1e-12)) @ terms


def dbscan(vectors: csr_matrix, weights: Labels, max_distance: float, min_weight: float) -> Labels:
    """The cluster of each unit vector by cosine distance, NOISE where it is in none (Ester et al., KDD 1996).

    A vector whose neighbourhood weighs at least `min_weight` is a core; cores within `max_distance` of each other are
    of one cluster, other vectors of the first cluster that has a core near them.
    """
    near = (vectors @ vectors.T).tocoo()
    # Rounding must not take a vector away from itself or from its like.
    kept = near.data >= 1 - max_distance - 1e-9
    links = csr_matrix((np.ones(kept.sum()), (near.row[kept], near.col[kept])), shape=near.shape)
    is_core = links @ weights >= min_weight
    labels = np.full(len(weights), NOISE, dtype=np.int64)
    if is_core.any():
        to_cores = links[:, np.flatnonzero(is_core)]
        of_cores = connected_components(to_cores[is_core], directed=False)[1]
        labels[is_core] = of_cores
        for row in np.flatnonzero(~is_core):
            around = to_cores.indices[to_cores.indptr[row] : to_cores.indptr[row + 1]]
            labels[row] = of_cores[around].min() if len(around) else NOISE
    return labels


def _counted(texts: Sequence[str], terms: Callable[[str], Sequence[str]]) -> csr_matrix:
    """How often each text (rows) has each term (columns)."""
    number: dict[str, int] = {}
    columns, counts, ends = list[int](), list[int](), [0]
    for text in texts:
        found = Counter(terms(text))
        columns += [number.setdefault(term, len(number)) for term in found]
        counts += found.values()
        ends.append(len(columns))
    return csr_matrix((np.array(counts, dtype=np.float64), columns, ends), shape=(len(texts), len(number)))


def _grams(text: str) -> list[str]:
    return [gram for word in text.lower().split() for gram in _grams_of_word(f" {word} ")]


@lru_cache(1 << 14)
def _grams_of_word(word: str) -> tuple[str, ...]:
    sizes = [size for size in _LETTERS if size <= len(word)]
    return tuple(word[at : at + size] for size in sizes for at in range(len(word) - size + 1))


def _largest_first(labels: Labels, counts: npt.NDArray[np.int64]) -> Labels:
    names = [label for label in np.unique(labels) if label != NOISE]
    # Stable sorting: of two equally large clusters the one with the more frequent template comes first.
    order = sorted(names, key=lambda label: -int(counts[labels == label].sum()))
    renamed = {label: rank for rank, label in enumerate(order)} | {NOISE: NOISE}
    return np.array([renamed[label] for label in labels], dtype=np.int64)
