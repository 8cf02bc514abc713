"""Linking lines to traces: ids that lines carry are kept, missing ones are filled where one trace is likely.

What a statement has to do with a kind of span is learnt from the lines themselves (expectation maximization, Dempster
et al. 1977): how many lines of a template a span of an operation writes, how long after its start and before its end.
Lines that carry their ids and lines with one open trace teach it; lines with several are told apart by it, by the
values that they share with the other lines of a trace (`consistency`), and by that a span does not write a line twice
that others of its kind write once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.candidates import Rows, open_spans
from components.logs.consistency import Consistency

SPAN_COLUMNS = ("trace_id", "service", "start_time", "duration_us")
#: Used where it is there: the operation of a span.
OPTIONAL_SPAN_COLUMNS = ("name",)

#: A missing id is filled in where the most probable trace has at least this probability.
MIN_PROBABILITY = 0.5
# Clocks of a service and its log shipper differ a little; a line may stand just outside its span.
_SLACK_US = 1000
# It hardly changes after the third round; delays are told apart by their power of two up to an hour.
_ROUNDS, _BINS = 4, 32
# Weight of what is not known yet: half a line in every bin.
_PRIOR = 0.5
Floats = npt.NDArray[np.float64]


def link_traces(lines: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`trace_id, trace_probability` for each row of `message, timestamp, service, trace_id` (and `template_id`).

    An id the line carries (in its field, or in its text where a span has that id) has probability 1. Otherwise
    each span of the line's service that is open at the line's time is a candidate, of any service where the
    line names none. Probabilities of spans are summed by trace. Null where no trace reaches MIN_PROBABILITY.
    """
    rows = lines.with_row_index("row").with_columns(_carried(spans))
    spans = _ready(spans)
    timed = rows.filter(pl.col("timestamp").is_not_null())
    line, span = open_spans(timed.drop("row"), spans, _SLACK_US)
    linked = _likely(timed, spans, line, span) if len(line) else _NONE
    known = rows.filter(pl.col("carried").is_not_null()).select(
        "row", pl.col("carried").alias("trace_id"), pl.lit(1.0).alias("trace_probability")
    )
    linked = pl.concat([known, linked.join(known, on="row", how="anti")])
    return rows.select("row").join(linked, on="row", how="left", maintain_order="left").drop("row")


_NONE = pl.DataFrame(schema={"row": pl.UInt32, "trace_id": pl.String, "trace_probability": pl.Float64})


def _carried(spans: pl.DataFrame) -> pl.Expr:
    """The id that a line carries, as the spans write it: hex digits may be in either case."""
    ids = spans.select(id="trace_id", lower=pl.col("trace_id").str.to_lowercase()).drop_nulls().sort("id")
    ids = ids.unique("lower", keep="first", maintain_order=True)
    in_text = pl.col("message").str.to_lowercase().str.extract_all(r"(?-u:\b)[0-9a-f]{16,32}(?-u:\b)")
    known = in_text.list.eval(pl.element().filter(pl.element().is_in(ids["lower"].implode()))).list.first()
    carried = pl.coalesce("trace_id", known)
    return carried.str.to_lowercase().replace_strict(ids["lower"], ids["id"], default=carried).alias("carried")


def _ready(spans: pl.DataFrame) -> pl.DataFrame:
    name = pl.col("name") if "name" in spans.columns else pl.lit("")
    length = pl.col("duration_us").cast(pl.Int64).fill_null(0).clip(lower_bound=0)
    return spans.select("trace_id", "service", "start_time", length, name.fill_null("").alias("name")).drop_nulls()


@dataclass(frozen=True)
class _Pairs:
    """Lines with the spans that may have written them, as numbers; sorted by line."""

    line: Rows
    span: Rows
    kind: Rows  # of template and operation
    spans_of_kind: Floats
    bins: tuple[Rows, Rows]  # of the delay after the start and before the end
    spot: Rows  # of span and template
    width: Floats


def _likely(lines: pl.DataFrame, spans: pl.DataFrame, line: Rows, span: Rows) -> pl.DataFrame:
    """The most probable trace of each row that has one."""
    trace = spans["trace_id"].cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)
    carried = lines["carried"].gather(line)
    # Where a line says its trace, spans of others are out; a line whose trace has no open span teaches nothing.
    possible = ((carried == spans["trace_id"].gather(span)) | carried.is_null()).to_numpy()
    line, span = line[possible], span[possible]
    if not len(line):
        return _NONE
    consistency = Consistency(lines["message"], line, trace[span])
    weights = _weights(_pairs(lines, spans, line, span), consistency)
    by_trace = pl.DataFrame({"line": line, "trace": trace[span], "span": span, "weight": weights})
    summed = by_trace.group_by("line", "trace").agg(pl.col("weight").sum(), pl.col("span").min())
    summed = summed.sort(["line", "weight", "span"], descending=[False, True, False])
    best = summed.unique("line", keep="first", maintain_order=True).filter(pl.col("weight") >= MIN_PROBABILITY)
    return pl.DataFrame(
        [
            lines["row"].gather(best["line"]),
            spans["trace_id"].gather(best["span"]),
            best["weight"].clip(upper_bound=1.0).alias("trace_probability"),
        ]
    )


def _pairs(lines: pl.DataFrame, spans: pl.DataFrame, line: Rows, span: Rows) -> _Pairs:
    template = lines["template_id"] if "template_id" in lines.columns else pl.repeat("", len(lines), eager=True)
    templates = template.fill_null("").rank("dense").to_numpy().astype(np.int64)[line]
    operations = spans.select(pl.struct("service", "name").rank("dense")).to_series().to_numpy().astype(np.int64)
    _, kind = np.unique(np.stack([templates, operations[span]]), axis=1, return_inverse=True)
    _, spot = np.unique(np.stack([templates, span]), axis=1, return_inverse=True)
    count = np.bincount(operations)
    spans_of_kind = np.zeros(kind.max() + 1)
    spans_of_kind[kind] = count[operations[span]]
    at = lines["timestamp"].dt.epoch("us").to_numpy()[line]
    begin, length = spans["start_time"].dt.epoch("us").to_numpy()[span], spans["duration_us"].to_numpy()[span]
    delays = (at - begin, begin + length - at)
    bins = [np.minimum(np.log2(np.maximum(delay, 0) + 1.0), _BINS - 1).astype(np.int64) for delay in delays]
    width = np.exp2(bins[0].astype(np.float64)) * np.exp2(bins[1].astype(np.float64))
    return _Pairs(line, span, kind, spans_of_kind, (bins[0], bins[1]), spot, np.sqrt(width))


def _weights(pairs: _Pairs, consistency: Consistency) -> Floats:
    """How probable each span is for its line; sums to one over the spans of a line."""
    weights = _by_line(1.0 / np.maximum(pairs.width, 1.0), pairs.line)
    for _ in range(_ROUNDS):
        lines_of_kind = np.bincount(pairs.kind, weights)
        likely = (lines_of_kind / pairs.spans_of_kind)[pairs.kind] / pairs.width
        for bins in pairs.bins:
            cells = np.bincount(pairs.kind * _BINS + bins, weights, minlength=len(lines_of_kind) * _BINS)
            likely *= (cells[pairs.kind * _BINS + bins] + _PRIOR) / (lines_of_kind[pairs.kind] + _PRIOR * _BINS)
        weights = _by_line(likely * consistency.scores(weights), pairs.line)
        usual = np.maximum(1.0, lines_of_kind / pairs.spans_of_kind)[pairs.kind]
        for _ in range(_ROUNDS):
            written = np.bincount(pairs.spot, weights)[pairs.spot]
            weights = _by_line(weights * np.minimum(1.0, usual / written), pairs.line)
    return weights


def _by_line(weights: Floats, line: Rows) -> Floats:
    shares: Floats = weights / np.maximum(np.bincount(line, weights), 1e-300)[line]
    return shares
