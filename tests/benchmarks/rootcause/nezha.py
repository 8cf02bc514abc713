"""Nezha: Online Boutique and Train-Ticket with metrics each minute, spans and logs of the minutes around a fault.

Services are pods without their generated suffix. A case takes half an hour before the injection and five minutes
after it; earlier faults lie in that half hour, as they do in life.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

import polars as pl

from components.rootcause.case import Case, Incident
from tests.benchmarks.rootcause.labelled import Labelled, instant, pairs, table

BEFORE_S, AFTER_S = 1800.0, 300.0
#: Windows without a fault are looked at for so long after they were noticed.
_WINDOW_S = 75.0
#: A quiet one is noticed so long after the last fault was written, and ends so long before the next: faults take three
#: to four minutes, and their written times are up to a minute late.
_SINCE_S, _UNTIL_S = 300.0, 65.0
#: Requests that failed for want of an instance, in any service: a few come at all times, this many are an outage.
_OUTAGE, _OUTAGE_LINES = "No instances available", 8
_SYSTEMS = {"2022-08-22": "online-boutique", "2023-01-29": "train-ticket", "2023-01-30": "train-ticket"}
_SUFFIX = re.compile(r"-[0-9a-f]{7,10}-[0-9a-z]{5}$")
_TRUTH = {
    "cpu_contention": ({"cpu"}, ("Cpu",)),
    "cpu_consumed": ({"cpu"}, ("Cpu",)),
    "network_delay": ({"network", "latency"}, ("Latency", "span", "Network")),
    "return": ({"code", "error"}, ()),
    "exception": ({"code", "error"}, ()),
}
_IDENTIFYING = ("Time", "TimeStamp", "PodName", "ServiceName")


def incidents(root: Path, before_s: float = BEFORE_S, after_s: float = AFTER_S) -> list[Labelled]:
    found = []
    for day in sorted(path for path in (root / "nezha").iterdir() if path.is_dir()):
        tables = day_tables(day)
        for fault in json.loads((day / "fault_list.json").read_text()):
            at = float(fault["inject_epoch_utc"])
            kinds, metrics = _TRUTH[fault["inject_type"]]
            name = f"{day.name} {fault['inject_time'][11:]} {fault['inject_type']}"
            case = cut(tables, at, at - before_s, at + after_s)
            found.append(
                Labelled(
                    f"nezha {_SYSTEMS[day.name]}",
                    name,
                    case,
                    service_of(fault["inject_pod"]),
                    frozenset(kinds),
                    metrics,
                )
            )
    return found


def normal_windows(root: Path, until_s: float = 5.0, since_s: float = 0.0) -> list[Labelled]:
    """The minutes before each injection: the tables end `until_s` before it, `since_s` or more after the last one."""
    found = []
    for day in sorted(path for path in (root / "nezha").iterdir() if path.is_dir()):
        tables, faults = day_tables(day), json.loads((day / "fault_list.json").read_text())
        for place, fault in enumerate(faults):
            end = float(fault["inject_epoch_utc"]) - until_s
            at, last = end - _WINDOW_S, float(faults[place - 1]["inject_epoch_utc"]) if place else float("-inf")
            if at - last < since_s:
                continue
            case = cut(tables, at, end - BEFORE_S, end)
            near = frozenset(service_of(f["inject_pod"]) for f in faults[max(0, place - 1) : place + 1])
            name = f"{until_s:.0f} s before {fault['inject_time']}"
            found.append(Labelled(f"nezha {_SYSTEMS[day.name]}", name, case, None, near=near))
    return found


def quiet_windows(root: Path) -> list[Labelled]:
    """Those of them that lie between two faults rather than beside one, whatever their clocks are off by."""
    return normal_windows(root, _UNTIL_S, _SINCE_S)


def without_outage(windows: Sequence[Labelled]) -> list[Labelled]:
    """Those of them in which no instance of a service went missing: some did without anybody's injecting it."""
    return [window for window in windows if _outage_lines(window.case) < _OUTAGE_LINES]


def _outage_lines(case: Case) -> int:
    since = case.incident.time - timedelta(seconds=120)
    return case.logs.filter(pl.col("timestamp") >= since, pl.col("body").str.contains(_OUTAGE, literal=True)).height


def cut(tables: dict[str, pl.DataFrame], at: float, begin: float, end: float) -> Case:
    """A case noticed at `at` with what happened from `begin` to `end`."""
    limits = instant(begin), instant(end)
    parts = {}
    for name in ("metrics", "spans", "logs"):
        time = pl.col("start_time" if name == "spans" else "timestamp")
        parts[name] = tables[name].filter(time >= limits[0], time <= limits[1])
    return Case(Incident(instant(at)), calls=tables["calls"], **parts)


@cache
def day_tables(day: Path) -> dict[str, pl.DataFrame]:
    """Metrics, spans, logs and calls of a day; spans and logs lose nothing but what is written twice."""
    calls = day / "metric" / "dependency.csv"
    edges = pl.read_csv(calls).select("Source", "Target").rows() if calls.exists() else []
    return {
        "metrics": pl.concat([_metrics(path) for path in sorted((day / "metric").glob("*_metric.csv"))]),
        "spans": _spans(sorted(day.glob("*trace/*.csv"))),
        "logs": _logs(sorted(day.glob("*log/*.csv"))),
        "calls": pairs([(a, b) for a, b in edges]),
    }


def service_of(pod: str) -> str:
    return _SUFFIX.sub("", pod)


def _service(column: str) -> pl.Expr:
    return pl.col(column).str.replace(_SUFFIX.pattern, "").alias("service")


def _metrics(path: Path) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema_length=None)
    values = [column for column in frame.columns if column not in _IDENTIFYING]
    long = frame.select(
        "TimeStamp", _service("PodName"), *(pl.col(value).cast(pl.Float64, strict=False) for value in values)
    )
    long = long.unpivot(index=["TimeStamp", "service"], variable_name="metric", value_name="value").drop_nulls()
    return table("metrics", long.rename({"TimeStamp": "timestamp"}).to_dict())


def _spans(paths: list[Path]) -> pl.DataFrame:
    frame = pl.concat([pl.read_csv(path, infer_schema_length=0) for path in paths]).unique(
        ["TraceID", "SpanID"], keep="first", maintain_order=True
    )
    return table(
        "spans",
        frame.select(
            trace_id="TraceID",
            span_id="SpanID",
            parent_span_id=pl.when(pl.col("ParentID") != "root").then("ParentID"),
            service=_service("PodName"),
            name="OperationName",
            start_time=pl.col("StartTimeUnixNano").cast(pl.Float64) / 1e9,
            duration_us=pl.col("Duration").cast(pl.Float64, strict=False),
        ).to_dict(),
    )


def _logs(paths: list[Path]) -> pl.DataFrame:
    frame = pl.concat([_read_quoted(path) for path in paths]).unique(maintain_order=True)
    message = pl.col("Log").str.json_path_match("$.log").fill_null(pl.col("Log"))
    return table(
        "logs",
        frame.select(
            timestamp=pl.col("TimeUnixNano").cast(pl.Float64) / 1e9,
            service=_service("PodName"),
            severity=message.str.extract(r"\b(TRACE|DEBUG|INFO|WARN|ERROR|FATAL|info|warning|error)\b"),
            body=message,
        ).to_dict(),
    )


def _read_quoted(path: Path) -> pl.DataFrame:
    """A file whose last column holds quotes and commas that a strict reader stumbles over."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return pl.DataFrame([row[: len(header)] for row in rows if len(row) >= len(header)], schema=header, orient="row")
