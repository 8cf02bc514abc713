"""`traceo run DOMAIN.STEP …`: run any step by name, with the same arguments as `python -m components.DOMAIN`."""

from __future__ import annotations

import argparse
from typing import Any

from components.core.errors import ParamsError


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="run one step of the product by name",
        description=__doc__,
        epilog="example: traceo run anomaly.score --lake .traceo/lake --params '{}'",
    )
    parser.add_argument("name", metavar="DOMAIN.STEP")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="the step's own arguments")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.core import step
    from components.core.spec import domains

    domain, _, name = arguments.name.partition(".")
    if domain not in domains() or not name:
        raise ParamsError(f"no step {arguments.name!r}; the domains with steps are {', '.join(domains())}")
    return step.main(domain, [name, *arguments.arguments])
