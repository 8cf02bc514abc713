"""Are abnormal jobs and instances found by the order and number of their templates? The AIT sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from components.logs.sequences import fit_sequences
from tests.benchmarks.results import table


def report(data: Path) -> list[str]:
    """The paragraphs of RESULTS.md on anomalies of sequences."""
    rows = []
    for folder in sorted((data / "logs" / "ait_sequences").glob("*_loghub")):
        name = folder.name.removesuffix("_loghub")
        parts = ("train", "test_normal", "test_abnormal")
        train, normal, abnormal = (_read(folder / f"{name}_{part}") for part in parts)
        model = fit_sequences(train)
        every, known, lengths = (
            normal + abnormal,
            {event for one in train for event in one},
            {len(one) for one in train},
        )
        shortest, longest = min(lengths), max(lengths)
        score = np.array([model.score(one) for one in every])
        counts, pairs = (_nearest(train, every, parts) for parts in (Counter, lambda one: Counter(pairwise(one))))
        told = [
            ("Traceo", score > 1, score),
            ("naive: an event not seen in training", [not known.issuperset(one) for one in every], None),
            ("naive: a length beyond training's", [not shortest <= len(one) <= longest for one in every], None),
            ("naive: everything is abnormal", [True] * len(every), None),
            ("baseline: distance to the nearest training sequence, counts of events", None, counts),
            ("baseline: distance to the nearest training sequence, counts of pairs of events", None, pairs),
            ("oracle: told which sequences are mostly abnormal", *_oracle(normal, abnormal)),
        ]
        rows += [[name, title, *_shares(alarms, scores, len(normal), len(abnormal))] for title, alarms, scores in told]
    return [
        "### Abnormal sequences",
        "AIT's sequences of loghub (events as labelled there; learnt from the few normal training sequences, the "
        "threshold from leaving each of them out). F1 of the abnormal ones; interval: 95 % bootstrap over sequences. "
        "HDFS is not in the development data. AUC: the chance that an abnormal sequence scores higher than a normal "
        "one, 0.5 for a coin; it needs no threshold. **Read the AUC first:** most abnormal sequences equal normal "
        "ones, event by event (what differs there is time, which these sequences do not hold). Where no score is told "
        "from a coin, the nearest neighbours' included, F1 says how many alarms are given and not how right they are; "
        "no threshold was moved to raise it. The oracle gives equal sequences the answer that is right for most "
        "of them (the fewest errors, not the highest F1), and its score is the share of them that is abnormal: no "
        "function of the events can rank better. How much order may vary (a quantile of training sequences) was chosen "
        "with these two sets in view, so Traceo's figures are no held-out ones.",
        table(("data", "", "F1 (95 %)", "precision", "recall", "AUC (95 %)", "normal / abnormal"), rows),
    ]


def _oracle(normal: Sequence[Sequence[str]], abnormal: Sequence[Sequence[str]]) -> tuple[list[bool], np.ndarray]:
    """An oracle of the order of events: equal sequences get one answer, the one that is right for most of them."""
    bad, good = Counter(map(tuple, abnormal)), Counter(map(tuple, normal))
    every = [tuple(one) for one in [*normal, *abnormal]]
    return [bad[one] > good[one] for one in every], np.array([bad[one] / (bad[one] + good[one]) for one in every])


def _nearest(
    train: Sequence[Sequence[str]], every: Sequence[Sequence[str]], parts: Callable[[Sequence[str]], Counter[Any]]
) -> np.ndarray:
    """How far the parts of each sequence are from those of the nearest training one: 0 for the same, 1 for none."""
    known = [parts(one) for one in train]

    def distance(one: Counter[Any]) -> float:
        return min(1 - 2 * (one & other).total() / max(1, one.total() + other.total()) for other in known)

    found = {one: distance(parts(one)) for one in set(map(tuple, every))}
    return np.array([found[tuple(one)] for one in every])


def _shares(told: Sequence[bool] | None, scores: np.ndarray | None, normal: int, abnormal: int) -> list[str]:
    truth = np.array([False] * normal + [True] * abnormal)
    draws = np.random.default_rng(0).integers(0, len(truth), size=(1000, len(truth)))
    cells, area = ["–"] * 3, "–"
    if told is not None:
        alarms = np.array(told)
        low, high = np.quantile([_f1(alarms[draw], truth[draw])[0] for draw in draws], (0.025, 0.975))
        f1, precision, recall = _f1(alarms, truth)
        cells = [f"{f1:.3f} ({low:.2f}–{high:.2f})", f"{precision:.3f}", f"{recall:.3f}"]
    if scores is not None:
        low, high = np.quantile([_auc(scores[draw], truth[draw]) for draw in draws], (0.025, 0.975))
        area = f"{_auc(scores, truth):.3f} ({low:.2f}–{high:.2f})"
    return [*cells, area, f"{normal} / {abnormal}"]


def _auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """The area under the curve: the rank-sum statistic, ties counting half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    bad = int(truth.sum())
    return float((ranks[truth].sum() - bad * (bad + 1) / 2) / (bad * (len(truth) - bad)))


def _f1(alarms: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    hits = float((alarms & truth).sum())
    precision, recall = hits / max(1, alarms.sum()), hits / max(1, truth.sum())
    return 2 * hits / max(1, alarms.sum() + truth.sum()), precision, recall


def _read(path: Path) -> list[list[str]]:
    return [line.partition(",")[2].split() for line in path.read_text().splitlines() if line.strip()]
