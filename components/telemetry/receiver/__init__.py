"""The log endpoint: takes what Fluent Bit's `http` output sends and keeps it until the next ingest.

    python -m components.telemetry.receiver        POST /logs, GET /healthz, GET /metrics

`records` reads a request's records and maps them to the table `logs`, `spool` keeps them on disk, `app` has the
routes, and `components.telemetry.received` takes them from the spool into the lake.

What is promised: a request is answered with 2xx only after its records are on disk (fsync), so Fluent Bit, which
repeats everything else, loses nothing. A repeated request (the same bytes once decompressed) counts once, whether it
comes before or up to a day after the first one was taken into the lake; two chunks that are equal to the byte, times
and pods included, are taken for one.
"""
