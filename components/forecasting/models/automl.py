"""FLAML's search over gradient-boosted trees (LightGBM, XGBoost) on lag features."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import numpy as np

from components.forecasting.series import FloatArray
from components.forecasting.windowed import SEED, State, WindowedCandidate
from components.forecasting.windows import DAY_H, LENGTH_H, PATCH_H, PATCHES, Windows

#: Settings that the search tries, hours ahead taken of each window, trees at most.
_TRIALS, _LEADS, _TREES = 12, 14, 200
_RECENT_H = (1, 3, 6, 24, 72, 168)


class Automl(WindowedCandidate):
    """One regressor for every lead, the lead among its features; the search is fixed by a seed, not by a time."""

    name = "automl"

    def train(self, learnt: Windows, held_out: Windows) -> State:
        search = _flaml().AutoML()
        logging.getLogger("flaml").setLevel(logging.WARNING)
        features, target = _rows(learnt)
        checked, wanted = _rows(held_out)
        search.fit(
            features, target, X_val=checked, y_val=wanted, task="regression", metric="mae", time_budget=-1,
            max_iter=_TRIALS, estimator_list=["lgbm", "xgboost"], eval_method="holdout", n_jobs=1, seed=SEED,
            verbose=0,
            custom_hp={
                name: {"n_estimators": {"domain": _TREES}, "objective": {"domain": loss}}
                for name, loss in (("lgbm", "mae"), ("xgboost", "reg:absoluteerror"))
            },
        )  # fmt: skip
        estimator = search.model.estimator
        if search.best_estimator == "lgbm":
            text = estimator.booster_.model_to_string().encode()
        else:
            text = bytes(estimator.get_booster().save_raw("json"))
        return {search.best_estimator: np.frombuffer(text, dtype=np.uint8)}

    def add(self, state: State, asked: Windows) -> FloatArray:
        ((kind, text),) = state.items()
        features = _features(asked, np.tile(np.arange(LENGTH_H), (len(asked), 1)))
        found: FloatArray = _predict(kind, text.tobytes(), features).reshape(len(asked), PATCHES, PATCH_H)
        return found


def _flaml() -> Any:
    """FLAML, which sees no Spark: its import would start one wherever pyspark is, listening on every address."""
    hidden = sys.modules.get("pyspark")
    sys.modules["pyspark"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("flaml")
    finally:
        del sys.modules["pyspark"]
        if hidden is not None:
            sys.modules["pyspark"] = hidden


def _predict(kind: str, text: bytes, features: FloatArray) -> FloatArray:
    if kind == "lgbm":
        import lightgbm

        return np.asarray(lightgbm.Booster(model_str=text.decode()).predict(features, num_threads=1), dtype=float)
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(text))
    return np.asarray(booster.inplace_predict(features), dtype=float)


def _rows(windows: Windows) -> tuple[FloatArray, FloatArray]:
    """Features and targets at some known hours of each window, more of them near its beginning."""
    chosen = np.random.default_rng(SEED).random((len(windows), _LEADS)) ** 2
    leads = (chosen * LENGTH_H).astype(int)
    target = np.take_along_axis(windows.target.reshape(len(windows), -1), leads, axis=1).reshape(-1)
    known = np.isfinite(target)
    return _features(windows, leads)[known], target[known]


def _features(windows: Windows, leads: Any) -> FloatArray:
    """Of each window at each lead: what the same hour was on the last days, recent levels against the anchor, clock."""
    n, per = leads.shape
    past = windows.past[:, :, :PATCH_H].reshape(n, -1)
    anchor = windows.anchor.reshape(n, -1)
    rest = past - anchor
    recent = np.stack([rest[:, -hours:].mean(axis=1) for hours in _RECENT_H], axis=1)
    spread = np.abs(rest[:, -DAY_H:]).mean(axis=1, keepdims=True)
    same = np.stack(
        [np.take_along_axis(rest, LENGTH_H - days * DAY_H + leads % DAY_H, axis=1) for days in (1, 2, 7)], axis=2
    )
    wanted = np.take_along_axis(anchor, leads, axis=1)[..., None]
    clock = windows.future[np.arange(n)[:, None], leads // PATCH_H, PATCH_H:-1]
    whole = np.repeat(np.concatenate([recent, spread, windows.static], axis=1)[:, None], per, axis=1)
    features: FloatArray = np.concatenate([whole, same, wanted, clock, leads[..., None]], axis=2)
    return features.reshape(n * per, -1)


MODEL = Automl()
