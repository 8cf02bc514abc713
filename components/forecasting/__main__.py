"""`python -m components.forecasting STEP …`."""

import sys

from components.core import step

# Training starts worker processes, which import this module again under another name.
if __name__ == "__main__":
    sys.exit(step.main("forecasting"))
