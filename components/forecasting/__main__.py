"""`python -m components.forecasting STEP …`."""

import sys

from components.core import step

sys.exit(step.main("forecasting"))
