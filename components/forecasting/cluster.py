"""Training on a cluster: Fugue, through which statsforecast distributes too, hands whole series to Spark or Ray.

A series travels as JSON text and so does what was learnt from it: floats keep every bit, nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from components.core.errors import ParamsError, ServiceError
from components.forecasting.forecast import Fitted
from components.forecasting.series import History
from components.forecasting.training import Figures, Plan, Trained

#: The back ends, each with the package it needs and what tells it where the cluster is.
ENGINES = {"spark": "pyspark", "ray": "ray"}
LOOPBACK = "127.0.0.1"


def train(plans: Sequence[Plan], work: Callable[[Plan], Trained], engine: str, workers: int) -> list[Trained]:
    """Train every plan on an engine of ENGINES, in the plans' order; the figures are those of one process, to the bit.

    A running session is used; else the one that the environment names (SPARK_CONF_DIR, RAY_ADDRESS); else one on this
    machine alone, stopped afterwards. ParamsError where the engine's package is missing, ServiceError where it does
    not start or goes away.
    """
    if not plans:
        return []
    import pandas as pd

    def task(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"name": row["name"], "trained": write_trained(work(read_plan(row["plan"])))} for row in rows]

    frame = pd.DataFrame([{"name": plan.name, "plan": write_plan(plan)} for plan in plans])
    with _session(engine, workers) as session:
        from fugue.dataframe.api import as_pandas
        from fugue.workflow.api import transform

        try:
            found = transform(
                frame, task, schema="name:str,trained:str", partition={"by": ["name"]}, engine=session, as_local=True
            )
            by_name = dict(as_pandas(found)[["name", "trained"]].itertuples(index=False, name=None))
        except Exception as error:
            lost = f"{engine} lost the training half-way ({_first_line(error)})"
            raise ServiceError(f"{lost}; nothing is written: look at its log and train again") from error
    return [read_trained(by_name[plan.name]) for plan in plans]


@contextmanager
def _session(engine: str, workers: int) -> Iterator[Any]:
    try:
        session, stop = (_spark if engine == "spark" else _ray)(workers)
    except ImportError:
        hint = "install what cluster.lock names, or train with engine=local"
        raise ParamsError(f"engine {engine!r} needs the package {ENGINES[engine]!r}; {hint}") from None
    except Exception as error:
        hint = "Spark needs Java 17 or newer; engine=local needs nothing"
        raise ServiceError(f"{engine} did not start ({_first_line(error)}); {hint}") from error
    try:
        yield session
    finally:
        stop()


def _spark(workers: int) -> tuple[Any, Callable[[], None]]:
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running, lambda: None
    # Spark would listen on every address; on a real cluster the driver's own one is set from outside.
    os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("traceo-forecasting").config("spark.ui.enabled", "false")
    if "SPARK_CONF_DIR" not in os.environ:
        builder = builder.master(f"local[{workers}]")
    session = builder.getOrCreate()
    return session, session.stop


def _ray(workers: int) -> tuple[Any, Callable[[], None]]:
    import ray

    if ray.is_initialized():
        return "ray", lambda: None
    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:
        ray.init(num_cpus=workers, include_dashboard=False, _node_ip_address=LOOPBACK, log_to_driver=False)
    return "ray", ray.shutdown


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# --- what travels ----------------------------------------------------------------------------------------


def write_plan(plan: Plan) -> str:
    """A plan as JSON; the step in microseconds."""
    history = plan.history
    return json.dumps(
        {
            "name": plan.name,
            "candidates": plan.candidates,
            "values": history.values.tolist(),
            "start": history.start.isoformat(),
            "step_us": history.step // timedelta(microseconds=1),
            "observed": None if history.observed is None else history.observed.tolist(),
            "bounds": [history.lower, history.upper],
        }
    )


def read_plan(text: str) -> Plan:
    """The plan of `write_plan`."""
    content = json.loads(text)
    observed = None if content["observed"] is None else np.array(content["observed"], dtype=bool)
    start, step = datetime.fromisoformat(content["start"]), timedelta(microseconds=content["step_us"])
    lower, upper = content["bounds"]
    history = History(np.array(content["values"]), start, step, observed, lower, upper)
    return Plan(content["name"], history, tuple(content["candidates"]))


def write_trained(trained: Trained) -> str:
    """What training one series gave, as JSON."""
    fitted = trained.fitted
    return json.dumps(
        {
            "name": trained.name,
            "weights": {name: share.tolist() for name, share in fitted.weights.items()},
            "offsets": fitted.offsets.tolist(),
            "ratio": fitted.ratio,
            "scores": dict(fitted.scores),
            "reason": fitted.reason,
            "adapts": fitted.adapts,
            "errors": None if fitted.errors is None else fitted.errors.tolist(),
            "figures": {
                name: [own.mase.tolist(), own.crps.tolist(), own.by_step.tolist()]
                for name, own in trained.figures.items()
            },
        }
    )


def read_trained(text: str) -> Trained:
    """The result of `write_trained`."""
    content = json.loads(text)
    fitted = Fitted(
        {name: np.array(share) for name, share in content["weights"].items()},
        np.array(content["offsets"]),
        content["ratio"],
        content["scores"],
        content["reason"],
        content["adapts"],
        None if content["errors"] is None else np.array(content["errors"]),
    )
    figures = {name: Figures(*(np.array(part) for part in own)) for name, own in content["figures"].items()}
    return Trained(content["name"], fitted, figures)
