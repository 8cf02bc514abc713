"""The page of `make bench-anomaly`: what was measured, the headline, and every measure with the sets as rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.anomaly import figures, rate
from tests.benchmarks.anomaly.case import Case
from tests.benchmarks.anomaly.contenders import EXPECTED, SHIPPED, is_baseline
from tests.benchmarks.anomaly.curves import BUFFER
from tests.benchmarks.anomaly.events import Found
from tests.benchmarks.anomaly.figures import Figure
from tests.benchmarks.anomaly.runs import Run
from tests.benchmarks.results import table

#: More sections of the page, such as speeds: each call gives one as Markdown. They run after the series.
EXTRA_SECTIONS: tuple[Callable[[], str], ...] = (rate.measured,)

_OURS = "auto"
_FALSE_POINTS, _FALSE_EVENTS = 0.05, 1.0
_NONE = "–"
_DEFINITION = (
    "`make bench-anomaly`. Data: {series} series of {sets} public sets, {stretches:,} labelled stretches in "
    "{weeks:,.0f} series-weeks. Every detector sees a series' history, where the set has one, and then the series row "
    "by row; no label reaches it, and all sets have one configuration, the shipped one ({knob:g} false events per "
    "series-week). Detectors in *italics* are baselines written for this benchmark from their sources; they get the "
    "same budget by one rule (tests/benchmarks/anomaly/alarms.py: a threshold from earlier scores). `random` knows "
    "nothing: its figures are what a measure gives away. **Development data**: which detectors vote in `auto`, how "
    "their evidence fades, the line of its limit and how rows below it are ranked (`evidence.py`) were chosen with "
    "these sets in view, one choice for all; other series may fare worse.\n\n"
    "- **VUS-PR** (Paparrizos et al. 2022): area under precision and recall with tolerance around labels, averaged "
    "over tolerances of 0 to {buffer} rows (TSB-AD's default); checked against the packages `tsb-ad` and `vus`. "
    "**AUC-PR**: average precision. Both: mean over series with labels, without any threshold.\n"
    "- **Recall**: share of labelled stretches with a flagged row in them. **False events**: those without a flagged "
    "row in a label, per series-week. **F1**: of that recall and of the share of events that are true. **Delay**: "
    "median minutes from the first labelled to the first flagged row of the stretches found. All pooled over series.\n"
    "- **At 5 % of normal points**: recall under the one common threshold that flags 5 % of all normal rows together, "
    "with the false events it means. **At 1 false event**: recall under the common threshold that finds most at one "
    "false event per series-week. Both thresholds are chosen on the answers.\n"
    "- In parentheses: 95 % intervals of a bootstrap over series."
)


def section(runs: Sequence[Run], names: Sequence[str]) -> str:
    """The section of RESULTS.md from the runs of all cases with all detectors."""
    by_name = {name: [run for run in runs if run.detector == name] for name in names}
    cases = [run.case for run in by_name[names[0]]]
    parts = [
        "## Anomalies in public series",
        _DEFINITION.format(
            series=len(cases),
            sets=len(dict.fromkeys(case.set for case in cases)),
            stretches=sum(case.stretches for case in cases),
            weeks=sum(case.weeks for case in cases),
            knob=SHIPPED.expected_false_events_per_week,
            buffer=BUFFER,
        ),
        *_absent(names),
        *_failures(runs),
        "### All sets",
        _headline(by_name),
        *_lead(by_name),
        *_by_set(by_name),
        *_nab({name: [run for run in of if run.case.set == "nab"] for name, of in by_name.items()}),
        "### The series",
        _series(cases),
        *(extra() for extra in EXTRA_SECTIONS),
    ]
    return "\n\n".join(parts)


def write_csv(runs: Sequence[Run], path: Path) -> None:
    """One line per series and detector."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame([_line(run) for run in runs], infer_schema_length=None).write_csv(path, float_precision=6)


def costs(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Processor seconds of each detector, the dearest first, with the series that took longest."""
    lines = []
    for name in names:
        own = [run for run in runs if run.detector == name]
        longest = max(own, key=lambda run: run.seconds)
        most = f"{longest.seconds:7.1f} s on {longest.case.set}/{longest.case.name}"
        lines.append((sum(run.seconds for run in own), f"{name:24}", most))
    return "\n".join(f"{name} {total:8.1f} s, at most {most}" for total, name, most in sorted(lines, reverse=True))


def _headline(by_name: dict[str, list[Run]]) -> str:
    header = ("detector", "VUS-PR, one column", "VUS-PR, several", "AUC-PR", "recall", "false events / week", "F1")
    rest = ("delay", "recall (false / week) at 5 % of normal points", "recall at 1 false event", "seconds")
    return table((*header, *rest), [_headline_row(name, runs) for name, runs in by_name.items()])


def _headline_row(name: str, runs: Sequence[Run]) -> list[str]:
    found = [run.found for run in runs]
    loose = figures.at_false_points(runs, _FALSE_POINTS)
    budget = figures.recall(figures.at_false_events(runs, _FALSE_EVENTS))
    return [
        _title(name),
        *(_figure(figures.mean([run.vus_pr for run in _of_columns(runs, several)]), 3) for several in (False, True)),
        _figure(figures.mean([run.auc_pr for run in runs]), 3),
        _figure(figures.recall(found)),
        _figure(figures.false_per_week(found)),
        _figure(figures.event_f1(found)),
        _minutes(found),
        f"{_number(figures.recall(loose).value)} ({_number(figures.false_per_week(loose).value, 1)})",
        _figure(budget),
        f"{sum(run.seconds for run in runs):.0f}",
    ]


def _lead(by_name: dict[str, list[Run]]) -> list[str]:
    """How far `auto` is ahead of the best other one, and what choosing per series in hindsight would give."""
    others = {name: runs for name, runs in by_name.items() if name != _OURS}
    if _OURS not in by_name or not others:
        return []
    lines = []
    for title, several in (("one column", False), ("several columns", True)):
        ours = _of_columns(by_name[_OURS], several)
        if not any(math.isfinite(run.vus_pr) for run in ours):
            continue
        means = {name: figures.mean([run.vus_pr for run in _of_columns(of, several)]) for name, of in others.items()}
        best = max(means, key=lambda name: means[name].value)
        lead = figures.difference(ours, _of_columns(others[best], several))
        table_ = np.array([[run.vus_pr for run in _of_columns(of, several)] for of in others.values()])
        hindsight = figures.mean(table_.max(axis=0).tolist())
        lines.append(
            f"- VUS-PR, {title}: `{_OURS}` minus the best other, {_title(best)}, series by series: "
            f"**{_figure(lead, 3)}**. The best of the others chosen for each series in hindsight: "
            f"{_figure(hindsight, 3)}."
        )
    return ["\n".join(lines)] if lines else []


_MEASURES: tuple[tuple[str, Callable[[Sequence[Run]], str]], ...] = (
    ("VUS-PR", lambda runs: _number(figures.mean([run.vus_pr for run in runs]).value, 3)),
    ("AUC-PR", lambda runs: _number(figures.mean([run.auc_pr for run in runs]).value, 3)),
    ("Event recall with the shipped knob", lambda runs: _number(figures.recall([run.found for run in runs]).value)),
    (
        "False events per series-week with the shipped knob",
        lambda runs: _number(figures.false_per_week([run.found for run in runs]).value),
    ),
    ("Event F1 with the shipped knob", lambda runs: _number(figures.event_f1([run.found for run in runs]).value)),
    ("Median delay with the shipped knob", lambda runs: _minutes([run.found for run in runs])),
    (
        "Event recall at 5 % of the set's normal points",
        lambda runs: _number(figures.recall(figures.at_false_points(runs, _FALSE_POINTS)).value),
    ),
)


def _by_set(by_name: dict[str, list[Run]]) -> list[str]:
    """A table for each measure: sets as rows, detectors as columns."""
    groups = _groups(by_name)
    parts = []
    for title, measure in _MEASURES:
        rows = [[group, *(measure(runs) for runs in of.values())] for group, of in groups.items()]
        parts += [f"### {title}", table(("set", *map(_title, by_name)), rows)]
    return parts


def _groups(by_name: dict[str, list[Run]]) -> dict[str, dict[str, list[Run]]]:
    sets = dict.fromkeys(run.case.set for runs in by_name.values() for run in runs)
    groups = {name: {d: [run for run in of if run.case.set == name] for d, of in by_name.items()} for name in sets}
    for title, several in (("**one column**", False), ("**several columns**", True)):
        of_columns = {name: _of_columns(of, several) for name, of in by_name.items()}
        if any(of_columns.values()):
            groups[title] = of_columns
    return groups | {"**all**": by_name}


def _nab(by_name: dict[str, list[Run]]) -> list[str]:
    if not any(by_name.values()):
        return []
    scored = {name: figures.nab_scores(runs) for name, runs in by_name.items()}
    rows = [[_title(name), *(_number(value, 1) for value in scores.values())] for name, scores in scored.items()]
    files, windows = len(next(iter(by_name.values()))), sum(run.case.stretches for run in next(iter(by_name.values())))
    note = (
        f"Standard profile, {files} of the benchmark's 58 files, {windows} windows; 0 is silence, 100 perfect. *Event "
        "starts*: the first row of each event counts, as somebody on call is told once; *all rows*: every flagged row "
        "does, as in the published table. *Optimized*: with the one threshold that suits the corpus best, as there."
    )
    return ["### NAB score", note, table(("detector", *next(iter(scored.values()))), rows)]


def _series(cases: Sequence[Case]) -> str:
    header = ("set", "series", "columns", "rows scored", "rows of history", "step", "stretches", "labelled", "weeks")
    rows = []
    for name in dict.fromkeys(case.set for case in cases):
        own = [case for case in cases if case.set == name]
        steps = sorted({round(case.step_us / 60e6) for case in own})
        scored, labelled = sum(len(case.times) for case in own), sum(int(case.labels.sum()) for case in own)
        sums = [f"{scored:,}", f"{sum(case.history_rows for case in own):,}", f"{', '.join(map(str, steps))} min"]
        ends = [sum(case.stretches for case in own), f"{labelled / scored:.1%}", f"{sum(c.weeks for c in own):.0f}"]
        rows.append([name, len(own), max(case.columns for case in own), *sums, *ends])
    return table(header, rows)


def _absent(names: Sequence[str]) -> list[str]:
    missing = [name for name in EXPECTED if name not in names]
    return [f"**Not in this run**: {', '.join(missing)}."] if missing else []


def _failures(runs: Sequence[Run]) -> list[str]:
    failed = [f"- {run.detector} on {run.case.set}/{run.case.name}: {run.error}" for run in runs if run.error]
    return ["**Runs without an answer**, counted as silence:\n\n" + "\n".join(failed)] if failed else []


def _line(run: Run) -> dict[str, object]:
    found, case = run.found, run.case
    identity = {"set": case.set, "series": case.name, "detector": run.detector}
    shape = {"columns": case.columns, "rows": len(case.times), "weeks": case.weeks, "stretches": found.stretches}
    ranking = {"vus_pr": _known(run.vus_pr), "auc_pr": _known(run.auc_pr)}
    counts = {"hits": found.hits, "events": found.events, "false_events": found.false_events}
    delay = {"median_delay_min": _known(figures.median_delay_min([found]))}
    ends = {"normal_flagged": _known(run.normal_flagged), "seconds": run.seconds, "error": run.error}
    return identity | shape | ranking | counts | delay | ends


def _of_columns(runs: Sequence[Run], several: bool) -> list[Run]:
    return [run for run in runs if (run.case.columns > 1) == several]


def _title(name: str) -> str:
    return f"*{name}*" if is_baseline(name) else name


def _minutes(found: Sequence[Found]) -> str:
    return f"{_number(figures.median_delay_min(found), 0)} min".replace(f"{_NONE} min", _NONE)


def _figure(figure: Figure, digits: int = 2) -> str:
    if not math.isfinite(figure.value):
        return _NONE
    return f"{figure.value:.{digits}f} ({_number(figure.low)} to {_number(figure.high)})"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else _NONE


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
