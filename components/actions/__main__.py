"""The command line of this domain's steps."""

import sys

from components.core import step

sys.exit(step.main("actions"))
