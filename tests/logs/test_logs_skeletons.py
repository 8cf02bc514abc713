"""Words that vary together are variables, found by how often words occur; statements are kept apart."""

from __future__ import annotations

import random

import polars as pl

from components.logs.siblings import merge_siblings


def _words(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(count)]


def _templates(texts: list[str]) -> list[str]:
    return merge_siblings(pl.Series("shape", texts), 6).to_list()


def test_two_words_that_never_occur_twice() -> None:
    texts = [f"lease for {a} granted at {b} today" for a, b in zip(_words(40, 0), _words(40, 1), strict=True)]
    assert set(_templates(texts)) == {"lease for <*> granted at <*> today"}


def test_too_few_of_them_stay() -> None:
    texts = [f"lease for {a} granted at {b} today" for a, b in zip(_words(11, 0), _words(11, 1), strict=True)]
    assert _templates(texts) == texts


def test_statements_that_share_their_ends_stay_apart() -> None:
    pairs = [*zip(_words(40, 0), _words(40, 1), strict=True)]
    starts = ("lease granted to", "probe refused by", "cache emptied for")
    texts = [f"{start} {a} at {b} because it asked" for start in starts for a, b in pairs]
    assert set(_templates(texts)) == {f"{start} <*> at <*> because it asked" for start in starts}


def test_sentences_with_little_in_common_are_none() -> None:
    words = _words(60, 0)
    texts = [f"{words[3 * n]} {words[3 * n + 1]} for {words[3 * n + 2]}" for n in range(20)]
    assert _templates(texts) == texts
