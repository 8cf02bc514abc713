"""One string for a series: `<service>/<metric>`; a slash within the service is escaped, so that no two are one."""

from __future__ import annotations

import polars as pl


def series_id() -> pl.Expr:
    """The expression `series_id` of rows with `service` and `metric`."""
    service = pl.col("service").str.replace_all("%", "%25", literal=True).str.replace_all("/", "%2F", literal=True)
    return pl.concat_str(service, "metric", separator="/").alias("series_id")


def service_and_metric(name: str) -> tuple[str, str]:
    """The inverse of `series_id` for one string."""
    service, _, metric = name.partition("/")
    return service.replace("%2F", "/").replace("%25", "%"), metric
