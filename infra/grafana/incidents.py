"""What is wrong in the systems that Traceo watches, and what will be."""

from __future__ import annotations

from infra.grafana.panels import Dashboard, Panel, stat

_FAILURES = 'sort_desc(max by (service, metric) (traceo_forecast_failure_probability_ratio{horizon="168h"}))'

INCIDENTS = Dashboard(
    "traceo-incidents",
    "Traceo / Incidents",
    "What is wrong in the systems that Traceo watches, and what will be.",
    [
        [
            stat(
                "Open, critical",
                'max(sum without (kind) (traceo_incidents{status="open", severity="critical"}))',
                red_from=1,
            ),
            stat("Open, warning", 'max(sum without (kind) (traceo_incidents{status="open", severity="warning"}))'),
            stat("Series abnormal now", "sum(max by (service) (traceo_anomalous_series))"),
            stat("Longest open incident", "time() - max(traceo_incident_oldest_open_timestamp_seconds)", "s"),
            stat("Alerts not delivered", 'max(traceo_incident_alerts{delivered="false"})', red_from=1),
        ],
        [
            Panel(
                "Open incidents",
                [('max by (kind, severity) (traceo_incidents{status="open"})', "{{kind}}, {{severity}}")],
                stacked=True,
            ),
            Panel(
                "First causes",
                [
                    (
                        "sort_desc(max by (service, cause_kind) (traceo_incident_first_causes))",
                        "{{service}}: {{cause_kind}}",
                    )
                ],
                "bargauge",
                text="What ranks first among an incident's causes, over all incidents that are kept.",
            ),
        ],
        [
            Panel(
                "Abnormal series by service",
                [("max by (service) (traceo_anomalous_series)", "{{service}}")],
                stacked=True,
            ),
            Panel(
                "Share of series that are abnormal",
                [("sum(max by (service) (traceo_anomalous_series)) / max(traceo_scored_series)", "abnormal")],
                unit="percentunit",
            ),
        ],
        [
            Panel(
                "Likeliest failures within 7 days",
                [
                    (
                        _FAILURES,
                        "{{service}} {{metric}}",
                    )
                ],
                "bargauge",
                "percentunit",
                red_from=0.7,
            ),
            Panel(
                "Time left until the limit",
                [
                    (
                        "sort(max by (service, metric) (traceo_forecast_limit_timestamp_seconds) - time())",
                        "{{service}} {{metric}}",
                    )
                ],
                "table",
                "s",
                text="In the median forecast; below zero: it has passed.",
            ),
            Panel(
                "Series with a limit",
                [("max by (state) (traceo_forecast_series)", "{{state}}")],
                stacked=True,
                text="ahead: the limit is not reached yet; abstained: too little is known to forecast.",
            ),
        ],
    ],
)
