"""Which metrics there are, and which ones a query names."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from fastapi.testclient import TestClient
from prometheus_client.core import Metric

from components.actions.console.metrics import product_registry
from components.core.settings import REPOSITORY, Settings
from components.telemetry.receiver.app import create_app

PROMETHEUS = REPOSITORY / "infra/prometheus"
_OF_PROMETHEUS = {"up"}


def exposed(home: Path) -> set[str]:
    """The names of every series that the console, the log receiver, the model server and Prometheus itself have."""
    return _console(home) | _receiver(home) | _model_server() | _OF_PROMETHEUS


def recorded() -> set[str]:
    """The names that the recording rules add."""
    return {rule["record"] for rule in rules() if "record" in rule}


def rules(folder: Path = PROMETHEUS / "rules") -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def names(query: str) -> set[str]:
    """The metrics that a query names; ValueError where it is no PromQL."""
    return {selector.name for selector in _selectors(promql_parser.parse(query)) if selector.name}


def _selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param")]
    for part in [*parts, *(getattr(node, "args", None) or [])]:
        if part is not None and part is not node:
            yield from _selectors(part)


def _console(home: Path) -> set[str]:
    families: list[Metric] = list(product_registry(Settings(home=str(home)), wait_s=120).collect())
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def _receiver(home: Path) -> set[str]:
    text = TestClient(create_app(Settings(home=str(home))), base_url="http://127.0.0.1").get("/metrics").text
    return {line.partition("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")}


def _model_server() -> set[str]:
    # Read, not imported: importing KServe takes seconds.
    found = importlib.util.find_spec("kserve")
    assert found is not None
    assert found.submodule_search_locations
    source = Path(found.submodule_search_locations[0], "metrics.py").read_text()
    histograms = re.findall(r'Histogram\(\s*"(\w+)"', source)
    assert "request_predict_seconds" in histograms
    return {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
