"""`python -m components.quality STEP …`"""

import sys

from components.core import step

if __name__ == "__main__":
    sys.exit(step.main("quality"))
