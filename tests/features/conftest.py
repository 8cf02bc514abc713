"""A home of its own for Feast's state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """TRACEO_HOME in the test's own folder."""
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()
