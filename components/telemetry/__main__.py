"""`python -m components.telemetry STEP …`"""

import sys

from components.core import step

if __name__ == "__main__":
    sys.exit(step.main("telemetry"))
