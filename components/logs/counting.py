"""Lines per five minutes, service, severity and template: what the pipeline keeps of the logs."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from components.logs.layouts import KEYS
from components.logs.masking import shape
from components.logs.mining import template_ids

SLOT = timedelta(minutes=5)
# An example is for reading; the whole line stays in the lake's logs.
_EXAMPLE_CHARS = 1000


def count_lines(logs: pl.DataFrame) -> pl.DataFrame:
    """The rows of the lake's `log_counts` for lines of `logs`, sorted; the order of the lines does not matter.

    A line's template is the shape of its message: a pure function of the line. Where a body is a JSON object,
    its message is the text under the usual key. The example is the slot's first line of the template (by time,
    then text), the trace the first one named.
    """
    trace = pl.col("trace_id") if "trace_id" in logs.columns else pl.lit(None, dtype=pl.String)
    lines = logs.select(
        "timestamp",
        pl.col("timestamp").dt.truncate("5m").alias("slot"),
        pl.col("service").fill_null(""),
        pl.col("severity").fill_null(""),
        pl.col("body").fill_null(""),
        trace.alias("trace_id"),
    )
    lines = lines.with_columns(_with_templates(lines["body"]))
    keys = ["slot", "service", "severity", "template"]
    counted = (
        lines.sort("timestamp", "body", "trace_id", nulls_last=True)
        .group_by(keys, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("body").first().str.head(_EXAMPLE_CHARS).alias("example"),
            pl.col("trace_id").drop_nulls().first(),
        )
    )
    templates = counted.select(pl.col("template").unique())
    named = templates.with_columns(template_ids(templates["template"]))
    result = counted.join(named, on="template", how="left").rename({"slot": "timestamp"})
    result = result.sort("timestamp", "service", "severity", "template_id")
    return result.select("timestamp", "service", "severity", "template_id", "template", "count", "example", "trace_id")


def _with_templates(bodies: pl.Series) -> pl.Series:
    """The template of each line."""
    frame = bodies.to_frame("body")
    if bodies.str.starts_with("{").any():
        found = [pl.col("body").str.json_path_match(f"$['{key}']") for key in KEYS["message"]]
        message = pl.coalesce(*found, pl.col("body"))
        is_object = pl.col("body").str.starts_with("{")
        inside = frame.with_row_index("row").filter(is_object).select("row", message.alias("inside"))
        joined = frame.with_row_index("row").join(inside, on="row", how="left", maintain_order="left")
        frame = joined.select(pl.coalesce("inside", "body").alias("body"))
    return frame.select(shape(pl.col("body")).alias("template")).to_series()
