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


class FileParams(Params):
    """What `traceo logs` does to a file beyond its flags."""

    min_siblings: int = Field(
        default=6, ge=2, le=1000, description="shapes that differ in one word only become one template from so many on"
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

SPECS = [MINE]
