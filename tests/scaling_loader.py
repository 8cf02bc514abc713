"""A model small enough to reason about: multiplies `value` by the factor in its folder's model.json."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd


class Scaling:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        return model_input.assign(scaled=model_input["value"] * self.factor)


def _load_pyfunc(path: str) -> Scaling:
    return Scaling(json.loads(Path(path, "model.json").read_text())["factor"])
