"""The accuracy part of the section in RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.forecasting import figures
from tests.benchmarks.forecasting.cases import HORIZONS, LEAST_H, Case
from tests.benchmarks.forecasting.runs import BASELINE
from tests.benchmarks.forecasting.scoring import ROOM, Score
from tests.benchmarks.results import table

_HEAD = (
    "`make bench-forecasting`. Hourly means of public series; each is cut at seeded moments after at least {weeks} "
    "weeks (half of a shorter series), forecast once for 168 h (less where it ends sooner) and scored over the first "
    "24, 72 and 168 h on hours that were measured. *MASE*, *CRPS* (of seven quantiles): the series' error summed over "
    "its cut-offs, divided by that of the textbook's seasonal-naive (the last day repeated, normal intervals); "
    "geometric mean over series, lower is better, 95 % bootstrap interval over series in brackets. *80 %*, *95 %*: "
    "share of hours inside the interval, each cut-off alike. *Exploded*: forecasts whose 95 % interval leaves the "
    "range seen by more than {room:g} times its width. One configuration for all; every model's intervals are made "
    "from its own backtests. lstm, tft and automl are taught once by all series of the run, up to the oldest backtest "
    "before each one's first cut-off. The rules were made with these series in view, so that others may fare worse."
)


def section(cases: Sequence[Case], scores: Sequence[Score], names: Sequence[str]) -> list[str]:
    """Paragraphs: what was run, all sets at each horizon, each set, coverage by set."""
    parts = ["### Accuracy", _HEAD.format(weeks=LEAST_H // 168, room=ROOM), _sizes(cases)]
    for horizon in HORIZONS:
        parts += [f"#### All sets, {horizon} h ahead", _pooled(scores, names, horizon)]
    for measure in ("mase", "crps"):
        parts += [f"#### {measure.upper()} by set, 24 / 72 / 168 h", _by_set(scores, names, measure)]
    parts += [
        "#### Coverage of `auto` by set, 80 % and 95 %",
        _coverage_by_set(scores, "auto" if "auto" in names else names[0]),
    ]
    return parts


def _sizes(cases: Sequence[Case]) -> str:
    rows = []
    for of in _sets(cases):
        found = [case for case in cases if case.set == of]
        days = sorted(len(case.history) / 24 for case in found)
        rows.append((of, len({case.name for case in found}), len(found), f"{days[0]:.0f}–{days[-1]:.0f}"))
    return table(("set", "series", "cut-offs", "days of history"), rows)


def _pooled(scores: Sequence[Score], names: Sequence[str], horizon: int) -> str:
    lines = []
    for name in (*names, BASELINE):
        mase, crps = (figures.figure(list(figures.ratios(scores, name, m, horizon).values())) for m in ("mase", "crps"))
        inside = [f"{figures.coverage(scores, name, level, horizon):.1%}" for level in (80, 95)]
        speed = "" if name == BASELINE else f"{figures.seconds(scores, name):.2f}"
        lines.append((mase.value, (_shown(name), mase, crps, *inside, figures.exploded(scores, name), speed)))
    rows = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
    return table(("model", "MASE", "CRPS", "80 %", "95 %", "exploded", "s a forecast"), rows)


def _by_set(scores: Sequence[Score], names: Sequence[str], measure: str) -> str:
    sets = _sets(scores)
    rows = []
    for name in names:
        by_horizon = [figures.ratios(scores, name, measure, horizon) for horizon in HORIZONS]
        cells = []
        for of in sets:
            values = [figures.figure([v for (s, _), v in found.items() if s == of]).value for found in by_horizon]
            cells.append(" / ".join("–" if value != value else f"{value:.2f}" for value in values))
        rows.append((_shown(name), *cells))
    return table(("model", *sets), rows)


def _coverage_by_set(scores: Sequence[Score], name: str) -> str:
    rows = []
    for of in _sets(scores):
        own = [one for one in scores if one.set == of]
        cells = [" / ".join(f"{figures.coverage(own, name, level, h):.1%}" for h in HORIZONS) for level in (80, 95)]
        rows.append((of, *(cell.replace("nan%", "–") for cell in cells)))
    return table(("set", "80 %, 24 / 72 / 168 h", "95 %, 24 / 72 / 168 h"), rows)


def _shown(name: str) -> str:
    return f"**{name}**" if name in ("auto", "ensemble") else name


def _sets(found: Sequence[Case] | Sequence[Score]) -> list[str]:
    return list(dict.fromkeys(one.set for one in found))
