"""The steps of the logs domain."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from components.core import storage
from components.core.lake import Lake
from components.core.settings import settings
from components.core.step import StepIO
from components.core.times import TIME_DTYPE, Window, floor, iso, merge, parse_instant, subtract
from components.logs.archive import account_of, written_blocks
from components.logs.blocks import plan_blocks
from components.logs.change import compare_windows
from components.logs.counting import SLOT, count_lines
from components.logs.kafka import spool_topic
from components.logs.movement import HISTORY, moving_series
from components.logs.specs import CollectParams, MineParams
from components.logs.states import merge_states, state_of
from components.logs.surges import find_surges

_SURPRISES = 5
_BAD = ("ERROR", "FATAL", "CRITICAL", "SEVERE", "ALERT", "EMERG", "PANIC")


def mine(io: StepIO, params: MineParams) -> dict[str, Any]:
    """Count the lines of every window that the logs cover and `log_counts` does not yet.

    The summary speaks of the time before `as_of`, not of what this run did, so that a retry says the same.
    """
    lake = io.lake()
    as_of = parse_instant(params.as_of) if params.as_of else lake.watermark("metrics") or lake.watermark("logs")
    for gap in _gaps(lake, as_of, params.lookback_h) if as_of else []:
        counts = count_lines(lake.read("logs", gap))
        lake.write_window("log_counts", counts, gap, producer=io.producer, params=io.params)
    _write_changes(io, lake, params)
    mined = {"as_of": iso(as_of) if as_of else None} | _recent(lake, as_of, params.compared_h, params.max_p_value)
    io.write_json("mined", mined)
    return mined


def collect(io: StepIO, params: CollectParams) -> dict[str, Any]:
    """Archive the blocks of the folder that are not archived yet.

    The summary speaks of the whole archive, not of what this run did, so that a retry says the same.
    """
    archive = storage.join(io.lake().uri, "log_archive")
    folder = params.folder or settings().log_files
    if folder:
        _extend(archive, Path(folder), params)
    accounts = [account_of(archive, name) for name in written_blocks(archive)]
    state = merge_states(map(state_of, accounts))
    often = sorted(state.items(), key=lambda item: (-item[1][1], item[0]))[:_SURPRISES]
    collected = {
        "blocks": len(accounts),
        "lines": sum(account["lines"] for account in accounts),
        "templates": len(state),
        "most_frequent": [{"template_id": name, "template": text, "count": count} for name, (text, count) in often],
    }
    io.write_json("collected", collected)
    return collected


def _extend(archive: str, folder: Path, params: CollectParams) -> None:
    if params.kafka:
        servers, topic = params.kafka.split("/")
        folder.mkdir(parents=True, exist_ok=True)
        spool_topic(servers, topic, folder)
    blocks = plan_blocks(folder, written_blocks(archive), int(params.block_mb * 1_000_000))
    if storage.is_s3(archive):
        storage.keep_days(archive, params.hot_days, params.kept_days)
    if blocks:
        # Not at the top: Beam takes seconds, and most runs find nothing new.
        from components.logs.pipeline import run_pipeline

        run_pipeline(blocks, str(folder), archive, params.year, params.beam)


def _write_changes(io: StepIO, lake: Lake, params: MineParams) -> None:
    """Compare every counted slot that was not compared yet with the hours before it."""
    covered, compared = lake.coverage("log_counts"), timedelta(hours=params.compared_h)
    for part in covered:
        for gap in lake.gaps("log_changes", part):
            counts = lake.scan("log_counts", Window(gap.start - compared, gap.end)).collect()
            found = find_surges(counts, gap, covered, compared, params.max_p_value)
            found = found.with_columns(moving_series(found, counts, _metrics(lake, found)))
            lake.write_window("log_changes", found, gap, producer=io.producer, params=io.params)


def _metrics(lake: Lake, surges: pl.DataFrame) -> pl.DataFrame:
    """The metrics of the services whose lines surged, as far as they may have moved with them."""
    services = surges["service"].unique().to_list()
    near = merge(Window(time - HISTORY, time + SLOT) for time in surges["timestamp"].unique())
    parts = [lake.scan("metrics", window).filter(pl.col("service").is_in(services)) for window in near]
    columns: dict[str, Any] = {
        "timestamp": TIME_DTYPE, "service": pl.String, "metric": pl.String, "value": pl.Float64
    }  # fmt: skip
    return pl.concat([pl.LazyFrame(schema=columns), *(part.select(list(columns)) for part in parts)]).collect()


def _gaps(lake: Lake, as_of: datetime, lookback_h: float) -> list[Window]:
    """Windows to count: whole five minutes that the logs cover, within one day each, oldest first.

    A slot that the logs begin in is counted, one that they end in waits for its rest.
    """
    end = floor(as_of, SLOT)
    window = Window(floor(end - timedelta(hours=lookback_h), SLOT), end)
    covered = [Window(floor(part.start, SLOT), max(floor(part.start, SLOT), floor(part.end, SLOT)))
               for part in lake.coverage("logs")]  # fmt: skip
    uncovered = subtract(window, covered)
    open_parts = subtract(window, merge([*uncovered, *lake.coverage("log_counts")]))
    return [piece for part in open_parts for piece in part.split_by_day()]


def _recent(lake: Lake, as_of: datetime | None, compared_h: float, max_p_value: float) -> dict[str, Any]:
    """What was counted lately, and the error templates of its newest 24th part that are least likely after the rest."""
    covered = _until(lake, as_of) if as_of else []
    if not covered:
        return {"lines": 0, "templates": 0, "surprising": []}
    end = covered[-1].end
    after = Window(end - timedelta(hours=compared_h / 24), end)
    before = Window(max(after.start - timedelta(hours=compared_h), min(covered[0].start, after.start)), after.start)
    recent = lake.scan("log_counts", Window(before.start, end)).collect()
    return {
        "lines": int(recent["count"].sum()),
        "templates": recent["template_id"].n_unique(),
        "surprising": _surprises(recent, before, after, max_p_value) if before.length else [],
    }


def _until(lake: Lake, as_of: datetime) -> list[Window]:
    """The windows counted before `as_of`."""
    return [Window(part.start, min(part.end, as_of)) for part in lake.coverage("log_counts") if part.start < as_of]


def _surprises(recent: pl.DataFrame, before: Window, after: Window, max_p_value: float) -> list[dict[str, Any]]:
    severity = pl.col("severity").str.to_uppercase()
    errors = recent.filter(severity.str.starts_with("ERR") | severity.is_in(_BAD))
    is_new = pl.col("timestamp") >= after.start
    hours = [window.length.total_seconds() / 3600 for window in (before, after)]
    changes = compare_windows(errors.filter(~is_new), errors.filter(is_new), hours[0], hours[1], max_p_value)
    risen = changes.filter(pl.col("change").is_in(["new", "multiplied"])).head(_SURPRISES)
    first = errors.filter(is_new).sort("timestamp", "service", "severity").group_by("template_id", maintain_order=True)
    told = risen.join(
        first.agg(pl.col("service", "example").first()), on="template_id", how="left", maintain_order="left"
    )
    return told.select(
        "change", "service", "template_id", "template", "before", "after", "p_value", "example"
    ).to_dicts()
