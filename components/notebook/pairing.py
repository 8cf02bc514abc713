"""A notebook's twin for Jupyter: an .ipynb beside the .py, out of git, which jupytext keeps in step with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from components.core.errors import TraceoError
from components.notebook.specs import Notebook

#: Tells jupytext, on the command line and within Jupyter, what is paired with what.
_CONFIGURATION = 'formats = "ipynb,py:percent"\n'


def pair(notebook: Notebook) -> Path:
    """Bring a notebook and its twin in step, the newer one winning; returns the twin.

    Outputs stay in the twin; the .py changes only where somebody edited a cell. TraceoError where jupytext refuses.
    """
    configuration = notebook.path.parent / "jupytext.toml"
    if not configuration.exists():
        configuration.write_text(_CONFIGURATION)
    command = [sys.executable, "-m", "jupytext", "--quiet", "--sync", notebook.path.name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=notebook.path.parent)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise TraceoError(f"jupytext could not pair {notebook.path}: {reason}")
    return notebook.path.with_suffix(".ipynb")


def jupyter_command(twin: Path) -> list[str] | None:
    """The command that opens a twin in JupyterLab, on this machine alone; None where JupyterLab is not installed."""
    if not importlib.util.find_spec("jupyterlab"):
        return None
    folder = str(twin.parent)
    return [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--notebook-dir={folder}", str(twin)]
