"""Deployments and configuration changes as interventions: what stood before, what after, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from components.rootcause.deviation import Deviation
from components.rootcause.periods import JITTER, Floats, Periods

#: The first pattern found in what was changed says what kind of cause the change is.
_KINDS = (
    ("database", re.compile(r"migrat|schema|\bindex\b|\bsql\b|\btable\b", re.I)),
    ("configuration", re.compile(r"config|flag|setting|param|\benv\b|limit|quota|toggle|\bset\b", re.I)),
    ("code", re.compile(r"deploy|release|roll|version|image|upgrade|build|commit|patch|\bv?\d+\.\d+", re.I)),
)
_RESAMPLES, _MIN_SIDE = 400, 4
_BLOCKS = 12
#: A change may be logged a little after it took effect.
_CLOCK_SLACK_S = 60.0
#: What a change breaks shows within this; what breaks later, after nothing moved, has another cause.
_PROMPT_S = 300.0


@dataclass(frozen=True)
class Change:
    """One change of a service at `at_s` seconds since the epoch."""

    service: str
    what: str
    at_s: float

    @property
    def kind(self) -> str:
        return next((kind for kind, pattern in _KINDS if pattern.search(self.what)), "configuration")


@dataclass(frozen=True)
class Effect:
    """The difference of means after minus before a change with its 95 % bootstrap interval; `clear` means that the
    interval stays beyond what the series does on ordinary days.

    quiet_s: seconds in which nothing moved between the change and what it would have done, 0 where it followed at once.
    """

    before: float
    after: float
    low: float
    high: float
    clear: bool
    quiet_s: float = 0.0


def changes_of(changes: pl.DataFrame) -> list[Change]:
    """The rows of the table `changes`, oldest first."""
    timed = changes.drop_nulls(["timestamp", "service"]).sort("timestamp", "service", "what")
    return [Change(r["service"], r["what"] or "", r["timestamp"].timestamp()) for r in timed.iter_rows(named=True)]


def change_before(changes: list[Change], service: str, onset_s: float, within_s: float) -> Change | None:
    """The last change of `service` that precedes an onset by at most `within_s`."""
    near = [c for c in changes if c.service == service and onset_s - within_s <= c.at_s <= onset_s + _CLOCK_SLACK_S]
    return near[-1] if near else None


def effect_of(change: Change, item: Deviation, when: Periods, seed: int) -> Effect | None:
    """The effect of a change on a series, None where either side has fewer than four samples.

    Blocks of neighbouring samples are drawn instead of single ones, since neighbours are alike.
    """
    times, values, step = item.series.times, item.series.values, item.series.step_s
    before = values[(times < change.at_s - step / 2) & when.normal(times, step)]
    begin = max(change.at_s, when.noticed - when.lead(step))
    after = values[(times >= begin) & when.window(times, step, JITTER[0])]
    if min(len(before), len(after)) < _MIN_SIDE:
        return None
    effect, waited = _effect(before, after, item, seed), quiet_s(change, item)
    return replace(effect, clear=effect.clear and not waited, quiet_s=waited)


def quiet_s(change: Change, item: Deviation) -> float:
    """Seconds between a change and a series' beginning to deviate, 0 where it moved in between."""
    times, began = item.series.times, item.began_s
    between = item.series.values[(times > change.at_s + _CLOCK_SLACK_S) & (times < began - item.series.step_s / 2)]
    waited = began - change.at_s
    if len(between) < _MIN_SIDE or not waited >= _PROMPT_S:
        return 0.0
    return waited if abs(float(between.mean()) - item.median) < _bar(item) else 0.0


def _bar(item: Deviation) -> float:
    """What a series does on ordinary days."""
    return max(item.noise, 3.0) * item.scale


def remedy_after(changes: Sequence[Change], service: str, noticed_s: float) -> Change | None:
    """The first change of a service after the incident was noticed: what somebody did about it."""
    return next((change for change in changes if change.service == service and change.at_s > noticed_s), None)


def remedy_effect(remedy: Change, item: Deviation, when: Periods, seed: int) -> Effect | None:
    """The effect of a remedy: the incident before it compared with what follows; None with fewer than four samples."""
    times, values, step = item.series.times, item.series.values, item.series.step_s
    before = values[(times >= when.noticed - when.lead(step)) & (times < remedy.at_s)]
    after = values[(times >= remedy.at_s) & (times <= min(when.end, remedy.at_s + when.horizon_s + 4 * step))]
    return _effect(before, after, item, seed) if min(len(before), len(after)) >= _MIN_SIDE else None


def _effect(before: Floats, after: Floats, item: Deviation, seed: int) -> Effect:
    random = np.random.default_rng(seed)
    draws = _block_means(after, random) - _block_means(before, random)
    low, high = (float(x) for x in np.quantile(draws, (0.025, 0.975)))
    bar = _bar(item)
    return Effect(float(before.mean()), float(after.mean()), low, high, clear=low > bar or high < -bar)


def _block_means(values: Floats, random: np.random.Generator) -> Floats:
    blocks = [block.mean() for block in np.array_split(values, min(_BLOCKS, max(2, len(values) // 2)))]
    picks = random.integers(0, len(blocks), size=(_RESAMPLES, len(blocks)))
    means: Floats = np.asarray(blocks)[picks].mean(axis=1)
    return means
