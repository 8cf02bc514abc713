"""`traceo forecast`: what commands.md promises, good input and bad."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.cli import forecast as command
from components.core.errors import TraceoError
from components.core.schema import QUANTILE_COLUMNS
from tests.forecasting.conftest import START, filling_disk, frame, seasonal


def run(*arguments: object) -> int:
    """The command as `traceo` runs it, without the other commands' modules."""
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    parsed = parser.parse_args(["forecast", *map(str, arguments)])
    try:
        return int(parsed.main(parsed))
    except TraceoError as error:
        print(f"error: {error}")
        return error.exit_code


def test_output_has_a_row_per_step_and_quantiles_in_order(disk_csv: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert run(disk_csv, "--horizon", "7d", "--limit", "95", "--output", output) == 0
    table = pl.read_csv(output, try_parse_dates=True)
    assert table.columns == ["timestamp", "mean", *QUANTILE_COLUMNS]
    assert table["timestamp"].to_list() == [START + timedelta(hours=720 + i) for i in range(168)]
    fan = table.select(QUANTILE_COLUMNS).to_numpy()
    assert (np.diff(fan, axis=1) >= 0).all()
    assert (fan >= 0).all()
    found = json.loads((tmp_path / "out.risk.json").read_text())
    assert set(found) == {
        *("limit", "direction", "probability", "time_to_limit", "already_crossed", "abstained", "reason", "model")
    }
    assert list(found["probability"]) == ["1h", "4h", "24h", "72h", "168h"]
    assert found["probability"]["72h"] > 0.6
    assert START + timedelta(hours=720) < datetime.fromisoformat(found["time_to_limit"]["q0.5"])


def test_without_a_limit_no_risk_of_an_earlier_call_is_left(disk_csv: Path, tmp_path: Path) -> None:
    for limit in (["--limit", "95"], []):
        assert run(disk_csv, "--horizon", "1d", *limit, "--output", tmp_path / "out.csv") == 0
        assert (tmp_path / "out.risk.json").exists() == bool(limit)


def test_an_output_that_cannot_be_written_leaves_no_risk_and_no_picture(
    disk_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "out.csv"
    blocked.mkdir()
    before = sorted(tmp_path.iterdir())
    flags = ("--horizon", "1d", "--limit", "95", "--plot", tmp_path / "p.png", "--output", blocked)
    assert run(disk_csv, *flags) == 2
    assert "out.csv: it is a directory; name another place" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_direction_without_a_limit_is_refused(
    disk_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(disk_csv, "--horizon", "1d", "--direction", "below", "--output", tmp_path / "out.csv") == 2
    assert "give --limit too" in capsys.readouterr().out


def test_same_seed_same_bytes_and_parquet(disk_csv: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert (
            run(disk_csv, "--horizon", "2d", "--limit", "95", "--seed", "3", "--output", tmp_path / f"{name}.parquet")
            == 0
        )
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.risk.json").read_bytes() == (tmp_path / "b.risk.json").read_bytes()
    assert pl.read_parquet(tmp_path / "a.parquet").height == 48


def test_five_minute_samples_are_forecast_by_the_hour_unless_told(tmp_path: Path) -> None:
    source = tmp_path / "fine.parquet"
    frame(np.repeat(seasonal(96), 12), timedelta(minutes=5)).write_parquet(source)
    assert run(source, "--horizon", "1d", "--output", tmp_path / "hours.csv") == 0
    hours = pl.read_csv(tmp_path / "hours.csv", try_parse_dates=True)["timestamp"]
    assert hours.to_list() == [START + timedelta(hours=96 + i) for i in range(24)]
    assert run(source, "--horizon", "1h", "--frequency", "5m", "--output", tmp_path / "minutes.csv") == 0
    minutes = pl.read_csv(tmp_path / "minutes.csv", try_parse_dates=True)["timestamp"]
    assert minutes.to_list() == [START + timedelta(hours=96, minutes=5 * i) for i in range(12)]


def test_never_negative_and_never_past_the_capacity(tmp_path: Path) -> None:
    source = tmp_path / "s.csv"
    frame(np.clip(seasonal() - 50, 0, None)).write_csv(source)
    params = json.dumps({"capacity": 15.0})
    assert run(source, "--horizon", "3d", "--params", params, "--output", tmp_path / "o.csv") == 0
    fan = pl.read_csv(tmp_path / "o.csv").drop("timestamp").to_numpy()
    assert fan.min() >= 0.0
    assert fan.max() <= 15.0


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


BAD_FILES = {
    "empty.csv": ("", "the file is empty"),
    "header.csv": ("timestamp,value\n", "no rows"),
    "columns.csv": ("time,value\n2026-01-01,1\n", "no column 'timestamp'"),
    "novalue.csv": ("timestamp,load\n2026-01-01T00:00:00Z,1\n", "no column 'value'"),
    "text.csv": ("timestamp,value\n2026-01-01T00:00:00Z,high\n", "not numeric"),
    "allnan.csv": ("timestamp,value\n2026-01-01T00:00:00Z,nan\n2026-01-01T01:00:00Z,nan\n", "holds no number"),
    "notime.csv": ("timestamp,value\nyesterday,1\n", "holds no time"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_refused_by_name_and_leaves_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = BAD_FILES[name]
    source = _write(tmp_path / name, text)
    output = tmp_path / "out" / "o.csv"
    assert run(source, "--horizon", "1d", "--limit", "5", "--plot", tmp_path / "out" / "o.png", "--output", output) == 2
    error = capsys.readouterr().err
    assert name in error
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not output.parent.exists()


def test_truncated_and_broken_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = tmp_path / "whole.parquet"
    frame(seasonal(100)).write_parquet(whole)
    truncated = tmp_path / "truncated.parquet"
    truncated.write_bytes(whole.read_bytes()[:-200])
    broken = tmp_path / "broken.csv"
    broken.write_bytes(bytes(range(128, 256)) * 20)
    for path in (truncated, broken, tmp_path / "missing.csv", tmp_path / "none.txt"):
        assert run(path, "--horizon", "1d", "--output", tmp_path / "o.csv") == 2
    assert not (tmp_path / "o.csv").exists()
    assert "truncated.parquet" in capsys.readouterr().err


BAD_ARGUMENTS = {
    "limit": (("--limit", "lots"), "--limit 'lots' is not a number"),
    "limit nan": (("--limit", "nan"), "--limit 'nan' is not a number"),
    "limit below zero": (("--limit", "-95"), "--limit -95 is negative, but the series never is"),
    "limit past the capacity": (
        ("--limit", "120", "--params", '{"capacity": 100}'),
        "--limit 120 is past the capacity",
    ),
    "horizon": (("--horizon", "soon"), "--horizon 'soon' is not a span"),
    "zero": (("--horizon", "0h"), "--horizon '0h' is not a span"),
    "short": (("--horizon", "10m"), "shorter than one step"),
    "long": (("--horizon", "9000d"), "raise --frequency"),
    "model": (("--model", "nbeats"), "no model 'nbeats'; available: arima"),
    "params": (("--params", "{"), "not JSON"),
    "unknown": (("--params", '{"capcity": 1}'), "'capcity'"),
    "capacity": (("--params", '{"capacity": 1}'), "past the capacity 1"),
    "output": (("--output", "o.txt"), "unknown kind '.txt'"),
    "plot": (("--plot", "o.gif"), "unknown kind '.gif'"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_argument_is_refused(case: str, disk_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed, message = BAD_ARGUMENTS[case]
    pairs = dict(zip(changed[::2], changed[1::2], strict=True))
    arguments = {"--horizon": "1d", "--output": str(tmp_path / "o.csv")} | pairs
    assert run(disk_csv, *[part for pair in arguments.items() for part in pair]) == 2
    captured = capsys.readouterr()
    assert message in captured.out + captured.err
    assert not (tmp_path / "o.csv").exists()


ODD_HISTORIES = {
    "one row": frame(np.array([5.0])),
    "constant": frame(np.full(200, 5.0)),
    "one day": frame(seasonal(24)),
    "shorter than the horizon": frame(seasonal(100)),
    "a week missing": pl.concat([frame(seasonal(500))[:200], frame(seasonal(500))[368:]]),
    "irregular": frame(seasonal(400)).sample(150, seed=1, shuffle=True),
    "a counter with resets": frame(np.arange(400) % 60 * 1.0),
    "no number here and there": frame(np.where(np.arange(200) % 9 == 4, np.nan, seasonal(200))),
    "minus infinity": frame(np.where(np.arange(200) % 50 == 3, -np.inf, seasonal(200))),
}


@pytest.mark.parametrize("case", ODD_HISTORIES)
def test_odd_history_is_forecast_all_the_same(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "s.csv"
    ODD_HISTORIES[case].write_csv(source)
    assert run(source, "--horizon", "7d", "--limit", "95", "--output", tmp_path / "o.csv") == 0
    table = pl.read_csv(tmp_path / "o.csv")
    fan = table.select(QUANTILE_COLUMNS).to_numpy()
    assert table.height == 168
    assert np.isfinite(table.drop("timestamp").to_numpy()).all()
    assert (np.diff(fan, axis=1) >= 0).all()
    assert fan.min() >= 0.0
    assert fan.max() < 200.0
    found = json.loads((tmp_path / "o.risk.json").read_text())
    assert found["abstained"] == (case in ("one row", "one day"))
    if found["abstained"]:
        assert "too short" in found["reason"]
        assert "fell back" in capsys.readouterr().out


def test_duplicates_disorder_and_gaps_are_mended_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, messy = tmp_path / "clean.csv", tmp_path / "messy.csv"
    good = frame(seasonal(300))
    good.write_csv(clean)
    twice = pl.concat([good[:50].with_columns(value=pl.lit(999.0)), good])
    holes = pl.concat([twice, good[7:8].with_columns(value=pl.lit(None, dtype=pl.Float64), timestamp=pl.lit(None))])
    holes.write_csv(messy)
    assert run(clean, "--horizon", "1d", "--output", tmp_path / "a.csv") == 0
    assert run(messy, "--horizon", "1d", "--output", tmp_path / "b.csv") == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert "50 duplicated" in capsys.readouterr().out


def test_limit_already_crossed(disk_csv: Path, tmp_path: Path) -> None:
    assert run(disk_csv, "--horizon", "2d", "--limit", "80", "--output", tmp_path / "o.csv") == 0
    found = json.loads((tmp_path / "o.risk.json").read_text())
    assert found["already_crossed"]
    assert found["probability"] == {"1h": 1.0, "4h": 1.0, "24h": 1.0, "72h": None, "168h": None}


@pytest.mark.parametrize("case", ODD_HISTORIES)
def test_odd_history_has_a_risk_or_a_reason(case: str, tmp_path: Path) -> None:
    ODD_HISTORIES[case].write_parquet(tmp_path / "odd.parquet")
    arguments = ("--horizon", "8d", "--limit", "95", "--output", tmp_path / "o.csv", "--plot", tmp_path / "o.png")
    assert run(tmp_path / "odd.parquet", *arguments) == 0
    found = json.loads((tmp_path / "o.risk.json").read_text())
    known = list(found["probability"].values())
    assert found["abstained"] == (case in ("one row", "one day"))
    assert bool(found["reason"]) or not found["abstained"]
    assert known == [None] * 5 if found["abstained"] else known == sorted(known)
    assert found["abstained"] or 0 <= known[0] <= known[-1] < 0.3


def test_five_minute_samples_show_what_fails_within_hours(tmp_path: Path) -> None:
    rng, count = np.random.default_rng(3), 20 * 288
    pool = 40 + 8 * np.sin(np.arange(count) / 288 * 2 * np.pi) + rng.normal(0, 1, count)
    pool[-36:] += np.arange(36) * 0.9
    frame(pool, timedelta(minutes=5)).write_csv(tmp_path / "pool.csv")
    frame(pool[:-36], timedelta(minutes=5)).write_csv(tmp_path / "calm.csv")
    found = {}
    for name in ("pool", "calm"):
        output = tmp_path / f"{name}_f.csv"
        assert run(tmp_path / f"{name}.csv", "--horizon", "1d", "--limit", "95", "--output", output) == 0
        found[name] = json.loads((tmp_path / f"{name}_f.risk.json").read_text())
    assert found["pool"]["probability"]["4h"] > 0.6
    assert found["calm"]["probability"]["24h"] < 0.1
    assert "grown steadily" in found["pool"]["reason"]


def test_directory_goes_on_past_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    frame(seasonal(200)).write_csv(source / "good.csv")
    frame(filling_disk(200)).write_parquet(source / "other.parquet")
    (source / "bad.csv").write_text("")
    assert run(source, "--horizon", "1d", "--limit", "95", "--output", tmp_path / "out") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("good.csv", "good.risk.json", "other.parquet", "other.risk.json")
    ]
    captured = capsys.readouterr()
    assert "bad.csv" in captured.err
    assert "2 of 3 done, 1 refused" in captured.out


def test_plots_are_a_png_and_a_page_without_outside_links(disk_csv: Path, tmp_path: Path) -> None:
    from PIL import Image

    for name in ("p.png", "p.html"):
        assert (
            run(disk_csv, "--horizon", "7d", "--limit", "95", "--plot", tmp_path / name, "--output", tmp_path / "o.csv")
            == 0
        )
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size[0] > 1000
        # The limit's red and the fan's blue are really there.
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24) or []}
    assert (179, 38, 30) in colours
    assert (31, 95, 168) in colours
    page = (tmp_path / "p.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page.split("base64,")[0]


def test_the_picture_has_a_panel_of_backtest_errors_where_there_are_backtests(tmp_path: Path) -> None:
    from PIL import Image

    heights = []
    for hours in (240, 40):
        source, picture = tmp_path / f"{hours}.csv", tmp_path / f"{hours}.png"
        frame(seasonal(hours)).write_csv(source)
        assert run(source, "--horizon", "1d", "--plot", picture, "--output", tmp_path / "o.csv") == 0
        with Image.open(picture) as found:
            heights.append(found.size[1])
    assert heights[0] > heights[1]


def test_regressor_with_a_known_future_reaches_prophet(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    load = rng.integers(0, 2, 288).astype(float)
    table = frame(10 + 5 * load + rng.normal(0, 0.1, 288)).with_columns(pl.Series("load", load))
    future = pl.int_range(pl.len()) >= 264
    table = table.with_columns(pl.when(future).then(None).otherwise(pl.col("value")).alias("value"))
    table.write_csv(tmp_path / "s.csv")
    options = ("--horizon", "1d", "--model", "prophet", "--params", '{"origins": 3}')
    assert run(tmp_path / "s.csv", *options, "--output", tmp_path / "o.csv") == 0
    made = pl.read_csv(tmp_path / "o.csv")
    assert made["timestamp"][0].startswith("2026-01-12T00:00")
    assert np.abs(made["mean"].to_numpy() - (10 + 5 * load[264:])).mean() < 0.5


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    assert "example: traceo forecast disk.csv --horizon 7d" in " ".join(capsys.readouterr().out.split())
