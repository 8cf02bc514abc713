"""Which models are in charge, whether their world has moved, and how they answer."""

from __future__ import annotations

from infra.grafana.panels import Dashboard, Panel, stat

MODELS = Dashboard(
    "traceo-models",
    "Traceo / Models",
    "Which models are in charge, whether their world has moved, and how they answer.",
    [
        [
            stat("Models with a champion", "sum(max by (model) (traceo_model_champion))"),
            stat("Models without", "count(max by (model) (traceo_model_champion) == 0) or vector(0)", red_from=1),
            stat("Drifted series", "max(traceo_drift_share_ratio)", "percentunit", 0.5),
            stat("Since the last promotion", "time() - max(traceo_model_promotion_timestamp_seconds)", "s"),
        ],
        [
            Panel(
                "Aliases",
                [("max by (model, alias, version) (traceo_model_alias_info)", "{{model}}: {{alias}} = {{version}}")],
                "table",
            ),
            Panel(
                "Last decisions of the gate",
                [
                    (
                        "max by (model, action, verdict) (traceo_model_decision_timestamp_seconds) * 1000",
                        "{{model}}: {{action}}, {{verdict}}",
                    )
                ],
                "table",
                "dateTimeFromNow",
            ),
            Panel("Versions", [("max by (model) (traceo_model_versions)", "{{model}}")]),
        ],
        [
            Panel(
                "Drift",
                [
                    ("max(traceo_drift_share_ratio)", "share of series"),
                    ("max(traceo_drift_threshold_ratio)", "threshold"),
                ],
                unit="percentunit",
                text="Beyond the threshold a retraining is started.",
            ),
            Panel("Requests", [("model:request_predict_seconds:rate5m", "{{model_name}}")], unit="reqps"),
            Panel(
                "Requests that were not answered",
                [("model:request_failures:ratio_rate5m", "{{model_name}}")],
                unit="percentunit",
                red_from=0.01,
                text="Predicted without an answer; bad input counts, too.",
            ),
        ],
        [
            Panel(
                "Time to predict",
                [
                    (
                        f"histogram_quantile({q}, sum by (model_name, le) "
                        "(rate(request_predict_seconds_bucket[$__rate_interval])))",
                        f"{{{{model_name}}}} p{q * 100:.0f}",
                    )
                    for q in (0.5, 0.95, 0.99)
                ],
                unit="s",
            ),
            Panel(
                "Answers that come too late",
                [("model:request_slow:ratio_rate5m", "{{model_name}}")],
                unit="percentunit",
                red_from=0.01,
                text="Anomalies after 100 ms, forecasts after 2.5 s.",
            ),
        ],
    ],
)
