"""`traceo pipelines compile|submit`: the Kubeflow pipelines as YAML, or as runs on a Kubeflow Pipelines server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser("pipelines", help="compile or submit the Kubeflow pipelines", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_compile(actions)
    _add_submit(actions)


def compile_pipelines(arguments: argparse.Namespace) -> int:
    from kfp_pipelines.compilation import PIPELINES, write_compiled

    for path in write_compiled(arguments.output, arguments.names or list(PIPELINES)):
        print(path)
    return 0


def submit(arguments: argparse.Namespace) -> int:
    from components.core.settings import settings
    from kfp_pipelines.submission import Server, parse_arguments

    given = parse_arguments(arguments.name, arguments.param)
    token = settings().kfp_token
    server = Server(arguments.host, token.get_secret_value() if token else None, arguments.namespace)
    run = server.submit(
        arguments.name,
        given,
        experiment=arguments.experiment,
        service_account=arguments.service_account or settings().pod_service_account,
        use_cache=not arguments.no_cache,
    )
    print(f"{arguments.name} run {run.run_id}: {run.url}", flush=True)
    if arguments.wait:
        server.wait(run, timeout_s=arguments.timeout_min * 60)
        print("SUCCEEDED")
    return 0


def _add_compile(actions: Any) -> None:
    parser = actions.add_parser(
        "compile",
        help="write the pipelines as YAML",
        description="Write the pipelines as YAML, with the images that TRACEO_IMAGE_PREFIX and TRACEO_IMAGE_TAG name.",
        epilog="example: traceo pipelines compile traceo-scoring --output build",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="pipelines; default: all")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the YAML files; default: here")
    parser.set_defaults(main=compile_pipelines)


def _add_submit(actions: Any) -> None:
    parser = actions.add_parser(
        "submit",
        help="run a pipeline on a Kubeflow Pipelines server",
        description="Upload a pipeline and start a run of it. A bearer token is taken from TRACEO_KFP_TOKEN.",
        epilog="example: traceo pipelines submit traceo-training --host https://kfp.example.org --param "
        "lake=s3://traceo/home/lake --param 'anomaly_train_params={\"folds\": 3}' --wait",
    )
    parser.add_argument("name", metavar="NAME", help="traceo-training, traceo-scoring, traceo-logs or traceo-notebooks")
    parser.add_argument("--host", required=True, metavar="URL", help="the Kubeflow Pipelines API")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of the pipeline, JSON where it is no text",
    )
    parser.add_argument("--experiment", default="traceo", help="where the run is listed; default: traceo")
    parser.add_argument("--namespace", help="namespace of the user, where Kubeflow has several")
    parser.add_argument("--service-account", help="account of the pods; default: TRACEO_POD_SERVICE_ACCOUNT")
    parser.add_argument("--no-cache", action="store_true", help="run every task, whatever the cache holds")
    parser.add_argument("--wait", action="store_true", help="return when the run has ended; exit code 1 if it failed")
    parser.add_argument("--timeout-min", type=float, default=180.0, metavar="MIN", help="minutes to wait at most")
    parser.set_defaults(main=submit)
