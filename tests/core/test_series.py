"""The one string for a series."""

from __future__ import annotations

import polars as pl

from components.core.series import series_id, service_and_metric

PAIRS = [("cart", "cpu"), ("ns/job", "cpu"), ("ns", "job/cpu"), ("a%2Fb", "c%/d"), ("a/b", "c"), ("a", "b/c")]


def test_no_two_series_share_a_string_and_each_leads_back() -> None:
    rows = pl.DataFrame(PAIRS, schema=["service", "metric"], orient="row").with_columns(series_id())
    assert rows["series_id"].n_unique() == len(PAIRS)
    assert [service_and_metric(name) for name in rows["series_id"]] == PAIRS
    assert rows["series_id"][0] == "cart/cpu"
