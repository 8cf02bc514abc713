"""From findings to one incident an on-call engineer can act on: correlation, alerts, the console.

An *event* is a run of anomalous five-minute rows of one series. Events that overlap in time and touch in the
call graph are one *incident*; so is a failure that is forecast with enough probability. An incident is
`open` until its series have been quiet for half an hour (or the forecast has withdrawn), then `resolved`.
Its id is a hash of what started it, so a later look at the same telemetry finds the same incident.

Severities are `critical` (callers notice: errors, latency, traffic; or a failure within a day) and `warning`.
"""
