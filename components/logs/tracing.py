"""Linking lines to traces: ids that lines carry are kept, missing ones are filled where one trace is likely."""

from __future__ import annotations

import polars as pl

SPAN_COLUMNS = ("trace_id", "service", "start_time", "duration_us")

#: A missing id is filled in where the most probable trace has at least this probability.
MIN_PROBABILITY = 0.5
# Clocks of a service and its log shipper differ a little; a line may stand just outside its span.
_SLACK_US = 1000


def link_traces(lines: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`trace_id, trace_probability` for each row of `message, timestamp, service, trace_id`.

    An id the line carries (in its field, or in its text where a span has that id) has probability 1. Otherwise
    each span of the line's service that is open at the line's time is a candidate, of any service where the
    line names none. A span writes its lines somewhere between its start and end, so a candidate weighs one over
    its length; weights are summed by trace and normalized. Null where no trace reaches MIN_PROBABILITY.
    """
    rows = lines.with_row_index("row").with_columns(_carried(spans))
    known = rows.filter(pl.col("carried").is_not_null()).select(
        "row", pl.col("carried").alias("trace_id"), pl.lit(1.0).alias("trace_probability")
    )
    asking = rows.filter(pl.col("carried").is_null(), pl.col("timestamp").is_not_null())
    with_service = asking.filter(pl.col("service").is_not_null())
    without = asking.filter(pl.col("service").is_null())
    open_spans = _open_spans(spans)
    likely = [_likely(with_service, open_spans, ["service"]), _likely(without, open_spans, [])]
    linked = pl.concat([known, *likely])
    return rows.select("row").join(linked, on="row", how="left").sort("row").drop("row")


def _carried(spans: pl.DataFrame) -> pl.Expr:
    ids = spans["trace_id"].drop_nulls().unique().implode()
    in_text = pl.col("message").str.extract_all(r"(?-u:\b)[0-9a-fA-F]{16,32}(?-u:\b)")
    known = in_text.list.eval(pl.element().filter(pl.element().is_in(ids))).list.first()
    return pl.coalesce("trace_id", known).alias("carried")


def _open_spans(spans: pl.DataFrame) -> pl.DataFrame:
    length = pl.col("duration_us").cast(pl.Int64).fill_null(0).clip(lower_bound=0)
    return spans.select(
        "service",
        pl.col("trace_id").alias("candidate"),
        (pl.col("start_time") - pl.duration(microseconds=_SLACK_US)).alias("opened"),
        (pl.col("start_time") + pl.duration(microseconds=length + _SLACK_US)).alias("closed"),
        (1.0 / (length + 2 * _SLACK_US)).alias("weight"),
    ).drop_nulls()


def _likely(lines: pl.DataFrame, spans: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The most probable trace of each line that has one; candidates agree on the columns `by`."""
    pairs = lines.select("row", "timestamp", *by).join_where(
        spans.rename({name: f"{name}_of_span" for name in by}),
        pl.col("opened") <= pl.col("timestamp"),
        pl.col("timestamp") <= pl.col("closed"),
        *[pl.col(name) == pl.col(f"{name}_of_span") for name in by],
    )
    weighed = pairs.group_by("row", "candidate").agg(pl.col("weight").sum())
    best = weighed.with_columns((pl.col("weight") / pl.col("weight").sum().over("row")).alias("trace_probability"))
    best = best.sort(["row", "trace_probability", "candidate"], descending=[False, True, False])
    chosen = best.unique("row", keep="first", maintain_order=True)
    return chosen.filter(pl.col("trace_probability") >= MIN_PROBABILITY).select(
        "row", pl.col("candidate").alias("trace_id"), "trace_probability"
    )
