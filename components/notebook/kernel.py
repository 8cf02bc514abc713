"""The kernel a notebook runs in: a fresh process of this very interpreter, nothing installed for it anywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from components.core.settings import REPOSITORY

NAME = "python3"
#: What readers of a table need not see, and how much of a text they do.
_TABLES = {f"POLARS_FMT_TABLE_HIDE_{what}": "1" for what in ("COLUMN_DATA_TYPES", "DATAFRAME_SHAPE_INFORMATION")}
_TABLES |= {"POLARS_FMT_STR_LEN": "120", "POLARS_FMT_MAX_ROWS": "40"}
#: The path of a Unix socket may have about a hundred characters.
_MOST_SOCKET_PATH = 80


def manager_class(folder: Path) -> type:
    """A kernel manager for one run in `folder`, where the kernel works and keeps its own files."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        # A kernel that is installed under the usual name may belong to another interpreter.
        @property
        def kernel_spec(self) -> Any:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name=NAME, language="python")

        async def start_kernel(self, **options: Any) -> Any:
            self.connection_file = str(folder / ".kernel.json")
            if len(str(folder)) <= _MOST_SOCKET_PATH:
                # Sockets in a folder of ours alone: no port that others could speak to.
                self.transport, self.ip = "ipc", str(folder / ".socket")
            return await super().start_kernel(**{**options, "cwd": str(folder), "env": _environment(folder)})

        start_kernel_async = start_kernel

    return OwnKernelManager


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    # No start-up files or history of whoever runs this; sets in the same order every time.
    own = {"PYTHONPATH": path, "IPYTHONDIR": str(folder / ".ipython"), "PYTHONHASHSEED": "0"}
    return {**os.environ, **own, **_TABLES}
