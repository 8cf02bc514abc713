"""Models that tell the kind of a cause from its signals: a decision tree, a random forest, XGBoost and their ensemble.

They are compared with the rule of `evidence.kind_of` by `make bench-rootcause`, systems held out one at a time; the
rule answers until a model beats it by system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.rootcause.periods import Floats
from components.rootcause.ranking import Standing
from components.rootcause.signals import Signal

#: The eight features of the plan, each the strongest signal (in doublings of the bar) of one kind.
PLAIN: Mapping[str, tuple[str, ...]] = {
    "error_rate_change": ("error",),
    "latency_change": ("latency", "queue"),
    "cpu_utilization": ("cpu",),
    "memory_pressure": ("memory",),
    "disk_io": ("disk",),
    "network_errors": ("network",),
    "connection_pool_usage": ("database",),
    "database_query_time": ("database",),
}
_RICHER = ("traffic", "unknown")
_POOL, _QUERY = ("pool", "connection"), ("quer", "lag", "rollback", "transaction")
MODELS = ("decision_tree", "random_forest", "xgboost", "ensemble")


def feature_names(rich: bool = False) -> tuple[str, ...]:
    """The names of `features`, in order."""
    extra = tuple(f"{kind}_falls" for kind in ("cpu", "memory", "disk", "network", "error", "latency"))
    more = (*extra, *(f"{kind}_change" for kind in _RICHER), "span_own_time", "span_wait", "log_lines", "changed")
    return (*PLAIN, *(more if rich else ()))


def features(standing: Standing, rich: bool = False) -> Floats:
    """A standing as numbers: doublings of the bar per kind of signal, 0 where nothing moved."""
    signals = standing.signals
    values = [_largest(s for s in signals if _is_plain(name, s) and s.rising) for name in PLAIN]
    if rich:
        falls = ("cpu", "memory", "disk", "network", "error", "latency")
        values += [_largest(s for s in signals if s.kind == kind and not s.rising) for kind in falls]
        values += [_largest(s for s in signals if s.kind == kind) for kind in _RICHER]
        values += [_largest(s for s in signals if s.metric == name) for name in ("span_own_time", "span_wait")]
        values += [_largest(s for s in signals if s.source == "logs"), float(standing.change is not None)]
    return np.asarray(values, dtype=float)


def _is_plain(name: str, signal: Signal) -> bool:
    if signal.kind not in PLAIN[name]:
        return False
    words = {"connection_pool_usage": _POOL, "database_query_time": _QUERY}.get(name)
    return words is None or any(word in signal.metric.lower() for word in words)


def _largest(signals: Any) -> float:
    return max((signal.excess for signal in signals), default=0.0)


@dataclass
class KindModel:
    """A fitted classifier; `predict` gives a kind per row."""

    labels: tuple[str, ...]
    members: Mapping[str, Any]
    name: str

    def probabilities(self, rows: Floats) -> Floats:
        """Per row the probability of each label; the ensemble's is the mean of its members'."""
        chosen = self.members.values() if self.name == "ensemble" else [self.members[self.name]]
        found: Floats = np.mean([member.predict_proba(rows) for member in chosen], axis=0)
        return found

    def predict(self, rows: Floats) -> list[str]:
        return [self.labels[place] for place in self.probabilities(rows).argmax(axis=1)]

    def importance(self) -> Floats:
        """How much each feature decides, summing to 1; the ensemble's is the mean of its members'."""
        chosen = self.members.values() if self.name == "ensemble" else [self.members[self.name]]
        found: Floats = np.mean([np.asarray(member.feature_importances_, dtype=float) for member in chosen], axis=0)
        return found


def fit(rows: Floats, labels: Sequence[str], name: str, seed: int = 0) -> KindModel:
    """Fit one of MODELS; ValueError for another name or a single label."""
    if name not in MODELS:
        raise ValueError(f"no model {name!r}; one of {', '.join(MODELS)}")
    known = tuple(sorted(set(labels)))
    if len(known) < 2:
        raise ValueError("all incidents have the same kind; give some of another")
    codes = np.asarray([known.index(label) for label in labels])
    wanted = ("decision_tree", "random_forest", "xgboost") if name == "ensemble" else (name,)
    return KindModel(known, {one: _classifier(one, seed).fit(rows, codes) for one in wanted}, name)


def _classifier(name: str, seed: int) -> Any:
    if name == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=100, max_depth=4, learning_rate=0.1, random_state=seed, n_jobs=1)
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    limits = {"max_depth": 10, "min_samples_split": 10, "min_samples_leaf": 5, "random_state": seed}
    return DecisionTreeClassifier(**limits) if name == "decision_tree" else RandomForestClassifier(200, **limits)


def held_out(rows: Floats, labels: Sequence[str], groups: Sequence[str], name: str, seed: int = 0) -> list[str | None]:
    """Each row's kind by a model that saw nothing of its group; None where the rest has a single kind."""
    found: list[str | None] = [None] * len(labels)
    for group in sorted(set(groups)):
        inside = np.asarray([g == group for g in groups])
        rest = [label for label, is_in in zip(labels, inside, strict=True) if not is_in]
        if len(set(rest)) < 2:
            continue
        answers = fit(rows[~inside], rest, name, seed).predict(rows[inside])
        for place, answer in zip(np.flatnonzero(inside), answers, strict=True):
            found[int(place)] = answer
    return found
