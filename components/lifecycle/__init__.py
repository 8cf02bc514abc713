"""Models from training to service: registered, judged, promoted, and every decision on record.

A trained model becomes a version in MLflow with the alias `challenger`; the hours that its training never saw
(the holdout) are stored with its run. The gate compares it, series by series, with the naive baseline and with
the `champion` of the day on those hours; only a significant improvement moves the alias `champion`. Each decision
is one row of an append-only ledger under `<home>/ledger/`, chained by hashes.

Effects are oriented so that positive means: the challenger is better, whatever the metric's direction. Outcomes:
PASS (better than the baseline and, where there is one, the champion), MARGINAL (better on average, but within
chance), FAIL (not better), INCONCLUSIVE (too few series, or nothing to tell apart).

`ledger.champion_at(home, model, instant)` answers which version was in charge; `ledger.verify(home)` whether a row
was altered or removed.
"""
