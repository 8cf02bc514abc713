"""`python -m components.anomaly STEP …`."""

import sys

from components.core import step

if __name__ == "__main__":
    sys.exit(step.main("anomaly"))
