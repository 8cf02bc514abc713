"""`make bench-rootcause`: rank the causes of real and synthetic incidents, one configuration for all.

Needs TRACEO_BENCH_DATA, the folder of the development data with rca/; the shop and the scale need nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.results import write_section
from tests.benchmarks.rootcause import kinds, nezha, past, petshop, rcd, scale, shop, tvdiag
from tests.benchmarks.rootcause.report import Set, pooled, section

_SHOP_SEEDS = (21, 22)
_HEAD = (
    "## Root causes of incidents\n\n`make bench-rootcause`. One configuration for all, nothing keyed on a name. "
    "AC@k: the cause is among the first k; Avg@5: mean of AC@1 to AC@5; intervals are 95 % bootstrap over incidents; "
    "chance: a random order of the same candidates; an answer that abstains on an incident counts as a miss. The rules "
    "were made with these incidents in view (the seeds of the shop apart, but the words by which log lines tell a "
    "kind, `logkinds.py`, were written with its lines in view; the margin of abstention was chosen on seeds 31 to 36), "
    "so that other incidents may fare worse. "
    "BARO's scorer is literal: a series without spread is divided by 1."
)


def sets(root: Path) -> list[Set]:
    """The data sets with real incidents."""
    quiet = nezha.quiet_windows(root)
    return [
        Set(
            "PetShop",
            "Metrics at five minutes. The normal period is another day's, moved to end before the incident; temporal_* "
            "lack one here and borrow that of high_traffic.",
            petshop.incidents(root),
            {"all": petshop.normal_windows(root)},
        ),
        Set(
            "Nezha",
            "Metrics each minute, spans and logs of one minute before and two after each fault. Half an hour before, "
            "with the faults in it. *All* windows without a fault end five seconds before one is injected; earlier "
            "ones linger in some, and logs show others up to a minute before their written time. *Quiet* ones are "
            "noticed five minutes or more after the last fault was written and end 65 s before the next. In some of "
            "those, instances of services were missing though nobody injected it (eight log lines or more with “No "
            "instances available” from two minutes before); *quiet, no outage* leaves them out, a definition that was "
            "made after looking at what was spoken on.",
            nezha.incidents(root),
            {"all": nezha.normal_windows(root), "quiet": quiet, "quiet, no outage": nezha.without_outage(quiet)},
        ),
        Set("TVDiag", "Alerts alone, without times and without past incidents.", tvdiag.incidents(root), timed=False),
        Set("RCD sock-shop", "A smoke test.", rcd.incidents(root)),
    ]


def report(root: Path) -> str:
    found = sets(root)
    faults = [case for seed in _SHOP_SEEDS for case in shop.incidents(seed)]
    decoys = [case for seed in _SHOP_SEEDS for case in shop.decoys(seed)]
    note = "**Synthetic**; the windows without a fault are its harmless decoys (sales, nightly batches)."
    found.append(Set("The shop", note, faults, {"decoys": decoys}, timed=False))
    sections = ["### By data set", pooled(found), *(text for part in found for text in section(part))]
    busy = f"Latencies are wall time on {os.cpu_count()} cores with {_busy():.1f} runnable processes."
    everything = [case for part in found for case in part.incidents]
    alerts = next(part for part in found if part.name == "TVDiag")
    sections += [*past.report(alerts.incidents), *kinds.report(everything), *scale.report()]
    return "\n\n".join([f"{_HEAD} {busy}", *sections])


def _busy() -> float:
    """The load average of the last five minutes: other work on the machine shows in latencies."""
    return os.getloadavg()[1]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rootcause", description=__doc__)
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    arguments = parser.parse_args(argv)
    root = Path(os.environ.get("TRACEO_BENCH_DATA", "")) / "rca"
    if not root.is_dir():
        print("skipped: TRACEO_BENCH_DATA does not name the development data with rca/")
        return 0
    text = report(root)
    print(text)
    if not arguments.no_write:
        write_section("rootcause", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
