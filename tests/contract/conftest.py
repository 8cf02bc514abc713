"""The world that the contract tests share: every step has run in it once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.settings import settings

from .world import CHAIN, World, hard_copy


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Every link run once; before each, the lake as it stood is kept under `before/<label>`."""
    root = tmp_path_factory.mktemp("world")
    previous = {name: os.environ.get(name) for name in ("TRACEO_HOME", "TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI")}
    os.environ["TRACEO_HOME"] = str(root)
    for name in ("TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI"):
        os.environ.pop(name, None)
    settings.cache_clear()
    made = World(root)
    for link in CHAIN:
        hard_copy(made.lake, root / "before" / link.label)
        made.run(link)
    yield made
    for name, value in previous.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    settings.cache_clear()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run"
