"""Feast: the online store and point-in-time reads. The only module that imports feast.

State (registry, online store) lies in `<TRACEO_HOME>/feast`; the definitions in `feature_repo/` are applied
when they, or Feast, changed since they last were. TRACEO_ONLINE_STORE names a Redis to use instead of SQLite; a home
on S3 needs one, and each process then makes its registry, which holds nothing but the definitions, anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import logging
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from components.core.errors import SettingsError
from components.core.schema import TABLES
from components.core.series import series_id
from components.core.settings import settings
from components.core.storage import is_s3
from components.core.times import TIME_DTYPE
from components.features.aggregates import STEP

os.environ.setdefault("FEAST_USAGE", "False")
SERVICE, VIEW, PUSH_SOURCE, OFFLINE_FILE = "anomaly_v1", "five_minutes", "newest_features", "features.parquet"
#: Point-in-time reads go slice by slice: Feast's file store joins all instants with all rows of a series
#: before it picks the newest, so its cost grows with the square of a slice.
SLICE = timedelta(hours=4)
_MODULES = ("entities", "sources", "views", "services")
logging.getLogger("feast").setLevel(logging.WARNING)
logger = logging.getLogger("traceo.features")


def push(rows: pl.DataFrame) -> int:
    """Put feature rows (at most one per series) into the online store; returns how many."""
    if len(rows):
        with _state(online=True) as state, _opened(state) as store:
            store.push(PUSH_SOURCE, _as_stored(rows).to_pandas())
    return len(rows)


def latest(series: pl.DataFrame) -> pl.DataFrame:
    """The online store's vectors of some series (service, metric), as table `features`; sorted by key."""
    if series.is_empty():
        return TABLES["features"].empty()
    ids = series.select(series_id()).to_series().unique().sort().to_list()
    with _state(online=True) as state, _opened(state) as store:
        answer = store.get_online_features(store.get_feature_service(SERVICE), [{"series_id": i} for i in ids])
        found = pl.DataFrame(answer.to_dict(), strict=False)
    return _as_features(found).sort(TABLES["features"].key)


def as_known(features: pl.DataFrame, instants: list[datetime]) -> pl.DataFrame:
    """What was known of each series at each instant: point in time, no older than the view's time to live.

    Returns the columns of table `features`, and `instant`; sorted by instant, then key. A series of which
    nothing was known at an instant has no row there.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        _state(online=False) as state,
        _opened(state, repository=Path(folder)) as store,
    ):
        service = store.get_feature_service(SERVICE)
        ttl = store.get_feature_view(VIEW).ttl
        slices = [_slice(store, service, features, ttl, some, Path(folder)) for some in _sliced(instants)]
    empty = TABLES["features"].empty().with_columns(pl.lit(None, TIME_DTYPE).alias("instant"))
    return pl.concat([empty, *slices]).sort("instant", *TABLES["features"].key)


def _as_stored(rows: pl.DataFrame) -> pl.DataFrame:
    """Feature rows as Feast keeps them: one string as key, the start as a number."""
    columns = [name for name in TABLES["features"].columns if name != "timestamp"]
    return rows.select(series_id(), pl.col("timestamp").dt.epoch("us").alias("start_us"), *columns)


def _as_features(stored: pl.DataFrame) -> pl.DataFrame:
    """The inverse of `_as_stored`; rows that Feast fills with nulls, for want of a value, are left out."""
    found = stored.filter(pl.col("start_us").is_not_null())
    start = pl.from_epoch(pl.col("start_us").cast(pl.Int64), time_unit="us").dt.replace_time_zone("UTC")
    rows = found.with_columns(start.alias("timestamp"), (start + STEP).alias("event_timestamp"))
    return TABLES["features"].conform(rows, "Feast")


def _sliced(instants: list[datetime]) -> Iterator[list[datetime]]:
    some: list[datetime] = []
    for instant in sorted(instants):
        if some and instant - some[0] >= SLICE:
            yield some
            some = []
        some.append(instant)
    if some:
        yield some


def _slice(
    store: Any, service: Any, features: pl.DataFrame, ttl: timedelta, instants: list[datetime], folder: Path
) -> pl.DataFrame:
    known = features.filter(pl.col("event_timestamp").is_between(instants[0] - ttl, instants[-1]))
    rows = _as_stored(known)
    rows.write_parquet(folder / OFFLINE_FILE)
    times = pl.DataFrame({"event_timestamp": instants}, schema={"event_timestamp": TIME_DTYPE})
    asked = times.join(rows.select(pl.col("series_id").unique().sort()), how="cross")
    if asked.is_empty():
        return _as_features(rows).with_columns(pl.lit(None, TIME_DTYPE).alias("instant"))
    answer = pl.from_arrow(store.get_historical_features(asked.to_pandas(), service).to_arrow())
    assert isinstance(answer, pl.DataFrame)
    # The instant that was asked for comes back under the name of Feast's time column.
    answer = answer.filter(pl.col("start_us").is_not_null())
    return _as_features(answer).with_columns(answer["event_timestamp"].cast(TIME_DTYPE).alias("instant"))


@contextlib.contextmanager
def _state(*, online: bool) -> Iterator[Path]:
    """The folder of Feast's own files; `online`: whether what is written there has to be found again."""
    if not is_s3(settings().home):
        yield Path(settings().home, "feast").resolve()
        return
    if online and settings().online_store is None:
        raise SettingsError(
            f"TRACEO_HOME is {settings().home}: set TRACEO_ONLINE_STORE to a Redis (HOST:6379,password=…), "
            "SQLite needs a folder"
        )
    with tempfile.TemporaryDirectory(prefix="traceo-feast-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _opened(state: Path, repository: Path | None = None) -> Iterator[Any]:
    """A feature store with the definitions applied; relative source paths start at `repository`."""
    from feast import FeatureStore, RepoConfig

    state.mkdir(parents=True, exist_ok=True)
    content = _configuration(state)
    config = RepoConfig(**content, repo_path=repository or state)
    # One process at a time applies and reads the registry: Feast writes it in place.
    with (state / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _apply_if_changed(config, state, content)
        store = FeatureStore(config=config)
        store.refresh_registry()
    yield store


def _configuration(state: Path) -> dict[str, Any]:
    path = Path(settings().feature_repo, "feature_store.yaml")
    try:
        content: dict[str, Any] = yaml.safe_load(path.read_text())
        if content["registry"].get("registry_type", "file") == "file":
            content["registry"]["path"] = str(state / "registry.db")
        if redis := settings().online_store:
            content["online_store"] = {"type": "redis", "connection_string": redis.get_secret_value()}
        elif content["online_store"]["type"] == "sqlite":
            content["online_store"]["path"] = str(state / "online.db")
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"TRACEO_FEATURE_REPO: {path} is no Feast configuration ({error})") from None
    return content


def _apply_if_changed(config: Any, state: Path, content: dict[str, Any]) -> None:
    import feast

    repository = Path(settings().feature_repo)
    sources = [(repository / f"{name}.py").read_bytes() for name in _MODULES]
    # Of the online store its kind alone: where Redis is, and its password, does not change the definitions.
    told = repr(content | {"online_store": content["online_store"]["type"]})
    digest = hashlib.sha256(b"\0".join([feast.__version__.encode(), told.encode(), *sources])).hexdigest()
    stamp = state / "applied"
    if stamp.exists() and stamp.read_text() == digest:
        return
    # What a killed apply left may be half a file; the definitions hold all that the registry does.
    stamp.unlink(missing_ok=True)
    (state / "registry.db").unlink(missing_ok=True)
    feast.FeatureStore(config=config).apply(importlib.import_module("feature_repo.services").DEFINITIONS)
    stamp.write_text(digest)
    logger.info("applied the definitions of %s", repository)
