"""Telemetry in: metrics, spans, logs and changes from a source into the lake's incoming zone.

Sources are a directory of CSV or Parquet files, a Prometheus server, and the built-in synthetic shop
(`components.telemetry.shop`). Times are UTC microseconds, durations of spans whole microseconds.
"""
