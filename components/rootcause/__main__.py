"""`python -m components.rootcause STEP …`: the steps of this domain."""

import sys

from components.core import step

sys.exit(step.main("rootcause"))
