"""Anomaly detection: what is abnormal right now, and why.

A detector learns from history what normal looks like, then gives every row a score: 0 is normal, more
than 1 is an anomaly, whatever the detector. The score divides a detector's own surprise by a threshold
that a tail model puts where history would have raised `expected_false_events_per_week` alarms. A score
never depends on later rows. Before there is enough history a detector abstains: score 0.

Words used throughout: a *panel* is one or more series on common instants (rows by columns, missing values
NaN); a *channel* is one direction of surprise of one column (a rise, a fall); an *event* is a run of
anomalous rows with short pauses joined. Times are microseconds since the Unix epoch, UTC.

`detectors/` holds one file per detector, found by name; `detector.py` the interface they share. `stream.py` scores
rows as they come; `feedback.py` turns what people said of alarms into a knob per series.
"""
