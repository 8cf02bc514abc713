"""Does a parser hold when a log is long or all of its lines differ? Generated logs, since their truth is known."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from tests.benchmarks.drain import Drain
from tests.benchmarks.log_speed import run
from tests.benchmarks.parsing import accuracy
from tests.benchmarks.results import table

# Others than those with which the miner was made.
_SEEDS = (11, 12, 13)
_LINES, _TEMPLATES, _DISTINCT = 20_000, 75, 1_000_000
_SUBJECTS = (
    "session", "request", "worker", "replica", "cache", "order", "invoice", "upload", "token", "queue",
    "shard", "index", "tenant", "lease", "probe",
)  # fmt: skip
_VERBS = (
    "opened", "closed", "accepted", "rejected", "moved", "expired", "retried", "flushed", "evicted",
    "scheduled", "stored", "verified",
)  # fmt: skip
_PLACES = ("on {}", "for user {}", "from {}", "after {}", "with id {}", "at {}", "reason={}", "path {}", "state: {}")
_TAILS = (
    "and will be tried again", "by the scheduler", "because the peer went away",
    "within its budget", "without effect", "",
)  # fmt: skip
_NAMES = (
    "anna", "boris", "chen", "dara", "emil", "fatima", "goran", "hana", "ivan", "jun", "kofi", "lena", "mika",
    "nora", "omar", "pia", "quinn", "rosa", "sami", "tara",
)  # fmt: skip


def report(traceo: Callable[[Sequence[str]], tuple[list[str], list[str]]], drain: Drain) -> list[str]:
    """The paragraphs of RESULTS.md on long logs."""
    rows = []
    for seed in _SEEDS:
        lines, truth = long_log(seed)
        for name, parse in (("Traceo", traceo), ("Drain3", drain)):
            found = accuracy(*parse(lines), truth)
            rows.append([name, f"{seed}", f"{found.found} ({found.true})", f"{found.ga:.3f}", f"{found.fga:.3f}"])
    return [
        f"### Templates of {_LINES:,} generated lines",
        f"{_TEMPLATES} statements with one to four variables each (numbers, hex ids, addresses, paths, durations, "
        "names and words without a digit, dotted names, quoted texts, lists of one to six), drawn by a seeded "
        "generator with frequencies that fall as 1/rank. The bar: at most 200 templates. The rules for quoted texts, "
        "for lists and for words that vary together were made with this generator in view (other seeds), so a real log "
        "is harder.",
        table(("", "seed", "templates (true)", "GA", "FGA"), rows),
        f"### {_DISTINCT:,} distinct lines",
        *_distinct_lines(),
    ]


def long_log(seed: int) -> tuple[list[str], list[str]]:
    """Lines and their true templates."""
    rng = random.Random(seed)
    statements = [_statement(rng) for _ in range(_TEMPLATES)]
    chosen = rng.choices(statements, [1 / rank for rank in range(1, _TEMPLATES + 1)], k=_LINES)
    lines = [text.format(*(kind(rng) for kind in kinds)) for text, kinds in chosen]
    return lines, [text.format(*["<*>"] * len(kinds)) for text, kinds in chosen]


def _statement(rng: random.Random) -> tuple[str, list[Callable[[random.Random], str]]]:
    places = rng.sample(_PLACES, rng.randint(1, 4))
    start = f"{rng.choice(_SUBJECTS)} {rng.choice(_SUBJECTS)} {rng.choice(_VERBS)}"
    return " ".join([start, *places, rng.choice(_TAILS)]).strip(), [rng.choice(_KINDS) for _ in places]


def _hex(rng: random.Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


_KINDS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: str(rng.randrange(100_000)),
    lambda rng: _hex(rng, 32),
    lambda rng: ".".join(str(rng.randrange(256)) for _ in range(4)) + f":{rng.randrange(1024, 65536)}",
    lambda rng: "/" + "/".join(rng.sample(_SUBJECTS, rng.randint(2, 4))),
    lambda rng: f"{rng.randrange(5000)} ms",
    lambda rng: rng.choice(_NAMES),
    lambda rng: f'"{" ".join(rng.sample(_NAMES, rng.randint(1, 3)))}"',
    lambda rng: "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))),
    lambda rng: f"com.example.{rng.choice(_SUBJECTS)}.{rng.choice(_SUBJECTS).title()}{rng.choice(_SUBJECTS).title()}",
    lambda rng: f"{rng.choice(_NAMES)}@{rng.choice(_SUBJECTS)}.example.com",
    lambda rng: f"[{', '.join(str(rng.randrange(1000)) for _ in range(rng.randint(1, 6)))}]",
)


def _distinct_lines() -> list[str]:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(20_000)]
    with tempfile.TemporaryDirectory() as folder:
        path, output, templates = (
            Path(folder) / name for name in ("distinct.log", "lines.parquet", "templates.parquet")
        )
        with path.open("w") as stream:
            stream.writelines(f"{' '.join(rng.choices(words, k=rng.randint(4, 12)))}\n" for _ in range(_DISTINCT))
        mb = path.stat().st_size / 1e6
        told = []
        for name, flags in (("--assign-only", ["--assign-only"]), ("in full", [])):
            took = run([str(path), *flags, "--output", str(output), "--templates", str(templates)])
            told.append(f"{name} {took.processor:.0f} s of processor, {took.memory_mb:,.0f} MB of memory")
        counts = pl.read_parquet(templates)["count"]
    return [
        f"Words of letters at random, so that nothing repeats and nothing is masked ({mb:.0f} MB): {'; '.join(told)}. "
        f"{len(counts):,} templates are kept, whose counts add up to {counts.sum():,}; the bar: less than 2 GB.",
    ]
