"""`traceo up`: the whole product on this machine, until Ctrl-C; `make run` calls it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import time
from pathlib import Path
from types import FrameType
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "up",
        help="start the whole product here and keep it running until Ctrl-C",
        description=__doc__,
        epilog="example: traceo up --source http://127.0.0.1:9090",
    )
    parser.add_argument(
        "--source",
        default=os.environ.get("TRACEO_SOURCE", "shop://"),
        help="shop:// (built in, synthetic), a directory of CSV or Parquet files, or a Prometheus at http://host:9090",
    )
    parser.add_argument("--home", type=Path, help="folder of all state; default: one per source below .traceo")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.cli.local import bootstrap, layout, processes, summary
    from components.cli.local.airflow import AirflowApi
    from components.core.settings import settings

    stack = layout.new_stack(arguments.source, arguments.home, settings())
    display = bootstrap.Display()
    claim = processes.claim(stack)
    if processes.end_leftovers(stack):
        display.done("ended what an earlier run had left behind")
    processes.check_ports(stack)
    environment = stack.environment()
    stack.remember()
    os.environ.update(environment)
    # This process only reads the stack; it must not be taken for one of its parts.
    del os.environ[layout.MARK]
    settings.cache_clear()
    supervisor: subprocess.Popen[bytes] | None = None
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    try:
        with display.live():
            supervisor = processes.start_supervisor(stack, environment)
            bootstrap.start_services(stack, environment, display)
            api = AirflowApi(next(s.url for s in stack.services if s.name == "airflow"), stack.password())
            bootstrap.wait_for_dags(api, display)
            runs = bootstrap.run_all(api, display)
        print(summary.describe(stack, runs), flush=True)
        return _keep_running(supervisor)
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        display.done("stopping")
        processes.stop(stack, supervisor)
        display.done("stopped; nothing is left running")
        claim.close()


def _keep_running(supervisor: subprocess.Popen[bytes]) -> int:
    while supervisor.poll() is None:
        time.sleep(1)
    print("supervisord ended by itself; its log is logs/supervisord.log in the home folder")
    return 1


def _interrupt_on(*signals: signal.Signals) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
