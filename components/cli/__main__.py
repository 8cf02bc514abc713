"""`traceo`: parse the command line and hand over to the subcommand's module."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence

from components.core.errors import TraceoError

COMMANDS = ("detect", "forecast", "diagnose", "logs", "up", "status", "run", "pipelines", "notebook")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `traceo`; returns the exit code (0 done, 1 failed, 2 bad input)."""
    # Imports make a hundred thousand objects and no garbage; to look for it after every 700 is a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    parser = argparse.ArgumentParser(
        prog="traceo", description="What will fail, what is abnormal, what caused it, what the logs say."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"components.cli.{name}").add(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.main(arguments)
    except TraceoError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader (head, less) went away; Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
