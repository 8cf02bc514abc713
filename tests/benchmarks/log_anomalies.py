"""Are abnormal jobs and instances found by the order and number of their templates? The AIT sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

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
        known, lengths = {event for one in train for event in one}, {len(one) for one in train}
        shortest, longest = min(lengths), max(lengths)
        told = [
            ("Traceo", [model.score(one) > 1 for one in normal + abnormal]),
            ("naive: an event not seen in training", [not known.issuperset(one) for one in normal + abnormal]),
            ("naive: a length beyond training's", [not shortest <= len(one) <= longest for one in normal + abnormal]),
            ("naive: everything is abnormal", [True] * len(normal + abnormal)),
            ("oracle: told which sequences are mostly abnormal", _oracle(normal, abnormal)),
        ]
        rows += [[name, title, *_shares(alarms, len(normal), len(abnormal))] for title, alarms in told]
    return [
        "### Abnormal sequences",
        "AIT's sequences of loghub (events as labelled there; learnt from the few normal training sequences, the "
        "threshold from leaving each of them out). F1 of the abnormal ones; interval: 95 % bootstrap over sequences. "
        "HDFS is not in the development data. Most abnormal sequences are equal to normal ones, event by event: what "
        "differs there is time, which these sequences do not hold. The oracle gives equal sequences the answer that is "
        "right for most of them: the fewest errors, not the highest F1. How much order may vary (a quantile of the "
        "training sequences) was chosen with these two sets in view, so Traceo's figures are no held-out ones.",
        table(("data", "", "F1 (95 %)", "precision", "recall", "normal / abnormal"), rows),
    ]


def _oracle(normal: Sequence[Sequence[str]], abnormal: Sequence[Sequence[str]]) -> list[bool]:
    """An oracle of the order of events: equal sequences get one answer, the one that is right for most of them."""
    counted = Counter(map(tuple, abnormal))
    counted.subtract(map(tuple, normal))
    return [counted[tuple(one)] > 0 for one in [*normal, *abnormal]]


def _shares(told: Sequence[bool], normal: int, abnormal: int) -> list[str]:
    alarms, truth = np.array(told), np.array([False] * normal + [True] * abnormal)
    draws = np.random.default_rng(0).integers(0, len(truth), size=(1000, len(truth)))
    low, high = np.quantile([_f1(alarms[draw], truth[draw])[0] for draw in draws], (0.025, 0.975))
    f1, precision, recall = _f1(alarms, truth)
    return [f"{f1:.3f} ({low:.2f}–{high:.2f})", f"{precision:.3f}", f"{recall:.3f}", f"{normal} / {abnormal}"]


def _f1(alarms: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    hits = float((alarms & truth).sum())
    precision, recall = hits / max(1, alarms.sum()), hits / max(1, truth.sum())
    return 2 * hits / max(1, alarms.sum() + truth.sum()), precision, recall


def _read(path: Path) -> list[list[str]]:
    return [line.partition(",")[2].split() for line in path.read_text().splitlines() if line.strip()]
