"""`make bench-shop`: are the synthetic shop's injected faults of one day forecast, detected and explained?

For each seed the whole product runs on 30 days of the shop, step by step and without servers. The models are
trained on what came before the scored day. Thresholds were chosen on other seeds (1 to 8).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from components.core import step
from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.settings import settings
from components.core.spec import Spec, specs
from components.core.times import Window, floor, iso
from components.telemetry.shop import Fault, Shop
from tests.benchmarks.results import write_section
from tests.benchmarks.shop_report import Incident, Outcome, report

ANCHOR = datetime(2026, 3, 14, 12, tzinfo=UTC)
SEEDS = (11, 12)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
#: A forecast counts when it gives at least this probability, the one at which an incident is opened.
_FORECAST = 0.7
#: Faults that go from their first sign to their limit faster than this cannot be forecast by an hourly run.
_SHORTEST_NOTICE = timedelta(hours=3)
_BEFORE, _AFTER = timedelta(minutes=10), timedelta(minutes=20)


class Replay:
    """The product on one seed's telemetry, in a folder of its own."""

    def __init__(self, seed: int, home: Path) -> None:
        self.seed, self.home, self.lake = seed, home, Lake(str(home / "lake"))
        self.shop = Shop(seed, ANCHOR)

    def run(
        self, name: str, label: str | None = None, uses: dict[str, str] | None = None, **params: Any
    ) -> dict[str, Any]:
        spec = _find(name)
        started = time.monotonic()
        summary = step.run(spec, self._uris(spec, label or name, uses or {}), params)
        print(f"seed {self.seed}: {label or name} took {time.monotonic() - started:.1f} s", file=sys.stderr)
        return summary

    def learn(self) -> None:
        """Import 30 days and train on all but the last of them."""
        before = iso(ANCHOR - _DAY)
        self.run("telemetry.ingest", source=f"shop://?seed={self.seed}&anchor={iso(ANCHOR)}", days=30, end=iso(ANCHOR))
        self.run("quality.validate", as_of=iso(ANCHOR))
        self.run("features.build", as_of=iso(ANCHOR))
        self.run("features.training_set", as_of=before)
        self._train("anomaly", {"training_set": "features.training_set"}, before)
        self._train("forecasting", {}, before)

    def score(self) -> None:
        """The scored day in one look at its end.

        Detection looks back only, so the incidents are those of the five-minute runs; a diagnosis sees what the run
        some ten minutes after the detection would have seen.
        """
        for hour in sorted(self.forecast_hours() | {ANCHOR}):
            self.run("forecasting.predict", f"predict-{hour:%d%H}", as_of=iso(hour))
        now = iso(ANCHOR)
        self.run("anomaly.score", as_of=now, lookback_h=24)
        self.run("logs.mine", as_of=now)
        # The call graph is a by-product of diagnosing; the first round finds it for the second to group by.
        self.run("rootcause.diagnose", "calls", as_of=iso(ANCHOR - _DAY))
        self.run("actions.correlate", as_of=now)
        self.run("rootcause.diagnose", as_of=now)

    def forecast_hours(self) -> set[datetime]:
        """For each fault that can be forecast: the hour its kind's lead time before it passes its limit."""
        return {hour for fault in self.faults() if (hour := _forecast_hour(fault))}

    def faults(self) -> list[Fault]:
        """Faults felt in the scored day, and those after it that grow already."""
        return self.shop.faults(Window(ANCHOR - _DAY, ANCHOR))

    def outcomes(self) -> list[Outcome]:
        incidents = self.incidents()
        return [
            Outcome(
                seed=self.seed,
                fault=fault,
                # A failure that has not begun to hurt within the scored day cannot be detected in it.
                due=fault.acute_start <= ANCHOR,
                forecast=self._was_forecast(fault),
                incident=_match(fault, incidents),
                limit_alarm=self._limit_alarm(fault),
            )
            for fault in self.faults()
            if not fault.decoy
        ]

    def incidents(self) -> list[Incident]:
        """Anomaly incidents of the scored day (forecast ones are judged apart)."""
        causes = {
            row["incident_id"]: json.loads(row["causes"]) for row in self.lake.read_snapshot("diagnoses").to_dicts()
        }
        found = []
        for row in self.lake.read_snapshot("incidents").iter_rows(named=True):
            evidence = json.loads(row["evidence"])
            if evidence[0]["kind"] == "forecast":
                continue
            first = (causes.get(row["incident_id"]) or [{"service": "", "kind": ""}])[0]
            worst = max((item for item in evidence if item["kind"] == "anomaly"), key=lambda item: item["score"])
            found.append(
                Incident(
                    row["title"],
                    row["started_at"],
                    row["detected_at"],
                    row["resolved_at"] or row["updated_at"],
                    tuple(json.loads(row["services"])),
                    worst["service"],
                    first["service"],
                    first["kind"],
                )
            )
        return found

    def unexplained(self) -> list[tuple[Incident, str]]:
        """Incidents that no fault explains, with the decoy that does (or an empty text)."""
        faults = self.faults()
        real = [fault for fault in faults if not fault.decoy]
        lone = [incident for incident in self.incidents() if not any(_overlaps(fault, incident) for fault in real)]
        decoys = [fault for fault in faults if fault.decoy]
        return [(i, next((d.kind for d in decoys if _overlaps(d, i)), "")) for i in lone]

    def _train(self, domain: str, uses: dict[str, str], as_of: str) -> None:
        fetch = f"fetch-{domain}"
        self.run(f"{domain}.train", uses=uses, as_of=as_of)
        trained = dict.fromkeys(("model", "holdout", "training"), f"{domain}.train")
        self.run("lifecycle.register", f"register-{domain}", uses=trained)
        self.run("lifecycle.fetch", fetch, model=f"traceo-{domain}")
        self.run(f"{domain}.evaluate", uses=dict.fromkeys(("champion", "challenger", "holdout"), fetch))
        self.run("lifecycle.gate", f"gate-{domain}", uses={"evaluation": f"{domain}.evaluate", "candidates": fetch})
        verdict = {"verdict": f"gate-{domain}", "candidates": fetch}
        self.run("lifecycle.promote", f"promote-{domain}", uses=verdict, decided_at=as_of)

    def _uris(self, spec: Spec, label: str, uses: dict[str, str]) -> dict[str, str]:
        suffix = {"table": ".parquet", "json": ".json", "folder": ""}
        found = {}
        for port in spec.ports:
            if port.kind == "lake":
                found[port.name] = self.lake.uri
            elif port in spec.outputs or port.name in uses:
                place = self.home / "runs" / (label if port in spec.outputs else uses[port.name])
                found[port.name] = str(place / (port.name + suffix[port.kind]))
        optional = {port.name for port in spec.inputs if port.optional}
        return {n: u for n, u in found.items() if n not in optional or Path(u + ".meta.json").exists()}

    def _was_forecast(self, fault: Fault) -> bool | None:
        hour = _forecast_hour(fault)
        if hour is None or fault.crosses_limit_at is None:
            return None
        risk = self.lake.read_snapshot("risks", hour).filter(
            pl.col("service") == fault.service, pl.col("metric") == fault.metric
        )
        horizon = next(h for h in (1, 4, 24, 72, 168) if timedelta(hours=h) >= fault.crosses_limit_at - hour)
        probability = risk[f"p_{horizon}h"].to_list() if len(risk) else []
        return bool(probability and probability[0] is not None and probability[0] >= _FORECAST)

    def _limit_alarm(self, fault: Fault) -> bool:
        """The naive baseline: does a five-minute mean of the fault's own services pass its limit meanwhile?"""
        return any(_concerns(fault, service, time) for service, _, time in self._beyond_limit())

    def false_limit_alarms(self) -> int:
        """Series of the scored day that the naive baseline alarms on though no fault concerns them."""
        real = [fault for fault in self.faults() if not fault.decoy]
        return len({(s, m) for s, m, time in self._beyond_limit() if not any(_concerns(f, s, time) for f in real)})

    def _beyond_limit(self) -> list[tuple[str, str, datetime]]:
        """Service, metric and time of every five-minute mean of the scored day beyond its limit."""
        catalog = load_catalog()
        rows = self.lake.read("features", Window(ANCHOR - _DAY, ANCHOR)).select(
            "service", "metric", "timestamp", "mean"
        )
        return [
            (service, metric, time)
            for service, metric, time, mean in rows.iter_rows()
            if (watched := catalog.get(metric))
            and watched.limit is not None
            and _beyond(mean, watched.limit, watched.direction)
        ]


def _beyond(value: float, limit: float, direction: str) -> bool:
    return value > limit if direction == "above" else value < limit


def _find(name: str) -> Spec:
    return next(spec for spec in specs(name.split(".")[0]) if spec.name == name)


def _forecast_hour(fault: Fault) -> datetime | None:
    """The latest hour at which a forecast of this fault is asked for; None where its notice is too short."""
    crossing = fault.crosses_limit_at
    if fault.decoy or crossing is None or crossing - fault.start < _SHORTEST_NOTICE:
        return None
    watched = load_catalog()[fault.metric]
    lead = min(watched.lead_time or _DAY, (crossing - fault.start) / 2)
    return floor(min(crossing - lead, ANCHOR), _HOUR)


def _concerns(fault: Fault, service: str, time: datetime) -> bool:
    """Whether a fault explains what a service shows at a time."""
    in_time = min(fault.start, fault.acute_start) - _BEFORE <= time <= fault.end + _AFTER
    return in_time and service in (fault.service, *fault.affected)


def _overlaps(fault: Fault, incident: Incident) -> bool:
    acute = max(fault.start, min(fault.acute_start, fault.end)) if not fault.decoy else fault.start
    in_time = incident.started_at <= fault.end + _AFTER and incident.ended_at >= acute - _BEFORE
    return in_time and bool({fault.service, *fault.affected} & set(incident.services))


def _match(fault: Fault, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that tells of this fault: of those that overlap it, the one that began nearest to its first harm."""
    candidates = [incident for incident in incidents if _overlaps(fault, incident)]
    return min(candidates, key=lambda i: (abs(i.started_at - fault.acute_start), i.started_at), default=None)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.shop", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--home", type=Path, help="keep the replays here instead of in a temporary folder")
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    arguments = parser.parse_args(argv)
    outcomes: list[Outcome] = []
    limit_alarms = 0
    unexplained: list[tuple[int, Incident, str]] = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as temporary:
            home = (arguments.home or Path(temporary)) / f"seed-{seed}"
            os.environ["TRACEO_HOME"] = str(home)
            settings.cache_clear()
            replay = Replay(seed, home)
            if not replay.lake.snapshots("diagnoses"):
                replay.learn()
                replay.score()
            outcomes += replay.outcomes()
            unexplained += [(seed, incident, decoy) for incident, decoy in replay.unexplained()]
            limit_alarms += replay.false_limit_alarms()
    section = report(outcomes, unexplained, arguments.seeds, limit_alarms)
    print(section)
    if not arguments.no_write:
        write_section("shop", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
