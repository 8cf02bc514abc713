"""The lifecycle steps on a real MLflow database: from a trained model to the champion, killed in between."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import tracking
from components.core.errors import InputError, ParamsError, TraceoError
from components.core.spec import Port, Spec, specs
from components.core.step import StepIO, run
from components.lifecycle import ledger
from components.lifecycle.specs import FetchParams

MODEL = "traceo-anomaly"
HOLDOUT = pl.DataFrame({"series_id": ["a/x", "b/y"], "value": [1.0, None]})
NOON = "2026-01-31T12:00:00Z"


def step(name: str) -> Spec:
    return next(spec for spec in specs("lifecycle") if spec.name == f"lifecycle.{name}")


def artifact(uri: Path, kind: Any, content: Any) -> str:
    """Write an artifact with its sidecar, as a step before would have."""
    port = Port("it", kind, "")
    io = StepIO(Spec("test.write", "", FetchParams, (), (port,)), {"it": str(uri)}, FetchParams())
    if kind == "table":
        io.write_table("it", content)
    elif kind == "json":
        io.write_json("it", content)
    else:
        with io.write_folder("it") as folder:
            for file in content.iterdir():
                (folder / file.name).write_bytes(file.read_bytes())
    io.finish({})
    return str(uri)


def register(tmp_path: Path, folder: Path, holdout: pl.DataFrame = HOLDOUT) -> dict[str, Any]:
    with tracking.start_run(MODEL, "train", {}) as mlflow:
        run_id = mlflow.active_run().info.run_id
    uris = {
        "model": artifact(tmp_path / "trained", "folder", folder),
        "holdout": artifact(tmp_path / "holdout.parquet", "table", holdout),
        "training": artifact(tmp_path / "training.json", "json", {"run_id": run_id}),
        "registered": str(tmp_path / "registered.json"),
    }
    return run(step("register"), uris)


def fetch(tmp_path: Path) -> dict[str, str]:
    uris = {name: str(tmp_path / "fetched" / name) for name in ("champion", "challenger", "holdout", "candidates")}
    run(step("fetch"), uris, {"model": MODEL})
    return uris


def decide(tmp_path: Path, *, better: bool, decided_at: str = NOON) -> dict[str, Any]:
    """Fetch, gate with a made-up evaluation, promote; the summary of the promotion."""
    candidates = fetch(tmp_path)["candidates"]
    mine, other = (0.5, 1.0) if better else (1.0, 0.5)
    has_champion = json.loads(Path(candidates).read_text())["champion_version"] is not None
    rows = [
        {"unit": f"s{i}", "challenger": mine - i / 100, "champion": other if has_champion else None, "baseline": other}
        for i in range(6)
    ]
    evaluation = {"metric": "mase", "higher_is_better": False, "rows": rows}
    verdict = str(tmp_path / "verdict.json")
    uris = {"evaluation": artifact(tmp_path / "evaluation.json", "json", evaluation), "candidates": candidates}
    run(step("gate"), {**uris, "verdict": verdict})
    return run(step("promote"), promote_uris(tmp_path), {"decided_at": decided_at})


def promote_uris(tmp_path: Path) -> dict[str, str]:
    return {
        "verdict": str(tmp_path / "verdict.json"),
        "candidates": str(tmp_path / "fetched" / "candidates"),
        "promotion": str(tmp_path / "promotion.json"),
    }


def test_the_first_model_that_beats_the_baseline_takes_charge(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path
) -> None:
    registered = register(tmp_path, scaling_folder(2.0))
    assert registered["version"] == "1"
    assert tracking.registered_models() == {MODEL: {"challenger": "1"}}
    uris = fetch(tmp_path)
    assert not Path(uris["champion"]).exists()
    assert not Path(uris["champion"] + ".meta.json").exists()
    assert json.loads(Path(uris["challenger"], "model.json").read_text())["factor"] == 2.0
    assert pl.read_parquet(uris["holdout"]).equals(HOLDOUT)
    assert json.loads(Path(uris["candidates"]).read_text()) == {
        "model": MODEL,
        "champion_version": None,
        "challenger_version": "1",
        "run_id": registered["mlflow_run_id"],
    }
    assert decide(tmp_path, better=True)["outcome"] == "PASS"
    assert tracking.registered_models() == {MODEL: {"champion": "1"}}
    assert ledger.champion_at(str(mlflow_home), MODEL, datetime(2026, 2, 1, tzinfo=UTC)) == "1"
    with pytest.raises(InputError, match="1 versions, none of them a challenger"):
        fetch(tmp_path)


def test_a_worse_challenger_is_rejected_and_a_better_one_replaces(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path
) -> None:
    for factor, better in ((1.0, True), (2.0, False), (3.0, True)):
        register(tmp_path, scaling_folder(factor))
        decide(tmp_path, better=better)
    assert tracking.registered_models() == {MODEL: {"champion": "3"}}
    assert {v.version: v.tags.get("rejected") for v in tracking.versions(MODEL)} == {"1": None, "2": "FAIL", "3": None}
    rows = ledger.rows(str(mlflow_home))
    assert [(row.version, row.action, row.previous) for row in rows] == [
        ("1", "promoted", None),
        ("2", "rejected", "1"),
        ("3", "promoted", "1"),
    ]
    assert rows[2].evidence.outcome == "PASS"
    assert (rows[2].who, rows[2].when) == ("gate", datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert ledger.verify(str(mlflow_home)) == []


def test_the_same_model_registers_once(mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path) -> None:
    first = register(tmp_path, scaling_folder(2.0))
    tracking.delete_alias(MODEL, "challenger")
    newer = HOLDOUT.with_columns(value=7.0)
    assert register(tmp_path, scaling_folder(2.0), newer) == first
    assert [version.aliases for version in tracking.versions(MODEL)] == [("challenger",)]
    assert pl.read_parquet(fetch(tmp_path)["holdout"])["value"].to_list() == [7.0, 7.0]


def test_the_champion_trained_again_stays_champion(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path
) -> None:
    register(tmp_path, scaling_folder(2.0))
    decide(tmp_path, better=True)
    register(tmp_path, scaling_folder(2.0))
    summary = decide(tmp_path, better=True, decided_at="2026-02-01T12:00:00Z")
    assert (summary["outcome"], summary["action"]) == ("INCONCLUSIVE", "unchanged")
    assert tracking.registered_models() == {MODEL: {"champion": "1"}}
    assert tracking.versions(MODEL)[0].tags.keys() == {"sha256"}


def die_promoting(target: tuple[Any, str], uris: dict[str, str], params: dict[str, Any]) -> int:
    """Run promote in a process that is killed where it would call `target`; the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            setattr(*target, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            run(step("promote"), uris, params)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    "target",
    [(tracking, "set_alias"), (tracking, "delete_alias"), (ledger, "append"), (StepIO, "write_json")],
    ids=lambda target: target[1],
)
def test_killed_in_the_middle_the_retry_ends_with_one_row(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path, target: tuple[Any, str]
) -> None:
    register(tmp_path, scaling_folder(1.0))
    decide(tmp_path, better=True)
    register(tmp_path, scaling_folder(2.0))
    verdict = Path(promote_uris(tmp_path)["verdict"])
    fetch(tmp_path)
    assert json.loads(verdict.read_text())["outcome"] == "PASS"
    params = {"decided_at": "2026-02-01T12:00:00Z"}
    assert die_promoting(target, promote_uris(tmp_path), params) == -signal.SIGKILL
    assert tracking.version_of(MODEL, "champion") == ("1" if target[1] == "set_alias" else "2")
    for _ in range(2):
        run(step("promote"), promote_uris(tmp_path), params)
    assert tracking.registered_models() == {MODEL: {"champion": "2"}}
    assert [(row.version, row.previous) for row in ledger.rows(str(mlflow_home))] == [("1", None), ("2", "1")]
    assert ledger.verify(str(mlflow_home)) == []


def test_a_repeated_promotion_does_not_undo_a_later_one(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path
) -> None:
    register(tmp_path, scaling_folder(1.0))
    decide(tmp_path, better=True)
    register(tmp_path, scaling_folder(2.0))
    tracking.set_alias(MODEL, "champion", "2")
    run(step("promote"), promote_uris(tmp_path), {"decided_at": NOON})
    assert tracking.version_of(MODEL, "champion") == "2"
    with pytest.raises(TraceoError, match="version 2 took charge since version 1 was judged against version None"):
        run(step("promote"), promote_uris(tmp_path), {"decided_at": "2026-03-01T00:00:00Z"})


def test_promote_wants_an_instant(mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path) -> None:
    register(tmp_path, scaling_folder(1.0))
    decide(tmp_path, better=True)
    with pytest.raises(ParamsError, match="decided_at"):
        run(step("promote"), promote_uris(tmp_path))


def test_a_folder_without_a_card_is_refused(mlflow_home: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "weights.json").write_text("{}")
    with pytest.raises(InputError, match=r"no model\.json"):
        register(tmp_path, tmp_path / "bare")
    (tmp_path / "bare" / "model.json").write_text('{"name": "traceo-anomaly"}')
    with pytest.raises(InputError, match="loader_module"):
        register(tmp_path, tmp_path / "bare")
    (tmp_path / "bare" / "model.json").write_text('{"name": "traceo-anomaly", "loader_module": "pickle"}')
    with pytest.raises(InputError, match="'pickle' is not ours"):
        register(tmp_path, tmp_path / "bare")
    assert tracking.versions(MODEL) == []


def test_a_model_changed_after_training_is_refused(
    mlflow_home: Path, scaling_folder: Callable[..., Path], tmp_path: Path
) -> None:
    register(tmp_path, scaling_folder(2.0))
    (tmp_path / "trained" / "model.json").write_text("{}")
    uris = {
        name: str(tmp_path / file)
        for name, file in (
            ("model", "trained"),
            ("holdout", "holdout.parquet"),
            ("training", "training.json"),
            ("registered", "r"),
        )
    }
    with pytest.raises(InputError, match="content and sidecar differ"):
        run(step("register"), uris)


def test_an_unknown_model_cannot_be_fetched(mlflow_home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'traceo-anomaly': not registered"):
        fetch(tmp_path)
