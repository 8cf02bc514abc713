"""Asks Podman or Docker something, by its command line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from infra.images.errors import ImageError


def ask(command: Sequence[str]) -> str:
    """What the command prints, without blanks around it; ImageError ends in the engine's last line where it fails."""
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip() or f"exit code {ended.returncode}").splitlines()[-1]
        raise ImageError(f"{' '.join(command)}: {last}")
    return ended.stdout.strip()
