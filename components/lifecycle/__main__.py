"""The command line of the lifecycle steps."""

from __future__ import annotations

import sys

from components.core import step

if __name__ == "__main__":
    sys.exit(step.main("lifecycle"))
