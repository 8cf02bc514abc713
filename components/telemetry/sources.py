"""What telemetry is imported from: one small protocol, and the URI that chooses a source."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import polars as pl

from components.core.errors import InputError, ParamsError
from components.core.settings import without_credentials
from components.core.times import Window, parse_instant

#: The tables every source offers; one it has nothing for is read as empty.
SOURCE_TABLES = ("metrics", "spans", "logs", "changes")


class Source(Protocol):
    """Where rows come from. Reading the same window twice gives the same rows, whatever was read before."""

    @property
    def name(self) -> str:
        """The source as it may stand in logs and sidecars: without credentials."""
        ...

    @property
    def live(self) -> bool:
        """Whether the source goes on growing, so that the caller has to say where an import ends."""
        ...

    def extent(self) -> Window | None:
        """The time from the oldest to the newest row; None where the source has rows for any time."""
        ...

    def read(self, table: str, window: Window) -> pl.DataFrame:
        """The rows of one of SOURCE_TABLES within a window, in the columns of core.schema."""
        ...

    def notes(self) -> list[str]:
        """What a user should know about the import so far: files refused, values left out."""
        ...


def open_source(uri: str) -> Source:
    """The source behind `shop://[?seed=1&anchor=TIME]`, a directory path, or `http(s)://host:9090[?step_s=30]`.

    InputError or ParamsError names the part of the URI that is wrong; no request is sent yet.
    """
    scheme = urlsplit(uri).scheme
    if scheme == "shop":
        return _open_shop(uri)
    if scheme in ("http", "https"):
        return _open_prometheus(uri)
    path = Path(uri.removeprefix("file://"))
    if "://" in uri and scheme != "file":
        raise ParamsError(f"source {uri!r}: unknown kind {scheme!r}; give shop://, a directory, or http://host:9090")
    if not path.is_dir():
        raise InputError(f"source {uri!r}: no such directory; give the path of a folder with CSV or Parquet files")
    from components.telemetry.directory import DirectorySource

    return DirectorySource(path)


def _open_shop(uri: str) -> Source:
    from components.telemetry.synthetic import SyntheticSource

    options = _options(uri, {"seed", "anchor"})
    seed = _whole(options["seed"], uri, "seed") if "seed" in options else None
    return SyntheticSource(seed, parse_instant(options["anchor"]) if "anchor" in options else None)


def _open_prometheus(uri: str) -> Source:
    step_s = _whole(_options(uri, {"step_s"}).get("step_s", "30"), without_credentials(uri), "step_s")
    if not (1 <= step_s <= 300 and 300 % step_s == 0):
        raise ParamsError(f"source: step_s={step_s} does not divide 300; choose 15, 30 or 60")
    from components.core.catalog import load_catalog
    from components.telemetry.prometheus import PrometheusSource

    expressions = {metric.name: metric.promql for metric in load_catalog().values()}
    return PrometheusSource(urlsplit(uri)._replace(query="", fragment="").geturl().rstrip("/"), expressions, step_s)


def _options(uri: str, known: set[str]) -> dict[str, str]:
    options = dict(parse_qsl(urlsplit(uri).query, keep_blank_values=True))
    unknown = sorted(set(options) - known)
    if unknown:
        raise ParamsError(f"source: unknown option {unknown[0]!r}; it takes {', '.join(sorted(known))}")
    # A plus sign in a time zone offset is a blank once the query is decoded.
    return {name: value.replace(" ", "+") for name, value in options.items()}


def _whole(text: str, uri: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParamsError(f"source {uri!r}: {name}={text!r} is not a whole number") from None
