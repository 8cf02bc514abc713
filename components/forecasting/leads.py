"""How early and how surely a failure is seen: the risk asked again before past crossings and in calm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.forecasting import risk
from components.forecasting.forecast import forecast
from components.forecasting.risk import HORIZONS_H
from components.forecasting.series import HOUR, History

#: Hours before a crossing at which the risk is asked.
LEADS_H = (1, 2, 12, 48, 120)
#: A crossing counts after this many calm hours, the newest of a series; so many calm moments each.
CALM_H, CROSSINGS, CALM_MOMENTS = 24, 1, 3
#: Series asked: a dozen forecasts each.
SERIES = 8
#: A probability of at least this much is an alarm.
ALARM = 0.5


@dataclass(frozen=True)
class Moment:
    """A risk asked in the past: of which kind of failure, how long before it (None in calm), and the answer."""

    kind: str
    lead_h: float | None
    probability: Mapping[int, float | None]

    def alarmed(self, lead_h: float) -> bool:
        """Whether the shortest horizon that reaches past the lead gave an alarm."""
        hours = next(hours for hours in HORIZONS_H if hours > lead_h)
        return (self.probability[hours] or 0.0) >= ALARM


@dataclass(frozen=True)
class Point:
    """One lead of a kind's curve: failures, those alarmed, and alarms in calm moments."""

    lead_h: float
    failures: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        return self.found / self.failures if self.failures else float("nan")

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else float("nan")


@dataclass(frozen=True)
class Limited:
    """A series with the limit that is its failure."""

    history: History
    kind: str
    limit: float
    direction: str

    @property
    def past(self) -> NDArray[np.bool_]:
        """Which steps lie past the limit."""
        values = self.history.values
        return values >= self.limit if self.direction == "above" else values <= self.limit


def ask_all(limited: Sequence[Limited], most: int = SERIES) -> list[Moment]:
    """The answers of up to `most` series, those that crossed first; none where no series ever crossed."""
    crossed = [one for one in limited if one.past.any()]
    calm = [one for one in limited if not one.past.any()]
    return [moment for one in [*crossed, *calm][:most] for moment in ask(one)] if crossed else []


def ask(one: Limited) -> list[Moment]:
    """The risk as it would have been at LEADS_H before each crossing, and at calm moments."""
    history, found = one.history, []
    for cut, lead in _cuts(one.past, history.step / HOUR, round(risk.MIN_DAYS * history.day)):
        known = history.until(cut)
        fan = forecast(known, round(HORIZONS_H[-1] * HOUR / history.step)).quantiles
        answer = risk.estimate(known, fan, limit=one.limit, direction=one.direction)
        found.append(Moment(one.kind, lead, answer.probability))
    return found


def _cuts(past: NDArray[np.bool_], step_h: float, least: int) -> list[tuple[int, float | None]]:
    """Where to cut: (steps known, hours to the crossing or None)."""
    total = np.concatenate([[0], np.cumsum(past)])
    at = np.arange(len(past))
    quiet = total[at] == total[np.maximum(at - round(CALM_H / step_h), 0)]
    crossings = [int(i) for i in np.nonzero(past & quiet)[0]][-CROSSINGS:]
    cuts: list[tuple[int, float | None]] = []
    for crossing in crossings:
        steps = {round(lead / step_h): lead for lead in LEADS_H if lead >= step_h}
        cuts += [(crossing - n, lead) for n, lead in steps.items() if crossing - n >= least and quiet[crossing - n]]
    week = round(HORIZONS_H[-1] / step_h)
    calm = [i for i in range(least, len(past) - week) if quiet[i] and total[i + week] == total[i]]
    evenly = dict.fromkeys(int(i) for i in np.linspace(0, len(calm) - 1, CALM_MOMENTS)) if calm else {}
    return [*cuts, *((calm[i], None) for i in evenly)]


def curves(moments: Sequence[Moment]) -> dict[str, list[Point]]:
    """Precision and recall by lead, per kind of failure that occurred; kinds sorted."""
    found = {}
    for kind in sorted({moment.kind for moment in moments if moment.lead_h is not None}):
        own = [moment for moment in moments if moment.kind == kind]
        found[kind] = [_point(own, lead) for lead in LEADS_H if any(moment.lead_h == lead for moment in own)]
    return found


def _point(moments: Sequence[Moment], lead: float) -> Point:
    failing = [moment.alarmed(lead) for moment in moments if moment.lead_h == lead]
    calm = [moment.alarmed(lead) for moment in moments if moment.lead_h is None]
    return Point(lead, len(failing), sum(failing), sum(calm))


def as_metrics(found: Mapping[str, Sequence[Point]]) -> dict[str, float]:
    """Numbers such as `lead_24h.disk.recall` for MLflow; NaN where there is nothing to divide by."""
    return {
        f"lead_{point.lead_h:g}h.{kind}.{name}": float(getattr(point, name))
        for kind, points in found.items()
        for point in points
        for name in ("recall", "precision")
    }
