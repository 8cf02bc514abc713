"""Directories of CSV and Parquet files as a source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import Window
from components.telemetry.directory import DirectorySource

START = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
ALWAYS = Window(datetime(1971, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(folder: Path, table: str = "metrics", window: Window = ALWAYS) -> pl.DataFrame:
    return DirectorySource(folder).read(table, window)


def triples(frame: pl.DataFrame) -> list[tuple[str, str, float]]:
    return sorted(frame.select("service", "metric", "value").rows())


def read_with_notes(folder: Path) -> tuple[pl.DataFrame, list[str]]:
    source = DirectorySource(folder)
    return source.read("metrics", ALWAYS), source.notes()


# --- shapes of files -------------------------------------------------------------------------------------


def test_long_table(tmp_path: Path) -> None:
    write(
        tmp_path / "metrics.csv",
        "timestamp,service,metric,value,instance\n2026-01-31T23:00:00Z,cart,cpu,1.5,a\n2026-01-31T23:00:30Z,cart,cpu,2,b\n",
    )
    frame = rows(tmp_path)
    assert frame.select("timestamp", "instance").rows() == [(START, "a"), (START + timedelta(seconds=30), "b")]
    assert triples(frame) == [("cart", "cpu", 1.5), ("cart", "cpu", 2.0)]
    assert dict(frame.schema) == {name: TABLES["metrics"].columns[name] for name in frame.columns}


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-31T23:00:00Z",
        "2026-01-31 23:00:00",
        "2026-02-01T01:00:00+02:00",
        "1769900400",
        "1769900400000",
        "1769900400000000000",
    ],
)
def test_wide_table_in_every_form_of_time(tmp_path: Path, time: str) -> None:
    write(tmp_path / "cart.csv", f"timestamp,cpu,memory\n{time},1,2\n")
    assert rows(tmp_path).select("timestamp", "service", "metric", "value").rows() == [
        (START, "cart", "cpu", 1.0),
        (START, "cart", "memory", 2.0),
    ]


@pytest.mark.parametrize("time", ["1769900400", "1769900400000000000", "2026-02-01T01:00:00+02:00"])
def test_long_table_in_other_forms_of_time(tmp_path: Path, time: str) -> None:
    write(tmp_path / "m.csv", f"Time,metric,value\n{time},cpu,1\n{time},disk,2\n")
    assert rows(tmp_path).select("timestamp", "service", "metric").rows() == [(START, "m", "cpu"), (START, "m", "disk")]


def test_wide_table_with_service_column_label_and_other_spelling(tmp_path: Path) -> None:
    write(tmp_path / "export.csv", "Time;Service;cpu;label\n1769900400;cart;1;0\n1769900400;payment;3;1\n")
    assert triples(rows(tmp_path)) == [("cart", "cpu", 1.0), ("payment", "cpu", 3.0)]


def test_a_metric_may_be_called_value_and_a_time_column_anything(tmp_path: Path) -> None:
    write(tmp_path / "cart.csv", "value,begin\n4,2026-01-31 23:00:00.500\n")
    assert rows(tmp_path).select("timestamp", "service", "metric", "value").rows() == [
        (START + timedelta(milliseconds=500), "cart", "value", 4.0)
    ]


def test_text_columns_are_left_out_in_one_note(tmp_path: Path) -> None:
    write(
        tmp_path / "cart.csv",
        "timestamp,host,zone,cpu,disk\n2026-01-31T23:00:00Z,a,b,1,x\n2026-01-31T23:05:00Z,a,b,y,2\n",
    )
    frame, notes = read_with_notes(tmp_path)
    assert triples(frame) == [("cart", "cpu", 1.0), ("cart", "disk", 2.0)]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "column(s) without numbers are left out: host, zone",
        "column 'cpu' has text in 1 of 2 rows ('y'), and so do 1 more column(s); those values are left out",
    ]


def test_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"at": [START], "cpu": [1], "busy": [True]}).write_parquet(tmp_path / "cart.parquet")
    assert triples(rows(tmp_path)) == [("cart", "busy", 1.0), ("cart", "cpu", 1.0)]


def test_source_yaml_names_columns_and_times(tmp_path: Path) -> None:
    write(
        tmp_path / "source.yaml",
        "step_s: 60\nstart: 2025-05-01T00:00:00Z\nservice: host\nmetric: kpi\nvalue: reading\n",
    )
    write(tmp_path / "all.csv", "timestamp,host,kpi,reading\n2025-05-01T00:00:00Z,db,qps,7\n")
    write(tmp_path / "plain.csv", "1,2\n3,4\n")
    frame = rows(tmp_path).sort("timestamp", "service", "metric")
    may = datetime(2025, 5, 1, tzinfo=UTC)
    assert frame.select("timestamp", "service", "metric", "value").rows() == [
        (may, "db", "qps", 7.0),
        (may, "plain", "metric_1", 1.0),
        (may, "plain", "metric_2", 2.0),
        (may + timedelta(minutes=1), "plain", "metric_1", 3.0),
        (may + timedelta(minutes=1), "plain", "metric_2", 4.0),
    ]


def test_headerless_with_iso_times(tmp_path: Path) -> None:
    write(tmp_path / "cart.csv", "2026-01-31T23:00:00Z,5,6\n2026-01-31T23:05:00Z,7,8\n")
    assert triples(rows(tmp_path)) == [("cart", f"metric_{i}", v) for i, v in ((1, 5.0), (1, 7.0), (2, 6.0), (2, 8.0))]


def test_halves_are_joined_labels_skipped_and_repeating_names_prefixed(tmp_path: Path) -> None:
    for folder, value in (("A", 1), ("B", 10)):
        write(tmp_path / folder / "train" / "s0.csv", f"{value},0\n{value + 1},0\n")
        write(tmp_path / folder / "test" / "s0.csv", f"{value + 2},0\n")
        write(tmp_path / folder / "test_label" / "s0.csv", "1\n")
    write(tmp_path / "A" / "train" / "s1.csv", "4,4\n")
    source = DirectorySource(tmp_path)
    assert source.extent() == Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 15, tzinfo=UTC))
    frame = source.read("metrics", ALWAYS)
    first = frame.filter(metric="metric_1").sort("service", "timestamp")
    assert first["service"].to_list() == ["A-s0"] * 3 + ["A-s1"] + ["B-s0"] * 3
    assert first["value"].to_list() == [1.0, 2.0, 3.0, 4.0, 10.0, 11.0, 12.0]
    assert first["timestamp"].dt.minute().to_list() == [0, 5, 10, 0, 0, 5, 10]
    assert source.notes() == [
        "2 file(s) in folders named like labels are skipped",
        "5 file(s) have no times: their rows are taken as 300 s apart from 2024-01-01T00:00:00Z on (see source.yaml)",
    ]


def test_train_folder_alone_is_a_folder_like_any_other(tmp_path: Path) -> None:
    write(tmp_path / "train" / "s0.csv", "1,2\n")
    assert rows(tmp_path)["service"].unique().to_list() == ["s0"]


def test_spans_logs_and_changes(tmp_path: Path) -> None:
    write(
        tmp_path / "spans-1.csv",
        "trace_id,span_id,parent_span_id,service,name,start_time,duration_us,status_code\n"
        "t,s,,cart,GET /,2026-01-31T23:00:00Z,1500,OK\n",
    )
    write(tmp_path / "logs.csv", 'timestamp,service,severity,body\n2026-01-31T23:00:01Z,cart,INFO,"a, b"\n')
    write(tmp_path / "changes.csv", "timestamp,service,what\n2026-01-31T23:00:02Z,cart,release 7\n")
    write(tmp_path / "logstash.csv", "timestamp,cpu\n2026-01-31T23:00:00Z,1\n")
    source = DirectorySource(tmp_path)
    assert source.read("spans", ALWAYS).select("start_time", "duration_us").rows() == [(START, 1500)]
    assert source.read("logs", ALWAYS)["body"].to_list() == ["a, b"]
    assert source.read("changes", ALWAYS)["what"].to_list() == ["release 7"]
    assert triples(source.read("metrics", ALWAYS)) == [("logstash", "cpu", 1.0)]


def test_window_is_half_open(tmp_path: Path) -> None:
    write(tmp_path / "cart.csv", "timestamp,cpu\n2026-01-31T23:00:00Z,1\n2026-01-31T23:05:00Z,2\n")
    assert rows(tmp_path, window=Window(START, START + timedelta(minutes=5)))["value"].to_list() == [1.0]
    assert rows(tmp_path, "spans").is_empty()


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "3,4\n")
    write(tmp_path / "a.csv", "1,2\n")
    assert rows(tmp_path).equals(rows(tmp_path))


# --- bad input -------------------------------------------------------------------------------------------

GOOD = "timestamp,cpu\n2026-01-31T23:00:00Z,1\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.csv", b"", "the file is empty"),
        ("bad.csv", b"timestamp,cpu\n", "no rows below the header"),
        ("bad.csv", b"timestamp,cpu\nyesterday,1\n", "holds no time"),
        ("bad.csv", b"timestamp,host\n2026-01-31T23:00:00Z,a\n", "no column holds numbers"),
        ("bad.csv", b"timestamp,cpu\n2026-01-31T23:00:00Z,1,2\n", "cannot be read"),
        ("bad.csv", b"service,metric,value\ncart,cpu,1\n", "needs 'timestamp'"),
        ("bad.parquet", b"PAR1 and no more", "cannot be read"),
        ("logs.csv", b"timestamp,service\n2026-01-31T23:00:00Z,a\n", "lacks column 'severity'"),
        ("bad.csv", bytes(range(128, 256)) * 20, "no rows below the header"),
    ],
)
def test_a_bad_file_is_named_and_stops_no_other(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    write(tmp_path / "cart.csv", GOOD)
    write(tmp_path / name, content)
    frame, notes = read_with_notes(tmp_path)
    assert triples(frame) == [("cart", "cpu", 1.0)]
    assert len(notes) == 1
    assert notes[0].startswith(f"refused: {tmp_path / name}:")
    assert said in notes[0]


@pytest.mark.parametrize(
    ("content", "values", "said"),
    [
        (b"timestamp,cpu\n0,1\n300,oops\n600,3\n", [1.0, 3.0], "'cpu' has text in 1 of 3 rows ('oops')"),
        (b"timestamp,cpu\n0,1\n300,\xff\xfe\n600,3\n", [1.0, 3.0], "'cpu' has text in 1 of 3 rows"),
        (b"timestamp,cpu,disk\n0,1,2\n300,2,3\n600,3", [1.0, 2.0, 2.0, 3.0], "the last line is cut off"),
        (b"timestamp,cpu\n0,1\nx,2\n600,3\n", [1.0, 3.0], "1 row(s) without a readable timestamp"),
        (b"timestamp,cpu\n0,1\n300,NaN\n600,inf\n900,\n", [1.0], None),
    ],
)
def test_bad_cells_are_left_out_and_counted(
    tmp_path: Path, content: bytes, values: list[float], said: str | None
) -> None:
    write(tmp_path / "cart.csv", content)
    source = DirectorySource(tmp_path)
    window = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(1971, 1, 1, tzinfo=UTC))
    assert sorted(source.read("metrics", window)["value"].to_list()) == values
    assert [said in note for note in source.notes()] == ([True] if said else [])


def test_long_table_keeps_values_and_times_together_where_rows_are_dropped(tmp_path: Path) -> None:
    write(tmp_path / "m.csv", "timestamp,service,metric,value\nx,a,cpu,1\n300,b,cpu,2\n600,c,cpu,bad\n900,d,cpu,4\n")
    window = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(1971, 1, 1, tzinfo=UTC))
    frame = DirectorySource(tmp_path).read("metrics", window)
    assert frame.select("service", "value").rows() == [("b", 2.0), ("d", 4.0)]


def test_an_untimed_half_without_the_other_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train" / "s0.csv", b"")
    write(tmp_path / "test" / "s0.csv", "1,2\n")
    write(tmp_path / "other.csv", GOOD)
    frame, notes = read_with_notes(tmp_path)
    assert triples(frame) == [("other", "cpu", 1.0)]
    assert len(notes) == 2
    assert notes[1] == "refused: the other half of train/s0.csv: it has no times of its own, so it would be shifted"


def test_rows_of_a_wrong_clock_do_not_stretch_the_extent(tmp_path: Path) -> None:
    write(tmp_path / "cart.csv", GOOD + "2099-01-01T00:00:00Z,2\n1970-01-01T00:00:00Z,2\n2026-01-31T23:05:00Z,3\n")
    source = DirectorySource(tmp_path)
    assert source.extent() == Window(START, START + timedelta(minutes=10))
    assert source.notes() == [
        "2 row(s) lie more than a year away from the rest (2026-01-31 to 2026-01-31) and are left out"
    ]


def test_nothing_usable_is_an_error_that_lists_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.csv or \.parquet file"):
        DirectorySource(tmp_path).extent()
    write(tmp_path / "cart.csv", b"")
    with pytest.raises(InputError, match=r"no rows in any file.*cart\.csv: the file is empty"):
        DirectorySource(tmp_path).extent()


@pytest.mark.parametrize("text", ["step: 5\n", "step_s: -1\n", "a: [\n"])
def test_bad_source_yaml(tmp_path: Path, text: str) -> None:
    write(tmp_path / "cart.csv", GOOD)
    write(tmp_path / "source.yaml", text)
    with pytest.raises(InputError, match=r"source\.yaml"):
        DirectorySource(tmp_path).extent()
