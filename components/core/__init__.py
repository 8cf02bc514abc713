"""What every component shares: the step contract, artifacts, the lake, settings, tracking, errors.

A *step* is a plain function with a `Spec` (its interface: parameters, inputs, outputs). One command line
runs every step the same way, whatever launches it:

    python -m components.anomaly score --lake URI --params '{"as_of": "2026-01-31T00:00:00Z"}'

Modules, from the ground up: `errors`, `times`, `schema`, `storage`, `settings`, `artifact`, `lake`,
`catalog`, `spec`, `step`, `tracking`, `inference`, `verdict`, `launch`.

Conventions that hold everywhere: time is UTC with microseconds; a window is half-open `[start, end)`;
an anomaly score above 1 means anomaly; names carry their unit (`latency_ms`, `window_s`).
"""
