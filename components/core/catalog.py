"""The watched metrics: unit, direction, limit, failure kind, lead time, models; read from one YAML file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.core import storage
from components.core.errors import SettingsError
from components.core.settings import settings

Direction = Literal["above", "below"]


class WatchedMetric(BaseModel):
    """One line of the catalogue.

    `limit` is where the metric fails, `direction` the side of the limit that is failure, `bad` the
    direction of change that hurts (both where either does); `lead_time_h` to `horizon_h` is how early its
    failure is promised; `models` are the preferred ones, first choice first; `internal` says that the metric
    measures the service's own resources rather than what its callers feel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    unit: str
    kind: Literal["cpu", "memory", "disk", "network", "latency", "error", "database", "traffic", "queue"]
    promql: str
    bad: Literal["above", "below", "both"] = "above"
    internal: bool = False
    limit: float | None = None
    direction: Direction = "above"
    capacity: float | None = None
    failure_kind: str | None = None
    lead_time_h: float | None = Field(default=None, gt=0)
    horizon_h: float | None = Field(default=None, gt=0)
    models: tuple[str, ...] = ()
    recommendation: str = ""

    @model_validator(mode="after")
    def _horizon_reaches_the_lead_time(self) -> Self:
        if self.horizon_h is not None and (self.lead_time_h or 0.0) > self.horizon_h:
            raise ValueError(f"horizon_h {self.horizon_h:g} is shorter than lead_time_h {self.lead_time_h:g}")
        return self

    @property
    def lead_time(self) -> timedelta | None:
        return timedelta(hours=self.lead_time_h) if self.lead_time_h else None


@lru_cache(maxsize=4)
def load_catalog(uri: str | None = None) -> dict[str, WatchedMetric]:
    """The catalogue by metric name; SettingsError names the entry and field that is wrong."""
    uri = uri or settings().catalog
    try:
        content = yaml.safe_load(storage.read_bytes(uri))
        metrics = [WatchedMetric.model_validate(item) for item in content["metrics"]]
    except ValidationError as error:
        problem = error.errors()[0]
        raise SettingsError(f"{uri}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise SettingsError(f"{uri}: expected a YAML mapping with a list 'metrics' ({error})") from None
    return {metric.name: metric for metric in metrics}


def watched(names: Iterable[str]) -> dict[str, WatchedMetric]:
    """The catalogue's entries for these metric names; a name the catalogue lacks is left out."""
    catalog = load_catalog()
    return {name: catalog[name] for name in names if name in catalog}
