"""The model folder: what the backtests decided for each series, as plain JSON and NPZ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from components.core.arrays import write_arrays
from components.core.errors import InputError, ParamsError
from components.forecasting import forecast, models, panel
from components.forecasting.forecast import Fitted, Forecast, Learned
from components.forecasting.model import Candidate
from components.forecasting.series import History

LOADER = "components.forecasting.pyfunc"


@dataclass(frozen=True)
class TrainedModel:
    """Fitted series by series_id, and what models learnt from all of them together.

    A series it does not know is backtested on the fly with the fast candidates.
    """

    name: str
    horizon: int
    fitted: Mapping[str, Fitted]
    capacities: Mapping[str, float]
    learned: Learned = field(default_factory=dict)

    def forecast(self, histories: Mapping[str, History], horizon: int) -> dict[str, Forecast]:
        """Forecast every history; longer than it was trained for only by fitting again."""
        found = {}
        for name, history in histories.items():
            known = self.fitted.get(name) if horizon <= self.horizon else None
            found[name] = forecast.apply(history, known or forecast.fit(history, horizon), horizon, self.learned)
        return found

    def histories(self, rows: pl.DataFrame) -> dict[str, History]:
        """Histories of a panel (series_id, timestamp, value) with the capacities learnt from the catalogue."""
        return panel.histories(rows, self.capacities)


def save(folder: Path, model: TrainedModel) -> None:
    """Write model.json, offsets.npz and one NPZ for each model that learnt; the same model gives the same bytes."""
    names = sorted(model.fitted)
    used = {name for one in model.fitted.values() for name in one.weights}
    learned = sorted(used & set(model.learned))
    content = {
        "name": model.name,
        "loader_module": LOADER,
        "horizon_h": model.horizon,
        "capacities": dict(sorted(model.capacities.items())),
        "learned": learned,
        "series": {name: _as_json(model.fitted[name]) for name in names},
    }
    (folder / "model.json").write_text(json.dumps(content, indent=1, sort_keys=True))
    offsets = np.stack([model.fitted[name].offsets for name in names]) if names else np.zeros((0, 7, model.horizon))
    write_arrays(folder / "offsets.npz", {"offsets": offsets.astype(np.float32)})
    for name in learned:
        write_arrays(folder / f"{name}.npz", dict(model.learned[name].state()))


def load(folder: Path) -> TrainedModel:
    """Read a model folder; InputError where it is not one of ours."""
    try:
        content = json.loads((folder / "model.json").read_text())
        with np.load(folder / "offsets.npz", allow_pickle=False) as arrays:
            offsets = arrays["offsets"].astype(float)
        fitted = {
            name: Fitted(
                {model: np.array(shares) for model, shares in item["weights"].items()},
                offsets[i],
                item["ratio"],
                item["scores"],
                item["reason"],
                item.get("adapts", True),
            )
            for i, (name, item) in enumerate(sorted(content["series"].items()))
        }
        learned = {name: _restored(folder, name) for name in content["learned"]}
        return TrainedModel(content["name"], content["horizon_h"], fitted, content["capacities"], learned)
    except (ParamsError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{folder}: not a forecasting model ({error!r}); train it again") from None


def _restored(folder: Path, name: str) -> Candidate:
    model = models.candidate(name)
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        return model.restore(dict(arrays))


def _as_json(fitted: Fitted) -> dict[str, object]:
    scores = {name: score for name, score in sorted(fitted.scores.items()) if np.isfinite(score)}
    ratio = fitted.ratio if fitted.ratio is not None and np.isfinite(fitted.ratio) else None
    return {
        "weights": {name: share.tolist() for name, share in sorted(fitted.weights.items())},
        "ratio": ratio,
        "scores": scores,
        "reason": fitted.reason,
        "adapts": fitted.adapts,
    }
