"""`python -m tests.infra.golden` renders the chart anew; read the difference before committing it."""

from __future__ import annotations

from pathlib import Path

from tests.infra.manifests import rendered

GOLDEN = Path(__file__).parent / "golden"
#: Renderings by name: which file of values each takes.
VALUES = {"trial": "", "production": "values-production.yaml"}


def write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, values in VALUES.items():
        (GOLDEN / f"chart-{name}.yaml").write_text(rendered(values))


if __name__ == "__main__":
    write()
