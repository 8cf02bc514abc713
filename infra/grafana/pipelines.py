"""Whether telemetry comes in, is validated and scored in time."""

from __future__ import annotations

from infra.grafana.panels import Dashboard, Panel, stat

PIPELINES = Dashboard(
    "traceo-pipelines",
    "Traceo / Pipelines",
    "Whether telemetry comes in, is validated and scored in time.",
    [
        [
            stat("Telemetry is old by", 'max(table:traceo_lake_age_seconds:now{table="metrics"})', "s", 900),
            stat(
                "Incidents last looked for",
                'max(table:traceo_lake_snapshot_age_seconds:now{table="incidents"})',
                "s",
                1800,
            ),
            stat("Waiting for validation", 'sum(max by (table) (traceo_lake_partitions{zone="incoming"}))'),
            stat("In quarantine", 'sum(max by (table) (traceo_lake_partitions{zone="quarantined"}))', red_from=1),
            stat("Servers up", 'count(up{job=~"traceo-.*"} == 1)'),
        ],
        [
            Panel("Age of each table", [("table:traceo_lake_age_seconds:now", "{{table}}")], unit="s"),
            Panel(
                "Age of the newest findings", [("table:traceo_lake_snapshot_age_seconds:now", "{{table}}")], unit="s"
            ),
        ],
        [
            Panel("Rows of the last day", [("max by (table) (traceo_lake_recent_rows)", "{{table}}")], "bargauge"),
            Panel("Partitions refused", [('max by (table) (traceo_lake_partitions{zone="quarantined"})', "{{table}}")]),
        ],
        [
            Panel(
                "Time since each task ended well",
                [("sort_desc(dag_task:traceo_task_age_seconds:now)", "{{dag}} {{task}}")],
                "table",
                "s",
            ),
            Panel(
                "From due to done",
                [("max by (dag, task) (traceo_task_completion_delay_seconds)", "{{dag}} {{task}}")],
                unit="s",
                text="From when a run was due until the task left its artifacts.",
            ),
        ],
        [
            Panel(
                "Log records received",
                [("sum(rate(traceo_receiver_records_total[$__rate_interval]))", "records/s")],
                unit="reqps",
            ),
            Panel(
                "Log receiver's answers",
                [("sum by (status) (rate(traceo_receiver_requests_total[$__rate_interval]))", "{{status}}")],
                unit="reqps",
            ),
            Panel(
                "Log spool",
                [
                    ("max(traceo_receiver_spool_bytes)", "used"),
                    ("max(traceo_receiver_spool_limit_bytes)", "limit"),
                ],
                unit="bytes",
            ),
        ],
        [
            Panel(
                "Console: time to read a source",
                [("max by (source) (traceo_collector_duration_seconds)", "{{source}}")],
                unit="s",
            ),
            Panel(
                "Console: sources that failed",
                [("sum by (source) (increase(traceo_collector_errors_total[$__rate_interval]))", "{{source}}")],
            ),
        ],
    ],
)
