"""A stream on disk: plain arrays and JSON. What goes on from there gives the same bytes as if it had never stopped.

stream.json              name, tuning, columns, counts, portions; written last, names the files of its generation
G-rows.npz               the rows kept, the grades kept, the directions of the columns
G-portion-N.npz          the arrays of the N-th portion's detector, and G-portion-N.skops its forest where it has one
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from components.anomaly import detectors
from components.anomaly.detector import Detector, Tuning
from components.anomaly.forestfile import read_forest, write_forest
from components.anomaly.panel import Panel
from components.anomaly.stream import Counts, Portion, Stream
from components.core import storage
from components.core.arrays import write_arrays
from components.core.errors import InputError

_INDEX = "stream.json"


def save(stream: Stream, folder: Path) -> None:
    """Write the stream into a folder, in place of an earlier state, which stands until the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    state, old = stream.state, _generation(folder)
    generation = 1 if old is None else old + 1
    for number, portion in enumerate(stream.portions):
        if portion.detector is not None:
            _write_detector(folder / f"{generation}-portion-{number}", portion.detector)
    kept = {"rows": state.rows, "grades": state.grades}
    arrays: dict[str, Any] = {name: ring.newest(len(ring)) for name, ring in kept.items()}
    arrays |= {f"{name}_times": ring.times(len(ring)) for name, ring in kept.items()}
    like = {name: getattr(stream.like, name) for name in ("rises", "falls", "usual")}
    write_arrays(folder / f"{generation}-rows.npz", {**arrays, **like, "before": state.before})
    content = {
        "generation": generation,
        "detector": stream.name,
        "tuning": asdict(stream.tuning),
        "step_us": stream.step_us,
        "most_rows": state.rows.most,
        "columns": stream.like.columns,
        "counts": asdict(state.counts),
        "portions": [_described(portion) for portion in stream.portions],
    }
    storage.write_bytes(str(folder / _INDEX), json.dumps(content, indent=1, sort_keys=True).encode())
    for path in folder.glob("*-*"):
        if not path.name.startswith(f"{generation}-"):
            path.unlink()


def load(folder: Path) -> Stream:
    """Take up what `save` wrote; InputError where it is not there or not whole."""
    try:
        content = json.loads((folder / _INDEX).read_text())
        return _restored(folder, content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: not a saved stream ({error}); start it again from its history") from None


def _restored(folder: Path, content: dict[str, Any]) -> Stream:
    start = f"{content['generation']}-"
    arrays = _read(folder / f"{start}rows.npz")
    like = Panel(
        np.empty(0, dtype=np.int64),
        np.empty((0, len(content["columns"]))),
        tuple(content["columns"]),
        *(arrays[name] for name in ("rises", "falls", "usual")),
    )
    tuning = Tuning(**content["tuning"])
    stream = Stream(
        content["detector"], tuning, like, step_us=int(content["step_us"]), most_rows=int(content["most_rows"])
    )
    stream.state.rows.extend(arrays["rows_times"], arrays["rows"])
    stream.state.grades.extend(arrays["grades_times"], arrays["grades"])
    stream.state.before, stream.state.counts = arrays["before"], Counts(**content["counts"])
    stream.portions = []
    for number, one in enumerate(content["portions"]):
        detector = _read_detector(folder / f"{start}portion-{number}", stream) if one["fitted"] else None
        stream.portions.append(Portion(slice(*one["columns"]), detector, one["fitted_us"], one["known_us"]))
    return stream


def _described(portion: Portion) -> dict[str, Any]:
    columns = [portion.columns.start, portion.columns.stop]
    times = {"fitted_us": portion.fitted_us, "known_us": portion.known_us}
    return {"columns": columns, "fitted": portion.detector is not None, **times}


def _write_detector(path: Path, detector: Detector) -> None:
    write_arrays(path.with_suffix(".npz"), detector.arrays())
    forest = getattr(detector, "forest", None)
    if forest is not None:
        write_forest(path.with_suffix(".skops"), forest)


def _read_detector(path: Path, stream: Stream) -> Detector:
    detector = detectors.create(stream.name, stream.tuning)
    detector.restore(_read(path.with_suffix(".npz")))
    if path.with_suffix(".skops").exists():
        detector.forest = read_forest(path.with_suffix(".skops"))  # type: ignore[attr-defined]
    return detector


def _read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def _generation(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / _INDEX).read_text())["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
