"""Brings a stack from nothing to useful: services up, every DAG run once, each after those whose results it needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from components.cli.local import processes
from components.cli.local.airflow import DAGS, AirflowApi, Run
from components.cli.local.layout import Stack
from components.core import tracking
from components.core.errors import ServiceError

_POLL_S = 1.0
_START_TIMEOUT_S = 240
_FINAL = ("success", "failed")
# An unpaused DAG with a cron schedule gets a run for its latest tick, unless that one was done already.
_TIMED = ("traceo_ingest", "traceo_retrain", "traceo_drift")
_SCHEDULE_S = 10


class Display:
    """Says what is happening: a live line on a terminal, a line per change elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._started = time.monotonic()
        self._last = ""
        self._status: Status | None = None

    @contextmanager
    def live(self) -> Iterator[Display]:
        if not self._console.is_terminal:
            yield self
            return
        with self._console.status("starting") as self._status:
            yield self
        self._status = None

    def say(self, text: str) -> None:
        """Show what is going on now; repeated text is shown once."""
        if text == self._last:
            return
        self._last = text
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        line = f"[{minutes:02}:{seconds:02}] {text}"
        if self._status:
            self._status.update(line)
        else:
            self._console.print(line, markup=False, highlight=False)

    def done(self, text: str) -> None:
        """Leave a line that stays."""
        self._last = ""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self._console.print(f"[{minutes:02}:{seconds:02}] {text}", markup=False, highlight=False)


def wait_for_services(stack: Stack, display: Display) -> None:
    """Wait until every service answers; ServiceError with the end of its log where one does not."""
    waiting = {service.name: service for service in stack.services}
    deadline = time.monotonic() + _START_TIMEOUT_S
    while waiting:
        for name in [name for name, service in waiting.items() if processes.healthy(service)]:
            display.done(f"{waiting.pop(name).title} is up")
        if waiting and time.monotonic() > deadline:
            name = next(iter(waiting))
            log = "airflow-api-server" if name == "airflow" else name
            raise ServiceError(f"{name} did not come up within {_START_TIMEOUT_S} s:\n{processes.log_tail(stack, log)}")
        if waiting:
            display.say(f"waiting for {', '.join(waiting)}")
        time.sleep(_POLL_S / 2)


def start_services(stack: Stack, environment: dict[str, str], display: Display) -> None:
    """Migrate Airflow's database while the other services start, then start Airflow, then wait for all."""
    with ThreadPoolExecutor(1) as pool:
        migration = pool.submit(processes.migrate, stack, environment)
        display.say("preparing Airflow's database")
        migration.result()
    processes.start_airflow(stack)
    wait_for_services(stack, display)


def wait_for_dags(api: AirflowApi, display: Display) -> None:
    """Wait until Airflow has read every DAG; ServiceError with the import error where it cannot."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while missing := set(DAGS) - set(api.dags()):
        if errors := api.import_errors():
            raise ServiceError(f"Airflow cannot read a DAG: {errors[0]}")
        if time.monotonic() > deadline:
            raise ServiceError(f"Airflow did not read {', '.join(sorted(missing))} within {_START_TIMEOUT_S} s")
        display.say("waiting for Airflow to read the DAGs")
        time.sleep(_POLL_S)


def run_all(api: AirflowApi, display: Display) -> list[Run]:
    """Run every DAG once; later starts skip the training where champions stand. Returns the runs that were followed."""
    trained = all("champion" in aliases for aliases in tracking.registered_models().values())
    trained = trained and len(tracking.registered_models()) >= 2
    runs = [_run(api, "traceo_ingest", display)]
    if not trained:
        # Until everything has run once the machine is better used than by the next five minutes.
        api.pause("traceo_ingest")
        before = api.last_run("traceo_rollout")
        api.unpause("traceo_rollout")
        runs.append(_run(api, "traceo_retrain", display))
        if "skipped" in runs[-1].tasks.values():
            display.done("too little history to train on yet; traceo_retrain tries again every day")
        else:
            runs.append(_follow(api, "traceo_rollout", lambda: _next_run(api, "traceo_rollout", before), display))
    runs.append(_run(api, "traceo_score", display))
    if not trained:
        runs.append(_run(api, "traceo_drift", display))
    for dag in DAGS:
        api.unpause(dag)
    return runs


def _run(api: AirflowApi, dag: str, display: Display) -> Run:
    """Run a DAG: the run that its schedule starts when it is unpaused, or else one of our own."""
    before = api.last_run(dag)
    api.unpause(dag)
    display.say(f"{dag}: starting")
    deadline = time.monotonic() + (_SCHEDULE_S if dag in _TIMED else 0)
    while not (run_id := _next_run(api, dag, before)) and time.monotonic() < deadline:
        time.sleep(_POLL_S / 2)
    chosen = run_id or api.trigger(dag)
    return _follow(api, dag, lambda: chosen, display)


def _next_run(api: AirflowApi, dag: str, before: str | None) -> str | None:
    newest = api.last_run(dag)
    return newest if newest != before else None


def _follow(api: AirflowApi, dag: str, find: Callable[[], str | None], display: Display) -> Run:
    while not (run_id := find()):
        display.say(f"{dag}: waiting for its trigger")
        time.sleep(_POLL_S)
    while (run := api.run(dag, run_id)).state not in _FINAL:
        active = [task for task, state in run.tasks.items() if state == "running"]
        finished = sum(state in ("success", "skipped") for state in run.tasks.values())
        display.say(f"{dag} ({finished}/{len(run.tasks)}): {', '.join(active) or 'queued'}")
        time.sleep(_POLL_S)
    display.done(f"{dag}: {run.state} in {sum(run.durations_s.values()):.0f} s of work")
    if run.state == "failed":
        failed = [task for task, state in run.tasks.items() if state == "failed"]
        raise ServiceError(
            f"{dag} failed in {', '.join(failed) or 'its tasks'}; its log is in Airflow under run {run_id}"
        )
    return run
