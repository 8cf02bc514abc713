"""Writes infra/grafana/dashboards/*.json: `python -m infra.grafana.generate`.

The files are committed; tests/infra compares them with what this program makes, and runs every query against a real
Prometheus.
"""

from __future__ import annotations

from pathlib import Path

from infra.grafana.incidents import INCIDENTS
from infra.grafana.models import MODELS
from infra.grafana.panels import render
from infra.grafana.pipelines import PIPELINES

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (INCIDENTS, PIPELINES, MODELS)

if __name__ == "__main__":
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(render(dashboard))
