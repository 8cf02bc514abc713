"""The interfaces of the logs steps, and of the `traceo logs` command."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec


class MineParams(Params):
    """What `logs.mine` counts."""

    as_of: datetime | None = Field(
        default=None, description="count up to this instant, exclusive; default: the lake's watermark of logs"
    )
    lookback_h: float = Field(
        default=720.0, gt=0, le=24 * 366, description="hours before as_of in which missing windows are filled"
    )
    compared_h: float = Field(
        default=24.0,
        gt=0,
        le=24 * 30,
        description="hours that the newest lines (those of the 24th part of it) are compared with",
    )
    max_p_value: float = Field(
        default=0.001, gt=0, lt=1, description="a change less likely than this by chance is reported, after correction"
    )


class CollectParams(Params):
    """What `logs.collect` reads and how."""

    folder: str | None = Field(
        default=None, description="folder of log files that every worker sees; default: TRACEO_LOG_FILES, or nothing"
    )
    kafka: str | None = Field(
        default=None,
        pattern=r"^[^/\s]+/[\w.-]+$",
        description="servers/topic whose messages are written to the folder as lines first, each once",
    )
    block_mb: float = Field(
        default=16.0, gt=0, le=256, description="megabytes of lines that one worker takes at once and keeps in one file"
    )
    year: int = Field(default=1970, ge=1, le=9999, description="the year of timestamps that are written without one")
    hot_days: int = Field(default=30, ge=1, le=3650, description="days that lines stay at hand on S3")
    kept_days: int = Field(default=365, ge=1, le=36500, description="days in the archive after which lines are deleted")
    beam: tuple[str, ...] = Field(
        default=("--runner=DirectRunner",), description="options of Apache Beam: the runner and what it needs"
    )


class FileParams(Params):
    """What `traceo logs` does to a file beyond its flags."""

    min_siblings: int = Field(
        default=6,
        ge=2,
        le=1000,
        description="shapes that differ in one word only become one template from so many on, long ones from fewer",
    )
    cluster_distance: float = Field(
        default=0.4, gt=0, lt=1, description="cosine distance within which two templates are neighbours"
    )
    cluster_lines: int = Field(default=2, ge=1, le=1_000_000, description="lines that make a neighbourhood a cluster")
    year: int = Field(default=1970, ge=1, le=9999, description="the year of timestamps that are written without one")


MINE = Spec(
    name="logs.mine",
    title="count log lines per five minutes, service, severity and template",
    params=MineParams,
    inputs=(Port("lake", "lake", "the lake; `logs` is read, `log_counts` and `log_changes` extended"),),
    outputs=(
        Port("lake", "lake", "the lake; `logs` is read, `log_counts` and `log_changes` extended"),
        Port("mined", "json", "what was counted, and the most surprising error templates"),
    ),
    resources=Resources(cpu=1.0, memory_mb=2048),
    example={"lookback_h": 24.0},
)

COLLECT = Spec(
    name="logs.collect",
    title="archive log files in blocks, with the templates of their lines",
    params=CollectParams,
    inputs=(Port("lake", "lake", "the lake; `log_archive` is extended"),),
    outputs=(
        Port("lake", "lake", "the lake; `log_archive` is extended"),
        Port("collected", "json", "blocks, lines and the most frequent templates of the archive"),
    ),
    resources=Resources(cpu=2.0, memory_mb=4096),
)

SPECS = [MINE, COLLECT]
