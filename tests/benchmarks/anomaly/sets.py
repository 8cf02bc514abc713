"""The labelled series of the development data, set by set, as frames; what is a label never becomes a column.

Sets with a training part have it as `history`; its labels, where there are any, are not used. Times that a set
lacks are made up: from a Monday midnight, in the set's step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from components.core.times import parse_times

_MINUTE_US = 60 * 1_000_000
_MONDAY = datetime(2020, 9, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Labelled:
    """One series: frames with `timestamp` (UTC) and numeric columns; labels: one per row of `scored`."""

    set: str
    name: str
    history: pl.DataFrame | None
    scored: pl.DataFrame
    labels: npt.NDArray[np.bool_]


def nab(root: Path) -> Iterator[Labelled]:
    """Numenta's benchmark: one column, mostly five-minute steps, windows around each anomaly as labels."""
    windows = json.loads((root / "labels" / "combined_windows.json").read_text())
    for name, spans in sorted(windows.items()):
        path = root / "data" / name
        if not path.is_file():
            continue
        raw = pl.read_csv(path, infer_schema_length=0)
        times = parse_times(raw["timestamp"], name)
        inside = np.zeros(len(raw), dtype=bool)
        for span in spans:
            start, end = parse_times(pl.Series(span), name)
            inside |= times.is_between(start, end).to_numpy()
        frame = pl.DataFrame({"timestamp": times, "value": raw["value"].cast(pl.Float64, strict=False)})
        yield Labelled("nab", name.removesuffix(".csv"), None, frame, inside)


def aiops_kpi(root: Path) -> Iterator[Labelled]:
    """The KPIs of the AIOps challenge 2018: one column, one- or five-minute steps, months of history."""
    for folder in _folders(root):
        train, test = (
            _frame(_instants(np.load(folder / f"{part}_timestamp.npy") * 1_000_000), np.load(folder / f"{part}.npy"))
            for part in ("train", "test")
        )
        yield Labelled("aiops_kpi", folder.name[:8], train, test, _truth(np.load(folder / "test_label.npy")))


def ms_cloud_monitoring(root: Path) -> Iterator[Labelled]:
    """Microsoft's cloud monitoring data: one column, steps of a minute or an hour, labelled by domain experts."""
    for path in sorted(root.glob("*/*.csv")):
        raw = pl.read_csv(path, infer_schema_length=0)
        raw = raw.rename({name: name.strip().lower() for name in raw.columns})
        values, labels = (raw[name].str.strip_chars().cast(pl.Float64, strict=False) for name in ("value", "label"))
        frame = pl.DataFrame({"timestamp": parse_times(raw["timestamp"], path.name), "value": values})
        yield Labelled("ms_cloud_monitoring", path.stem, None, frame, _truth(labels.fill_null(0).to_numpy()))


def jumpstarter(root: Path) -> Iterator[Labelled]:
    """JumpStarter's services of a content platform: 19 columns, five-minute steps."""
    for path in sorted(root.glob("*/train/*.csv")):
        dataset = path.parents[1]
        train, test = (_matrix(dataset / part / path.name) for part in ("train", "test"))
        labels = _matrix(dataset / "test_label" / path.name)[:, 0]
        yield _continued("jumpstarter", f"{dataset.name}-{path.stem}", train, test, labels, 5)


def interfusion_smd(root: Path) -> Iterator[Labelled]:
    """Machines of the Server Machine Dataset: 38 columns, one-minute steps."""
    return _archives("interfusion_smd", root, 1)


def interfusion_asd(root: Path) -> Iterator[Labelled]:
    """InterFusion's Application Server Dataset: 19 columns, five-minute steps."""
    return _archives("interfusion_asd", root, 5)


LOADERS: dict[str, Callable[[Path], Iterator[Labelled]]] = {
    loader.__name__: loader
    for loader in (nab, aiops_kpi, ms_cloud_monitoring, jumpstarter, interfusion_smd, interfusion_asd)
}


def load(data: Path, names: Sequence[str] = tuple(LOADERS)) -> Iterator[Labelled]:
    """Every series of the named sets under `data`/anomaly; FileNotFoundError names a set that is not there."""
    for name in names:
        root = data / "anomaly" / name
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: no such folder; set TRACEO_BENCH_DATA to the unpacked development data")
        yield from LOADERS[name](root)


def _archives(name: str, root: Path, step_min: int) -> Iterator[Labelled]:
    for path in sorted(root.glob("*.npz")):
        with np.load(path) as archive:
            yield _continued(name, path.stem, archive["train"], archive["test"], archive["test_label"], step_min)


def _continued(
    name: str, series: str, train: npt.NDArray, test: npt.NDArray, labels: npt.NDArray, step_min: int
) -> Labelled:
    """A series without times whose second part follows the first without a gap."""
    start = int(_MONDAY.timestamp()) * 1_000_000
    times = _instants(start + step_min * _MINUTE_US * np.arange(len(train) + len(test), dtype=np.int64))
    cut = len(train)
    return Labelled(name, series, _frame(times[:cut], train), _frame(times[cut:], test), _truth(labels))


def _frame(times: pl.Series, values: npt.NDArray) -> pl.DataFrame:
    table = values.astype(np.float64).reshape(len(times), -1)
    names = ["value"] if table.shape[1] == 1 else [f"column_{i:02d}" for i in range(table.shape[1])]
    return pl.DataFrame({"timestamp": times, **{name: table[:, i] for i, name in enumerate(names)}})


def _instants(microseconds: npt.NDArray) -> pl.Series:
    return pl.Series(microseconds.astype(np.int64)).cast(pl.Datetime("us", "UTC"))


def _truth(labels: npt.NDArray) -> npt.NDArray[np.bool_]:
    return np.asarray(labels, dtype=float) > 0


def _matrix(path: Path) -> npt.NDArray:
    return pl.read_csv(path, has_header=False, infer_schema_length=None).cast(pl.Float64).to_numpy()


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir())
