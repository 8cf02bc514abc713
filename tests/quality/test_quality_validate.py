"""quality.validate: every kind of bad partition is quarantined with its reason, the rest goes on."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from components.core import step
from components.core.catalog import load_catalog
from components.core.lake import INCOMING, QUARANTINE, SIDECAR, Lake, Partition
from components.core.times import Window
from components.quality.facts import measure
from components.quality.specs import VALIDATE
from components.quality.staleness import Watch

T0 = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AS_OF = T0 + 24 * HOUR
TIME = pl.Datetime("us", "UTC")


def metrics(hour: int = 0, metric: str = "cpu_utilization", value: float = 50.0) -> pl.DataFrame:
    """An hour of minutes of one metric of two services, rising slowly."""
    minutes = pl.datetime_range(
        T0 + hour * HOUR, T0 + (hour + 1) * HOUR, "1m", closed="left", time_unit="us", eager=True
    )
    frames = [
        pl.DataFrame({"timestamp": minutes, "service": name, "metric": metric, "value": value}).with_columns(
            pl.col("value") + pl.int_range(60) * 0.01
        )
        for name in ("cart", "search")
    ]
    return pl.concat(frames)


def spans(hour: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "trace_id": ["t1", "t1"],
            "span_id": ["a", "b"],
            "parent_span_id": [None, "a"],
            "service": ["cart", "search"],
            "name": ["GET /", "find"],
            "start_time": [T0 + hour * HOUR, T0 + hour * HOUR + MINUTE],
            "duration_us": [900, 400],
            "status_code": ["OK", "OK"],
        },
        schema_overrides={"start_time": TIME},
    )


def logs(hour: int = 0) -> pl.DataFrame:
    row = {"timestamp": T0 + hour * HOUR, "service": "cart", "severity": "INFO", "body": "ready"}
    return pl.DataFrame([row], schema_overrides={"timestamp": TIME})


def put(lake: Lake, frame: pl.DataFrame | bytes, hour: int = 0, table: str = "metrics") -> str:
    """Place a partition as a foreign writer would, unchecked; returns its place within a zone."""
    start = T0 + hour * HOUR
    place = f"{table}/date={start:%Y-%m-%d}/{start:%Y%m%dT%H%M%S}_{start + HOUR:%Y%m%dT%H%M%S}.parquet"
    path = Path(lake.uri, INCOMING, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(frame if isinstance(frame, bytes) else parquet(frame))
    Path(f"{path}{SIDECAR}").write_text(json.dumps({"table": table, "producer": "foreign", "params": {}}))
    return place


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def validate(lake: Lake, folder: Path, **params: Any) -> dict[str, Any]:
    uris = {"lake": lake.uri, "validation": str(folder / "validation.json"), "data_docs": str(folder / "docs")}
    step.run(VALIDATE, uris, {"as_of": AS_OF.isoformat(), **params})
    return json.loads((folder / "validation.json").read_bytes())


def facts_of(lake: Lake, table: str, place: str) -> dict[str, float]:
    start, end = (datetime.strptime(s, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) for s in Path(place).stem.split("_"))
    partition = Partition(table, str(Path(lake.uri, INCOMING, place)), Window(start, end))
    facts, _ = measure(partition, AS_OF, load_catalog())
    return {name: count for name, count in facts.counts.items() if count and name != "rows"}


def at(frame: pl.DataFrame, row: int, **cells: Any) -> pl.DataFrame:
    """The frame with some cells of one row replaced."""
    rows = frame.to_dicts()
    rows[row].update(cells)
    return pl.DataFrame(rows, schema=frame.schema)


GOOD = metrics()
BAD: dict[str, tuple[str, Any, str]] = {
    "a column is missing": ("metrics", GOOD.drop("value"), "column 'value' is missing"),
    "a column has another type": (
        "metrics", GOOD.with_columns(value=pl.lit("much")), "column 'value' should be Float64",
    ),
    "a key is empty": ("metrics", at(GOOD, 3, service=None), "column 'service' has empty cells"),
    "a percentage above its capacity": ("metrics", at(GOOD, 5, value=140.0), "cpu_utilization of cart is 140.0"),
    "a negative percentage": ("metrics", at(GOOD, 5, value=-20.0), "cart is -20.0, below zero"),
    "an infinite value": ("metrics", at(GOOD, 5, value=float("inf")), "cpu_utilization of cart is infinite"),
    "a row of another hour": ("metrics", at(GOOD, 5, timestamp=T0 + 3 * HOUR), "lies outside its window"),
    "rows twice": ("metrics", pl.concat([GOOD, GOOD.head(2)]), "2 rows repeat 'timestamp', 'service'"),
    "a truncated file": ("metrics", parquet(GOOD)[:-40], "cannot be read"),
    "an empty file": ("metrics", b"", "cannot be read"),
    "a span that ends before it starts": ("spans", at(spans(), 1, duration_us=-7), "a span lasts -7 us"),
    "a span reported twice": ("spans", pl.concat([spans(), spans()]), "2 rows repeat 'trace_id', 'span_id'"),
    "a line without time": ("logs", at(logs(), 0, timestamp=None), "column 'timestamp' has empty cells"),
    "a line without text": ("logs", logs().drop("body"), "column 'body' is missing"),
}  # fmt: skip


def test_each_kind_of_bad_partition_is_quarantined_with_its_reason_and_the_rest_published(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    places = {}
    for hour, (name, (table, frame, _)) in enumerate(BAD.items()):
        shift = timedelta(hours=hour)
        if isinstance(frame, pl.DataFrame):
            time = "start_time" if table == "spans" else "timestamp"
            frame = frame.with_columns(pl.col(time) + shift)
        places[put(lake, frame, hour, table)] = name
    good = [put(lake, metrics(20), 20), put(lake, spans(20), 20, "spans"), put(lake, logs(20), 20, "logs")]
    report = validate(lake, tmp_path)

    reasons = {places[item["partition"]]: item["reasons"] for item in report["quarantined"]}
    assert set(reasons) == set(BAD)
    for name, (_, _, words) in BAD.items():
        assert any(words in reason for reason in reasons[name]), (name, reasons[name])
    assert report["published"] == len(good)
    assert report["rows"] == {"metrics": 120, "spans": 2, "logs": 1}
    assert lake.zone(INCOMING).partitions("metrics") == []
    assert_frame_equal(lake.read("metrics").select(GOOD.columns), metrics(20).sort("timestamp", "service"))
    for item in report["quarantined"]:
        beside = Path(lake.uri, QUARANTINE, item["partition"] + ".reason.json")
        assert json.loads(beside.read_bytes())["reasons"] == item["reasons"]
    assert len(lake.zone(QUARANTINE).partitions("metrics")) == 10
    assert "metrics" in (tmp_path / "docs" / "index.html").read_text()


def test_a_clock_in_the_future_is_quarantined_beyond_the_slack(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put(lake, metrics(0), 0)
    put(lake, metrics(1), 1)
    as_of = T0 + HOUR + 50 * MINUTE
    report = validate(lake, tmp_path, as_of=as_of.isoformat(), clock_slack_s=60)
    (bad,) = report["quarantined"]
    assert bad["reasons"] == ["a row at 2026-01-05T01:59:00Z lies 540 s after 2026-01-05T01:50:00Z"]
    assert report["published"] == 1


def test_nothing_lies_in_the_future_of_the_newest_window_by_default(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put(lake, metrics(30), 30)
    assert validate(lake, tmp_path, as_of=None)["published"] == 1


def test_what_can_be_mended_is_published_with_a_warning(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    whole_numbers = metrics().with_columns(pl.col("value").cast(pl.Int64), colour=pl.lit("red"))
    put(lake, whole_numbers)
    report = validate(lake, tmp_path)
    assert [item["warning"] for item in report["warnings"]] == [
        "column 'colour' is not known and was dropped",
        "column 'value' had another type and was cast",
    ]
    assert lake.read("metrics")["value"].dtype == pl.Float64
    assert lake.read("metrics")["value"].sum() == 120 * 50


def test_values_that_are_missing_only_warn(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put(lake, at(at(GOOD, 5, value=float("nan")), 6, value=None))
    report = validate(lake, tmp_path)
    assert report["published"] == 1
    assert report["warnings"][0]["warning"].startswith("cpu_utilization of cart has no value")
    assert "(2 rows)" in report["warnings"][0]["warning"]


def test_a_series_that_stopped_warns(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put(lake, metrics(0), 0)
    assert validate(lake, tmp_path)["warnings"] == []
    place = put(lake, metrics(1).filter(pl.col("service") == "cart"), 1)
    report = validate(lake, tmp_path)
    assert report["warnings"] == [
        {"partition": place, "warning": "no sample of search/cpu_utilization, which was alive before"}
    ]


def test_a_series_that_got_stuck_for_hours_is_noted() -> None:
    watch = Watch()
    for day, value in enumerate((pl.int_range(60).cast(pl.Float64), pl.lit(7.0))):
        window = Window(T0 + day * 24 * HOUR, T0 + (day + 1) * 24 * HOUR)
        facts, _ = measure(Partition("metrics", "no/such/file", window), AS_OF, {})
        watch.note(facts, metrics(day * 24).with_columns(value=value.over("service")))
    assert facts.counts["flat_series"] == 2
    assert "cart/cpu_utilization" in facts.words["flat_series"]


def test_an_empty_partition_passes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put(lake, GOOD.clear())
    assert validate(lake, tmp_path)["published"] == 1
    assert lake.watermark() == T0 + HOUR


def test_no_partitions_are_no_error(tmp_path: Path) -> None:
    assert validate(Lake(str(tmp_path / "lake")), tmp_path)["published"] == 0
    assert (tmp_path / "docs" / "index.html").exists()


def test_a_repeat_after_a_crash_changes_nothing(tmp_path: Path) -> None:
    lakes = [Lake(str(tmp_path / name)) for name in ("undisturbed", "disturbed")]
    for lake in lakes:
        put(lake, metrics(0), 0)
        put(lake, metrics(1).drop("value"), 1)
        validate(lake, tmp_path)
    # Killed after the copy, before the incoming partition was removed.
    put(lakes[1], metrics(0), 0)
    put(lakes[1], metrics(1).drop("value"), 1)
    validate(lakes[1], tmp_path)
    assert files(lakes[0]) == files(lakes[1])
    assert len(files(lakes[0])) == 5


def files(lake: Lake) -> dict[str, bytes]:
    return {str(p.relative_to(lake.uri)): p.read_bytes() for p in Path(lake.uri).rglob("*") if p.is_file()}


def test_a_broken_sidecar_is_quarantined(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    broken = [b"", b"{}", b"not json", b"[1]"]
    for hour, sidecar in enumerate(broken):
        place = put(lake, metrics(hour), hour)
        Path(lake.uri, INCOMING, place + SIDECAR).write_bytes(sidecar)
    Path(lake.uri, INCOMING, put(lake, metrics(9), 9)).unlink()
    report = validate(lake, tmp_path)
    assert report["published"] == 0
    assert ["cannot be read" in item["reasons"][0] for item in report["quarantined"]] == [True] * 5
    assert lake.zone(INCOMING).partitions("metrics") == []


def test_devices_of_one_instance_are_not_duplicates(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    devices = [GOOD.with_columns(instance=pl.lit("n1"), attributes=pl.lit(name)) for name in ("sda", "sdb")]
    assert facts_of(lake, "metrics", put(lake, pl.concat(devices))) == {}


def test_an_altered_file_is_unreadable(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    written = lake.zone(INCOMING).write_window("metrics", GOOD, Window(T0, T0 + HOUR), producer="test", params={})
    Path(written.uri).write_bytes(parquet(metrics(value=1.0)))
    assert facts_of(lake, "metrics", written.uri.split(INCOMING + "/")[1]) == {"unreadable": 1}
