"""The interface of the telemetry steps."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from components.core.spec import Params, Port, Resources, Spec


class IngestParams(Params):
    """Which source, and how much of it."""

    source: str | None = Field(
        default=None,
        description="shop://?seed=N&anchor=TIME, a directory, or http://host:9090[?step_s=30]; default: TRACEO_SOURCE",
    )
    days: int = Field(
        default=30,
        ge=1,
        le=400,
        description="days up to the end that are imported; a directory of up to 92 days is always read whole",
    )
    end: datetime | None = Field(
        default=None,
        description="end of the import, floored to five minutes; required for a source that goes on growing, "
        "else the end of the source's rows",
    )

    @field_validator("source")
    @classmethod
    def _no_credentials(cls, source: str | None) -> str | None:
        # Parameters stand in process lists, logs and sidecars; the environment does not.
        if source and urlsplit(source).password:
            raise ValueError("a source with a password may only stand in the environment variable TRACEO_SOURCE")
        return source


INGEST = Spec(
    name="telemetry.ingest",
    title="Import metrics, spans, logs and changes that the lake does not have yet",
    params=IngestParams,
    inputs=(Port("lake", "lake", "the lake; rows go into its zone for what is not validated yet"),),
    outputs=(
        Port("lake", "lake", "the lake; rows go into its zone for what is not validated yet"),
        Port("ingested", "json", "the window, rows per table, partitions written and what was left out"),
    ),
    resources=Resources(cpu=1.0, memory_mb=2048),
    example={"source": "shop://?seed=1&anchor=2026-01-31T12:00:00Z", "days": 1, "end": "2026-01-30T12:00:00Z"},
)
SPECS = [INGEST]
