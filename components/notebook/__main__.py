"""`python -m components.notebook NAME …`"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from components.core import step
from components.notebook.specs import PROBLEMS


def main(argv: Sequence[str]) -> int:
    """Run one notebook as a step; one that cannot be read says why instead of being unknown."""
    problem = PROBLEMS.get(argv[0]) if argv else None
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        return problem.exit_code
    return step.main("notebook", argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
