"""The reports that steps left under `runs/`, whether the state lies in a folder or on S3."""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath

from components.core import storage

_SHOWN_SUFFIXES = {".html", ".css", ".js", ".png", ".svg", ".json"}


def read(home: str, path: str) -> tuple[bytes, str] | None:
    """Content and media type of a report below `home`; None for anything that is not one, links out of it included."""
    relative = PurePosixPath(path)
    if relative.suffix not in _SHOWN_SUFFIXES or relative.parts[:1] != ("runs",) or ".." in relative.parts:
        return None
    uri = storage.join(home, *relative.parts)
    if not storage.is_s3(home) and not Path(uri).resolve().is_relative_to((Path(home) / "runs").resolve()):
        return None
    if not storage.exists(uri) or (not storage.is_s3(home) and not Path(uri).is_file()):
        return None
    return storage.read_bytes(uri), mimetypes.guess_type(relative.name)[0] or "application/octet-stream"
