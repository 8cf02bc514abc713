"""Cases as they come: what is mended is counted in the summary, what cannot be is one line that names the file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.cli.__main__ import main
from components.core.times import TIME_DTYPE
from tests.rootcause.cases import DB_FAULT, NOTICED, case, frame, metrics, write_case

Change = Callable[[pl.DataFrame], pl.DataFrame]


def _run(*arguments: object) -> int:
    return main(["diagnose", *map(str, arguments)])


def _spans(parents: bool = True) -> pl.DataFrame:
    """web calls shop, which calls db; db takes seventeen times as long from the incident on."""
    random, rows = np.random.default_rng(0), []
    for trace, second in enumerate(sorted(random.uniform(-3000, 300, 1500))):
        at, own = NOTICED + timedelta(seconds=second), random.lognormal(0, 0.2, 3) * 1000
        own[2] *= 17 if second > 0 else 1
        for depth, service in enumerate(("web", "shop", "db")):
            parent = str(depth - 1) if depth and parents else None
            rows.append((f"t{trace}", str(depth), parent, service, "op", at, float(sum(own[depth:])), "OK"))
    return frame("spans", rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_case(tmp_path / "slow-db", case(metrics(DB_FAULT), spans=_spans()))


def _rows(path: Path, *rows: str) -> None:
    """The table as CSV with rows after its own."""
    table = pl.read_parquet(path)
    path.unlink()
    path.with_suffix(".csv").write_text("\n".join([table.write_csv().rstrip(), *rows]) + "\n")


def _parquet(path: Path, change: Change) -> None:
    change(pl.read_parquet(path)).write_parquet(path)


def _at(*times: str) -> Callable[[Path], None]:
    return lambda folder: _rows(folder / "metrics.parquet", *(f"{time},web,latency_p99,1" for time in times))


def _epochs(wild: int, dtype: pl.DataType) -> Callable[[Path], None]:
    seconds = pl.col("timestamp").dt.epoch("s").cast(dtype)

    def change(table: pl.DataFrame) -> pl.DataFrame:
        return pl.concat(
            [table.with_columns(seconds), table.head(1).with_columns(pl.lit(wild, dtype).alias("timestamp"))]
        )

    return lambda folder: _parquet(folder / "metrics.parquet", change)


def _value(wild: float) -> Callable[[Path], None]:
    tenth = pl.when(pl.int_range(pl.len()) == 10).then(pl.lit(wild))
    return lambda folder: _parquet(
        folder / "metrics.parquet", lambda table: table.with_columns(tenth.otherwise("value").alias("value"))
    )


def _span(**wild: object) -> Callable[[Path], None]:
    changed = [pl.lit(value).alias(name) for name, value in wild.items()]

    def change(table: pl.DataFrame) -> pl.DataFrame:
        row = table.head(1).with_columns(pl.lit("other").alias("trace_id"), *changed)
        return pl.concat([table, row.cast(dict(table.schema))])

    return lambda folder: _parquet(folder / "spans.parquet", change)


def _swap(folder: Path) -> None:
    _parquet(folder / "metrics.parquet", lambda table: pl.concat([table.slice(1, 1), table.head(1), table.slice(2)]))


def _twice(folder: Path) -> None:
    pl.read_parquet(folder / "metrics.parquet").write_csv(folder / "metrics.csv")


LEFT_OUT = "1 duplicated or unusable rows of metrics.{} left out"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_at("+12000-01-01T00:00:00Z"), LEFT_OUT.format("csv")),
        (_at("9999-12-31T23:59:59.999999Z"), LEFT_OUT.format("csv")),
        (_at("1970-01-01T00:00:00Z"), "1 rows of metrics.csv more than a year from the incident left out"),
        (_epochs(10**15, pl.Int64()), LEFT_OUT.format("parquet")),
        (_epochs(-(10**12), pl.Int64()), LEFT_OUT.format("parquet")),
        (_epochs(2**64 - 1, pl.UInt64()), LEFT_OUT.format("parquet")),
        (_value(float("nan")), "1 values of metrics.parquet missing or unusable"),
        (_value(1.797e308), "1 values of metrics.parquet missing or unusable"),
        (_swap, "1 samples of metrics.parquet out of order"),
        (_twice, "metrics.parquet was not read: metrics.csv is there too"),
        (_span(duration_us=1e300), "1 values of spans.parquet missing or unusable"),
        (_span(duration_us=-1.0), "1 values of spans.parquet missing or unusable"),
        (
            _span(start_time=datetime(1970, 1, 1, tzinfo=UTC)),
            "1 rows of spans.parquet more than a year from the incident left out",
        ),
    ],
)
def test_what_is_mended_is_counted_in_the_summary(folder: Path, tmp_path: Path, capsys, spoil, told):
    spoil(folder)
    assert _run(folder, "--output", tmp_path / "out.json") == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["causes"][0]["service"] == "db"
    assert content["reason"].endswith(f"; {told}")
    assert capsys.readouterr().out.rstrip().endswith(f"; {told}")


def _incident(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "incident.json").write_text(text) and None


def _column(name: str, values: pl.Expr) -> Callable[[Path], None]:
    return lambda folder: _parquet(folder / "metrics.parquet", lambda t: t.with_columns(values.alias(name)))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_incident("[" * 200_000), "incident.json: nested too deeply"),
        (_incident('{"time": ' + "9" * 5000 + "}"), "a number of too many digits"),
        (
            _incident('{"time": "0001-01-01T00:00:00+05:00"}'),
            "'time': not a time: '0001-01-01 00:00:00+05:00' is outside",
        ),
        (_incident('{"time": 1000, "service": ["web"]}'), "incident.json: 'service' is [\"web\"]; write one name"),
        (_incident('{"time": 1000, "metric": true}'), "incident.json: 'metric' is true; write one name"),
        (_column("value", pl.lit(b"\xff\xfe")), "metrics.parquet: column 'value' is not numeric"),
        (_column("timestamp", pl.lit(b"\xff\xfe")), "metrics.parquet: column 'timestamp' holds no time"),
        (_column("value", pl.lit(timedelta(1))), "column 'value' holds Duration(time_unit='us'), not numbers"),
        (_column("metric", pl.lit(timedelta(1))), "column 'metric' holds Duration(time_unit='us'), not text"),
        (_column("timestamp", pl.lit(timedelta(1))), "column 'timestamp' holds Duration(time_unit='us'), not times"),
        (_column("timestamp", pl.lit(2**64 - 1, pl.UInt64)), "column 'timestamp' holds no time"),
    ],
)
def test_what_cannot_be_mended_is_named_and_costs_its_case_alone(folder: Path, tmp_path: Path, capsys, spoil, told):
    write_case(tmp_path / "cases" / "good", case(metrics(DB_FAULT)))
    broken = folder.rename(tmp_path / "cases" / "broken")
    spoil(broken)
    assert _run(tmp_path / "cases", "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert f"{broken}/" in error
    assert told in error
    assert error.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.json"]


def test_names_in_bytes_and_cases_years_away_are_read(folder: Path, tmp_path: Path):
    early = pl.col("timestamp") - timedelta(days=3000)
    _parquet(folder / "metrics.parquet", lambda t: t.with_columns(pl.col("service").cast(pl.Binary), early))
    (folder / "spans.parquet").unlink()
    time = (NOTICED - timedelta(days=3000)).isoformat()
    (folder / "incident.json").write_text(json.dumps({"time": time}))
    assert _run(folder, "--output", tmp_path / "out.json") == 0
    assert json.loads((tmp_path / "out.json").read_text())["causes"][0]["service"] == "db"


@pytest.mark.parametrize("wild", [1e300, -1.797e308])
def test_values_past_all_measure_raise_no_warning(folder: Path, tmp_path: Path, wild: float):
    for change in (_value(wild), _column("value", pl.col("value") * wild)):
        change(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert _run(folder, "--output", tmp_path / "out.json", "--plot", tmp_path / "out.png") == 0
        text = (tmp_path / "out.json").read_text()
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("parent", [None, "elsewhere"])
def test_spans_without_their_parents_are_diagnosed_by_durations(tmp_path: Path, capsys, parent):
    spans = _spans(parents=False).with_columns(pl.lit(parent, pl.String).alias("parent_span_id"))
    empty = pl.DataFrame(schema=dict(metrics().schema)).cast({"timestamp": TIME_DTYPE})
    folder = write_case(tmp_path / "unlinked", case(empty, spans=spans))
    assert _run(folder, "--output", tmp_path / "out.json") == 0
    assert capsys.readouterr().out.startswith("db span_duration_us (latency, ")
