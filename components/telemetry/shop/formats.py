"""How each service of the synthetic shop logs: access log, JSON, Spring, logfmt, Python, Redis, PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

FORMAT_OF: Mapping[str, str] = {
    "frontend": "access",
    "cart": "json",
    "checkout": "spring",
    "payment": "logfmt",
    "catalogue": "spring",
    "search": "json",
    "shipping": "python",
    "email": "python",
    "cache": "redis",
    "queue": "logfmt",
    "orders-db": "postgres",
    "catalogue-db": "postgres",
}


def format_bodies(lines: pl.DataFrame) -> pl.DataFrame:
    """Add `body`; needs timestamp, service, severity, message, trace_id, span_id and draw."""
    parts = []
    for style, expression in _STYLES.items():
        services = [service for service, chosen in FORMAT_OF.items() if chosen == style]
        parts.append(lines.filter(pl.col("service").is_in(services)).with_columns(expression.alias("body")))
    return pl.concat(parts)


_MESSAGE, _SEVERITY = pl.col("message"), pl.col("severity")
_LEVEL = _SEVERITY.str.to_lowercase()
_ISO = pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
_PLAIN = pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S%.3f")
_WORKER = (pl.col("draw") // 19 % 16 + 1).cast(pl.String)
_QUOTED = _MESSAGE.str.replace_all("\n", "\\n", literal=True).str.replace_all("\t", "\\t", literal=True)
_TRACED = pl.col("trace_id") != ""

_STYLES: Mapping[str, pl.Expr] = {
    # Requests carry their own access line; other lines are those of the proxy's error log.
    "access": pl.when(_MESSAGE.str.starts_with("10."))
    .then(_MESSAGE)
    .otherwise(
        pl.concat_str(
            pl.col("timestamp").dt.strftime("%Y/%m/%d %H:%M:%S"), pl.lit(" ["), _LEVEL, pl.lit("] "), _MESSAGE
        )
    ),
    "json": pl.concat_str(
        pl.lit('{"time":"'),
        _ISO,
        pl.lit('","level":"'),
        _LEVEL,
        pl.lit('","service":"'),
        pl.col("service"),
        pl.lit('","msg":"'),
        _QUOTED,
        pl.lit('"'),
        pl.when(_TRACED)
        .then(pl.concat_str(pl.lit(',"trace_id":"'), pl.col("trace_id"), pl.lit('"')))
        .otherwise(pl.lit("")),
        pl.lit("}"),
    ),
    "spring": pl.concat_str(
        _PLAIN,
        pl.lit(" "),
        _SEVERITY.replace("WARNING", "WARN").str.pad_start(5),
        pl.lit(" ["),
        pl.col("service"),
        pl.lit(","),
        pl.col("trace_id"),
        pl.lit(","),
        pl.col("span_id"),
        pl.lit("] 1 --- [nio-8080-exec-"),
        _WORKER,
        pl.lit("] com.shop."),
        pl.col("service"),
        pl.lit(".Service : "),
        _MESSAGE,
    ),
    "logfmt": pl.concat_str(
        pl.lit("ts="),
        _ISO,
        pl.lit(" level="),
        _LEVEL.replace("warning", "warn"),
        pl.lit(' msg="'),
        _QUOTED,
        pl.lit('"'),
        pl.when(_TRACED).then(pl.concat_str(pl.lit(" trace_id="), pl.col("trace_id"))).otherwise(pl.lit("")),
    ),
    "python": pl.concat_str(
        pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S,%3f"),
        pl.lit(" "),
        _SEVERITY,
        pl.lit(" "),
        pl.col("service"),
        pl.lit(".worker-"),
        _WORKER,
        pl.lit(": "),
        _MESSAGE,
    ),
    "redis": pl.concat_str(
        pl.lit("1:M "),
        pl.col("timestamp").dt.strftime("%d %b %Y %H:%M:%S%.3f"),
        _SEVERITY.replace_strict({"WARNING": " # ", "ERROR": " # "}, default=" * "),
        _MESSAGE,
    ),
    "postgres": pl.concat_str(
        _PLAIN,
        pl.lit(" UTC ["),
        (pl.col("draw") // 23 % 900 + 100).cast(pl.String),
        pl.lit("] "),
        _SEVERITY.replace({"INFO": "LOG"}),
        pl.lit(":  "),
        _MESSAGE,
    ),
}
