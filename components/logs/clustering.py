"""Groups of templates that say nearly the same, by their letters."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl

#: Templates that are compared with each other: the most frequent ones. Distances are quadratic in them.
MAX_TEMPLATES = 3000
NOISE = -1


def load_in_background() -> None:
    """Begin to load what clusters templates, which takes a second; the miner lets other threads work meanwhile."""
    global _loading
    _loading = threading.Thread(target=_load, daemon=True)
    _loading.start()


def _load() -> None:
    import sklearn.cluster
    import sklearn.feature_extraction.text  # noqa: F401


_loading: threading.Thread | None = None


def cluster_templates(templates: pl.DataFrame, max_distance: float, min_lines: int) -> pl.Series:
    """The cluster of each row of `template, count`; 0 is the largest, -1 a template that is rare and alone.

    DBSCAN over TF-IDF character 3- to 5-grams with cosine distance. Templates weigh as many points as they have
    lines, so `min_lines` is how many lines make a neighbourhood dense. Templates past the MAX_TEMPLATES most
    frequent ones are not compared and stay -1.
    """
    clusters = np.full(len(templates), NOISE, dtype=np.int64)
    ranked = templates.with_row_index("row").sort(["count", "template"], descending=[True, False]).head(MAX_TEMPLATES)
    ranked = ranked.filter(pl.col("template").str.strip_chars() != "")
    if len(ranked):
        labels = _dbscan(ranked["template"].to_list(), ranked["count"].to_numpy(), max_distance, min_lines)
        clusters[ranked["row"].to_numpy()] = _largest_first(labels, ranked["count"].to_numpy())
    return pl.Series("cluster", clusters, dtype=pl.Int64)


def _dbscan(texts: list[str], counts: np.ndarray, max_distance: float, min_lines: int) -> np.ndarray:
    if _loading:
        # Two threads that import parts of a package at once may see it half made.
        _loading.join()
    from sklearn.cluster import DBSCAN
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
    vectors = words.fit_transform([text[:1000] for text in texts])
    model = DBSCAN(eps=max_distance, min_samples=min_lines, metric="cosine", algorithm="brute")
    labels: np.ndarray = model.fit(vectors, sample_weight=counts).labels_
    return labels


def _largest_first(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    names = [label for label in np.unique(labels) if label != NOISE]
    # Stable sorting: of two equally large clusters the one with the more frequent template comes first.
    order = sorted(names, key=lambda label: -int(counts[labels == label].sum()))
    renamed = {label: rank for rank, label in enumerate(order)} | {NOISE: NOISE}
    return np.array([renamed[label] for label in labels], dtype=np.int64)
