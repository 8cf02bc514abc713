"""Settings: the environment's words, with the variable named when one is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.errors import SettingsError
from components.core.settings import Settings, settings


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_AIRFLOW_PORT", "")
    assert settings().airflow_port == 8080


def test_a_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_AIRFLOW_PORT", "eighty")
    with pytest.raises(SettingsError, match=r"^TRACEO_AIRFLOW_PORT: Input should be a valid integer"):
        settings()


def test_tracking_defaults_to_a_database_under_home(tmp_path: Path) -> None:
    assert Settings(home=str(tmp_path)).tracking_uri == f"sqlite:///{tmp_path.resolve()}/mlflow/mlflow.db"
    with pytest.raises(SettingsError, match="TRACEO_MLFLOW_URI must name a tracking server"):
        _ = Settings(home="s3://bucket/home").tracking_uri


def test_a_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_ALERTMANAGER_TOKEN", "hush")
    assert "hush" not in repr(settings())
