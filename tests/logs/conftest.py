"""`traceo logs` and a small log to call it on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.cli import __main__ as cli

Command = Callable[..., int]
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGES = (
    "user {word} logged in from 10.0.0.{n}",
    "connection to db-{n} refused after {n} ms",
    "cache warm",
    'GET "/cart/{n}" \\ 200 <*> {word}',
    "",
)


def log_lines(count: int) -> list[str]:
    words = ["anna", "bob", "carl", "dora", "émile", "fay", "gus", "hal"]
    return [
        f"{(START + timedelta(seconds=n)):%Y-%m-%d %H:%M:%S} {('INFO', 'ERROR')[n % 5 == 1]} shop.cart.Handler: "
        + MESSAGES[n % 5].format(word=words[n // 5 % 8], n=n)
        for n in range(count)
    ]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(cli, "COMMANDS", ("logs",))
    return lambda *argv: cli.main(["logs", *map(str, argv)])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("\n".join(log_lines(400)) + "\n")
    return path
