"""`traceo status`: every service with its URL and state, every DAG with its last run, every model with its aliases."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "status", help="what the local stack is doing", description=__doc__, epilog="example: traceo status --json"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--home", type=Path, help="folder of the stack; default: the one started last")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.cli.local import layout, processes

    stack = layout.current_stack(arguments.home)
    states = processes.states(stack)
    if not states:
        message = f"the stack in {stack.home} is not running; start it with `make run`"
        print(json.dumps({"running": False, "reason": message}) if arguments.json else message)
        return 1
    status = _collect(stack, states)
    print(json.dumps(status, indent=1, default=str) if arguments.json else _table(status))
    return 0


def _collect(stack: Any, states: dict[str, str]) -> dict[str, Any]:
    from components.cli.local import processes
    from components.core import tracking
    from components.core.errors import ServiceError
    from components.core.settings import settings, without_credentials

    os.environ.update({name: value for name, value in stack.environment().items() if name.startswith("TRACEO_")})
    settings.cache_clear()
    services = [
        {"name": s.name, "url": s.url, "state": "up" if processes.healthy(s) else "down"} for s in stack.services
    ]
    try:
        models = tracking.registered_models()
    except ServiceError as error:
        models = {"error": {"reason": str(error)}}
    return {
        "running": True,
        "source": without_credentials(stack.source),
        "home": str(stack.home),
        "services": services,
        "processes": states,
        "dags": _dags(stack),
        "models": [{"name": name, "aliases": aliases} for name, aliases in models.items()],
    }


def _dags(stack: Any) -> list[dict[str, Any]]:
    from components.cli.local.airflow import AirflowApi
    from components.core.errors import ServiceError

    api = AirflowApi(next(s.url for s in stack.services if s.name == "airflow"), stack.password())
    found = []
    try:
        for dag, paused in sorted(api.dags().items()):
            run_id = api.last_run(dag)
            run = api.run(dag, run_id) if run_id else None
            last = {"run_id": run.run_id, "state": run.state, "tasks": run.tasks} if run else None
            found.append({"dag": dag, "paused": paused, "last_run": last})
    except ServiceError as error:
        return [{"error": str(error)}]
    return found


def _table(status: dict[str, Any]) -> str:
    lines = [f"source {status['source']}", f"home   {status['home']}", "", "services"]
    lines += [f"  {s['name']:<16} {s['state']:<6} {s['url']}" for s in status["services"]]
    lines += ["", "dags"]
    for dag in status["dags"]:
        last = dag.get("last_run")
        lines.append(f"  {dag.get('dag', dag.get('error')):<16} {last['state'] if last else 'never run'}")
    lines += ["", "models"]
    for model in status["models"]:
        aliases = ", ".join(f"{alias} = version {version}" for alias, version in model["aliases"].items())
        lines.append(f"  {model['name']:<22} {aliases or 'no alias'}")
    return "\n".join(lines)
