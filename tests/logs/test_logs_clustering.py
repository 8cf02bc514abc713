"""Clusters of templates: those of scikit-learn's TF-IDF and DBSCAN, and near-duplicates by their words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import DBSCAN
from sklearn.feature_extraction.text import TfidfVectorizer

from components.logs.clustering import NOISE, cluster_templates, dbscan, near_duplicates, tf_idf

_WORDS = ["open", "opened", "close", "closed", "file", "files", "<*>", "user", "x", "of", "ünïcode", "session;"]


def _texts(seed: int, count: int = 60) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(_WORDS, size=random.integers(1, 7))) for _ in range(count)]


def test_the_vectors_have_the_similarities_of_scikit_learns() -> None:
    texts = _texts(0)
    ours = tf_idf(texts)
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    np.testing.assert_allclose((ours @ ours.T).toarray(), (theirs @ theirs.T).toarray(), atol=1e-12)


@pytest.mark.parametrize("max_distance", [0.05, 0.2, 0.4, 0.7])
@pytest.mark.parametrize("min_weight", [1, 5, 40, 10_000])
def test_the_clusters_are_scikit_learns(max_distance: float, min_weight: int) -> None:
    texts, weights = _texts(1), np.random.default_rng(1).integers(1, 30, size=60)
    vectors = tf_idf(texts)
    expected = DBSCAN(eps=max_distance, min_samples=min_weight, metric="cosine", algorithm="brute")
    found = dbscan(vectors, weights, max_distance, min_weight)
    assert found.tolist() == expected.fit(vectors, sample_weight=weights).labels_.tolist()


def test_texts_that_differ_in_one_word_of_ten_are_near_duplicates() -> None:
    ten = "one two three four five six seven eight nine {}"
    texts = [ten.format("a"), "something else", ten.format("b"), "one two", "something ELSE"]
    group, first = near_duplicates(texts)
    assert group.tolist() == [0, 1, 0, 2, 1]
    assert first.tolist() == [0, 1, 3]


def test_near_duplicates_do_not_grow_by_chains() -> None:
    words = [f"w{number}" for number in range(12)]
    group, _ = near_duplicates([" ".join(words[at : at + 9]) for at in range(4)])
    assert group.tolist() == [0, 0, 1, 1]


def test_near_duplicates_are_of_one_cluster_however_rare_they_are() -> None:
    full = "disk {} of host <*> is full and needs care now"
    frame = pl.DataFrame({"template": [full.format("sda"), full.format("sdb"), "paid <*>", " "], "count": [1, 1, 9, 4]})
    assert cluster_templates(frame, 0.01, 2).to_list() == [1, 1, 0, NOISE]
