"""An Isolation Forest as a skops file, the same bytes for the same forest."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

_TRUSTED = ["sklearn.tree._tree.Tree"]
_SCHEMA = "schema.json"
# skops names objects and array files by memory address, which differs from run to run.
_ADDRESS = re.compile(r'("__id__": |"file": ")(\d+)')


def write_forest(path: Path, forest: Any) -> None:
    """Write a fitted forest."""
    path.write_bytes(forest_bytes(forest))


def read_forest(path: Path) -> Any:
    """Read what `write_forest` wrote; nothing but trees of scikit-learn is accepted."""
    return forest_of(path.read_bytes())


def forest_bytes(forest: Any) -> bytes:
    """A fitted forest as a file's content; addresses are replaced by running numbers, file dates by a fixed one."""
    from skops.io import dumps

    with zipfile.ZipFile(io.BytesIO(dumps(forest))) as given:
        numbers: dict[str, str] = {}
        schema = _ADDRESS.sub(
            lambda match: match[1] + numbers.setdefault(match[2], str(len(numbers) + 1)), given.read(_SCHEMA).decode()
        )
        content = {
            f"{numbers[name.removesuffix('.npy')]}.npy": given.read(name)
            for name in given.namelist()
            if name != _SCHEMA
        }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in sorted({**content, _SCHEMA: schema.encode()}.items()):
            written.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def forest_of(content: bytes) -> Any:
    """The forest that `forest_bytes` gave; nothing but trees of scikit-learn is accepted."""
    from skops.io import loads

    return loads(content, trusted=_TRUSTED)
