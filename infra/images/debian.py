"""The base image where no registry is: Python and certificates from Debian packages, made with mmdebstrap."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.images.errors import ImageError

SUITE = "bookworm"
LOCAL_BASE = f"localhost/traceo-base:{SUITE}"
_PACKAGES = "python3,python3-venv,ca-certificates,libstdc++6"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")


def exists(builder: str, name: str) -> bool:
    """Whether this machine has the image."""
    return not subprocess.run([builder, "image", "inspect", name], capture_output=True).returncode


def import_base(builder: str, *, anew: bool) -> None:
    """Make the base image where it does not exist yet, or anew; ImageError where this machine cannot."""
    if exists(builder, LOCAL_BASE) and not anew:
        return
    if not shutil.which("mmdebstrap"):
        raise ImageError(
            f"{LOCAL_BASE} is made with mmdebstrap, which is not on the PATH; install it (Debian: apt install"
            " mmdebstrap) or name another base, such as --base python:3.12-slim-bookworm"
        )
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "base.tar")
        command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={_PACKAGES}"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        # The mirror of the machine that made it is no part of an image.
        command += ['--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d']
        for step in ([*command, SUITE, str(archive)], [builder, "import", str(archive), LOCAL_BASE]):
            if subprocess.run(step, stdout=sys.stderr).returncode:
                raise ImageError(f"{LOCAL_BASE} could not be made: {step[0]} failed; its last lines say why")
