"""Which part of a case is normal and which is looked at for the incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from components.rootcause.case import Incident
from components.rootcause.specs import ScorerParams

Floats = npt.NDArray[np.float64]

#: Fewest samples after the noticed time that are looked at, whatever their spacing.
_MIN_SAMPLES = 4
#: The lead is cut off the normal period twice; this keeps two thirds of it.
_LEAD_SHARE = 1 / 6
#: Starts of the window, as shares of the lead; scores are averaged over them so that a noticed time that is
#: a minute off changes little.
JITTER = (1.0, 0.5, 0.0)


@dataclass(frozen=True)
class Periods:
    """Seconds since the Unix epoch: normal is [normal_start, noticed - 2 leads), the incident [noticed - lead, end]."""

    noticed: float
    normal_start: float
    end: float
    lead_s: float
    horizon_s: float

    def lead(self, step_s: float) -> float:
        """The lead for a series sampled every `step_s`: one and a half samples at least."""
        return max(self.lead_s, 1.5 * step_s)

    def normal(self, times: Floats, step_s: float) -> npt.NDArray[np.bool_]:
        return (times >= self.normal_start) & (times < self.noticed - 2 * self.lead(step_s))

    def window(self, times: Floats, step_s: float, jitter: float) -> npt.NDArray[np.bool_]:
        """Samples of the incident when it is taken to start `jitter` leads before it was noticed."""
        length = max(self.horizon_s, _MIN_SAMPLES * step_s)
        start = self.noticed - jitter * self.lead(step_s)
        return (times >= start) & (times <= min(self.end, self.noticed + length))


def periods(incident: Incident, params: ScorerParams, first: datetime | None = None) -> Periods:
    """The periods of an incident; open where it says nothing about them.

    `first` is the first instant with data: where little precedes the incident, the lead shrinks to leave most of it
    to the normal period.
    """
    known = [instant for instant in (incident.normal_start, first) if instant]
    before_s = (incident.time - max(known)).total_seconds() if known else np.inf
    horizon = timedelta(minutes=params.horizon_min)
    return Periods(
        noticed=incident.time.timestamp(),
        normal_start=incident.normal_start.timestamp() if incident.normal_start else -np.inf,
        end=incident.end.timestamp() if incident.end else np.inf,
        lead_s=max(0.0, min(params.lead_s, _LEAD_SHARE * before_s)),
        horizon_s=horizon.total_seconds(),
    )
