"""A small world in which every step of the product runs once, after the steps whose artifacts it needs.

Ten days of the synthetic shop, one folder per step, tracking in a database of its own. A step that is
discovered but not listed in CHAIN makes `test_every_step_is_in_the_chain` fail.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core import step
from components.core.spec import Port, Spec, specs

ANCHOR = "2026-03-10T00:00:00Z"
#: More than a week, so that weekly seasons can be learnt.
DAYS = 10
#: What differs between two runs by nature: MLflow names each run anew, a report tells when it was built,
#: and elapsed time is a measurement.
UNSTABLE_KEYS = {"mlflow_run_id", "run_id", "elapsed_ms", "elapsed_s", "seconds"}


@dataclass(frozen=True)
class Link:
    """One step of the chain: its label, its parameters, and which earlier label feeds which input."""

    label: str
    spec: str
    params: Mapping[str, Any] = field(default_factory=dict)
    uses: Mapping[str, str] = field(default_factory=dict)


def _model_links(domain: str, training: Mapping[str, str]) -> list[Link]:
    model = f"traceo-{domain}"
    trained = dict.fromkeys(("model", "holdout", "training"), f"{domain}.train")
    fetched = dict.fromkeys(("champion", "challenger", "holdout"), f"fetch.{domain}")
    candidates = f"fetch.{domain}"
    return [
        Link(f"{domain}.train", f"{domain}.train", {"history_days": 30, "holdout_h": 24}, training),
        Link(f"register.{domain}", "lifecycle.register", uses=trained),
        Link(f"fetch.{domain}", "lifecycle.fetch", {"model": model}),
        Link(f"{domain}.evaluate", f"{domain}.evaluate", uses=fetched),
        Link(f"gate.{domain}", "lifecycle.gate", uses={"evaluation": f"{domain}.evaluate", "candidates": candidates}),
        Link(
            f"promote.{domain}",
            "lifecycle.promote",
            {"decided_at": ANCHOR},
            uses={"verdict": f"gate.{domain}", "candidates": candidates},
        ),
    ]


CHAIN = [
    Link(
        "telemetry.ingest",
        "telemetry.ingest",
        {"source": f"shop://?seed=3&anchor={ANCHOR}", "days": DAYS, "end": ANCHOR},
    ),
    Link("quality.validate", "quality.validate"),
    Link("features.build", "features.build"),
    Link("features.training_set", "features.training_set"),
    *_model_links("anomaly", {"training_set": "features.training_set"}),
    *_model_links("forecasting", {}),
    Link("features.online", "features.online"),
    Link("anomaly.score", "anomaly.score", uses={"online_features": "features.online"}),
    Link("forecasting.predict", "forecasting.predict"),
    Link("logs.mine", "logs.mine", {"lookback_h": 24 * DAYS}),
    Link("logs.collect", "logs.collect"),
    Link("actions.correlate", "actions.correlate"),
    Link("rootcause.diagnose", "rootcause.diagnose"),
    Link("actions.alert", "actions.alert"),
    Link("quality.drift", "quality.drift", {"as_of": ANCHOR}),
    Link("notebook.exploring_the_lake", "notebook.exploring_the_lake", {"days": 3}),
    Link("notebook.choosing_a_detector", "notebook.choosing_a_detector", {"days": 5, "trials": 3}),
    Link("notebook.backtesting_a_forecast", "notebook.backtesting_a_forecast"),
    Link("notebook.walking_through_an_incident", "notebook.walking_through_an_incident"),
    Link("notebook.reading_drift", "notebook.reading_drift", uses={"drift": "quality.drift"}),
]


@dataclass
class World:
    """The folders of one world; `run` runs a link in it.

    `before/<label>` keeps what a link found: the lake (hard links), the MLflow database, the ledger, Feast's files.
    """

    root: Path

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    def uris(self, link: Link, place: Path, lake: Path) -> dict[str, str]:
        """URIs of every port of a link when its outputs go to `place` and its lake is `lake`."""
        spec = find(link.spec)
        found: dict[str, str] = {}
        for port in spec.ports:
            if port.kind == "lake":
                found[port.name] = str(lake)
            elif port in spec.outputs:
                found[port.name] = str(artifact(place, port))
            elif port.name in link.uses:
                found[port.name] = str(artifact(self.root / "runs" / link.uses[port.name], port))
        optional = {port.name for port in spec.inputs if port.optional}
        return {n: uri for n, uri in found.items() if n not in optional or Path(uri + ".meta.json").exists()}

    def params(self, link: Link) -> dict[str, Any]:
        return {**find(link.spec).example, **link.params}

    def keep(self, link: Link) -> None:
        """Keep the state of the world as this link finds it."""
        copy_state(self.root, self.root / "before" / link.label)

    def run(self, link: Link, place: Path | None = None, lake: Path | None = None) -> dict[str, Any]:
        place = place or self.root / "runs" / link.label
        return step.run(find(link.spec), self.uris(link, place, lake or self.lake), self.params(link))


def find(name: str) -> Spec:
    return next(spec for spec in specs(name.split(".")[0]) if spec.name == name)


def artifact(place: Path, port: Port) -> Path:
    return place / port.file


def copy_state(source: Path, target: Path) -> None:
    """Copy the state of a home; MLflow's artifacts stay where they are, their places stand in its database."""
    hard_copy(source / "lake", target / "lake")
    for name in ("ledger", "feast"):
        if (source / name).exists():
            shutil.copytree(source / name, target / name)
    (target / "mlflow").mkdir(parents=True, exist_ok=True)
    if (source / "mlflow" / "mlflow.db").exists():
        shutil.copy(source / "mlflow" / "mlflow.db", target / "mlflow" / "mlflow.db")


def hard_copy(source: Path, target: Path) -> None:
    """Copy a folder by hard links; safe because the lake replaces files and never changes them in place."""
    if source.exists():
        shutil.copytree(source, target, copy_function=os.link)


def fingerprint(root: Path) -> dict[str, str]:
    """sha256 of every file below a folder; JSON without what differs by nature and without the folder's own path."""
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        found[name] = hashlib.sha256(_stable(path)).hexdigest()
    return found


def _stable(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".json":
        return data
    return json.dumps(_without_unstable(json.loads(data)), sort_keys=True).encode()


def _without_unstable(content: Any) -> Any:
    if isinstance(content, dict):
        unstable = {*UNSTABLE_KEYS, "sha256", "bytes"} if UNSTABLE_KEYS & _keys(content) else UNSTABLE_KEYS
        return {k: _without_unstable(v) for k, v in content.items() if k not in unstable and k not in ("report",)}
    return [_without_unstable(item) for item in content] if isinstance(content, list) else content


def _keys(content: Any) -> set[str]:
    if isinstance(content, dict):
        return set(content).union(*(_keys(value) for value in content.values()))
    return set()
