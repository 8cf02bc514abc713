"""TVDiag: alerts alone, already extracted from metrics, traces and logs of three systems."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from components.rootcause.case import Case, Incident
from tests.benchmarks.rootcause.labelled import Labelled, instant, pairs, table

SYSTEMS = ("gaia", "hotel", "sockshop")
_KINDS = {
    "[memory_anomalies]": {"memory"},
    "[login failure]": {"error", "code", "latency"},
    "[file moving program]": {"disk"},
    "[normal memory freed label]": {"memory"},
    "cpu": {"cpu"},
    "memory": {"memory"},
    "network-delay": {"network", "latency"},
    "network-loss": {"network", "latency"},
    "network-corrupt": {"network", "latency"},
}


def incidents(root: Path) -> list[Labelled]:
    found = []
    for system in SYSTEMS:
        folder = root / "tvdiag_events" / system
        parts = {
            name: json.loads((folder / f"{name}.json").read_text())
            for name in ("metrics", "logs", "traces", "nodes", "edges")
        }
        with (folder / "label.csv").open() as file:
            for row in csv.DictReader(file):
                found.append(_incident(system, row, {name: part.get(row["index"], []) for name, part in parts.items()}))
    return found


def _incident(system: str, row: dict[str, str], part: dict[str, list[list[str]]]) -> Labelled:
    alerts = [(item[0], "metric", item[-2], item[-1], None) for item in part["metrics"]]
    alerts += [(service, "log", template, "", None) for service, template in part["logs"]]
    alerts += [(caller, "trace", operation, what, callee) for caller, callee, operation, what in part["traces"]]
    names = part["nodes"]
    columns = list(zip(*alerts, strict=True)) or [()] * 5
    case = Case(
        Incident(instant(1_600_000_000)),
        alerts=table("alerts", dict(zip(("service", "signal", "name", "direction", "peer"), columns, strict=True))),
        calls=pairs([(names[a], names[b]) for a, b in part["edges"] if a != b]),  # type: ignore[call-overload]
    )
    kinds = frozenset(_KINDS.get(row["anomaly_type"], ()))
    return Labelled(f"tvdiag {system}", row["index"], case, row["instance"], kinds)
