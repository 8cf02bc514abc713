"""Templates that are new, vanished or multiplied between two windows, with a test against chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

KEY = ("template_id", "template")
#: A rate must change by this factor to be worth a word, however sure the change is.
MIN_FACTOR = 2.0


def compare_windows(
    before: pl.DataFrame, after: pl.DataFrame, before_h: float, after_h: float, max_p_value: float
) -> pl.DataFrame:
    """The templates whose rate changed, the least likely first.

    before, after: `template_id, template, count` (rows of one template are added up), of windows `before_h` and
    `after_h` hours long. Returned: `template_id, template, change, before, after, factor, p_value`; `change` is
    new, vanished, multiplied or thinned, `factor` the rate after over the rate before (infinite for a new one).

    The test is the exact conditional one of two Poisson rates: of all the lines of a template, those after are
    binomial with the share of the time after. Its two-sided p-values are corrected for the number of templates
    (Benjamini and Hochberg 1995); those above `max_p_value` are left out. Lines that come in bursts are less
    surprising than the test says, which is why a change below MIN_FACTOR is never reported.
    """
    counts = [frame.group_by(KEY).agg(pl.col("count").sum().cast(pl.Int64).alias(name)) for frame, name in
              ((before, "before"), (after, "after"))]  # fmt: skip
    joined = counts[0].join(counts[1], on=list(KEY), how="full", coalesce=True).fill_null(0)
    joined = joined.filter(pl.col("before") + pl.col("after") > 0).sort("template_id", "template")
    p_values = _rate_test(joined["before"].to_numpy(), joined["after"].to_numpy(), after_h / (before_h + after_h))
    factor = (pl.col("after") / after_h) / (pl.col("before") / before_h)
    tested = joined.with_columns(factor.alias("factor"), pl.Series("p_value", _corrected(p_values), dtype=pl.Float64))
    found = tested.with_columns(_kind().alias("change"))
    large = (pl.col("factor") >= MIN_FACTOR) | (pl.col("factor") <= 1 / MIN_FACTOR)
    columns = [*KEY, "change", "before", "after", "factor", "p_value"]
    return found.filter(large, pl.col("p_value") <= max_p_value).sort(["p_value", "template_id"]).select(columns)


def _kind() -> pl.Expr:
    return (
        pl.when(pl.col("before") == 0)
        .then(pl.lit("new"))
        .when(pl.col("after") == 0)
        .then(pl.lit("vanished"))
        .when(pl.col("factor") > 1)
        .then(pl.lit("multiplied"))
        .otherwise(pl.lit("thinned"))
    )


def _rate_test(before: npt.NDArray[np.int64], after: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.float64]:
    """Two-sided p-value of `after` among `before + after` lines where each is after with probability `share`."""
    from scipy.special import bdtr, bdtrc

    total = before + after
    tail = np.minimum(bdtr(after, total, share), bdtrc(after - 1, total, share))
    p_values: npt.NDArray[np.float64] = np.minimum(1.0, 2.0 * tail)
    return p_values


def _corrected(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Benjamini-Hochberg: each p-value times (tests / rank), made monotone from the largest down."""
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * count / np.arange(1, count + 1)
    corrected = np.empty(count)
    corrected[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return corrected
