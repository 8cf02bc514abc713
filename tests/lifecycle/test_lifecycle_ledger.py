"""The ledger: one row per decision, and a chain that shows every tampering."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import StorageError
from components.core.verdict import Verdict
from components.lifecycle import ledger

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def decision(
    version: str, action: ledger.Action = "promoted", when: datetime = NOON, **changes: Any
) -> ledger.Decision:
    verdict = Verdict(outcome="PASS", reason="better", metrics=(), test="t", p_value=0.015625, effect=0.1 + 0.2)
    content = {"model": "m", "who": "gate", "why": "better", "previous": None, "run_id": "r", "evidence": verdict}
    return ledger.Decision(**{**content, "version": version, "action": action, "when": when, **changes})


@pytest.fixture
def home(tmp_path: Path) -> str:
    for number in range(1, 4):
        ledger.append(str(tmp_path), decision(str(number), when=NOON + number * HOUR))
    return str(tmp_path)


def row_path(home: str, number: int) -> Path:
    return Path(home, "ledger", f"{number:08d}.json")


def test_rows_are_chained_in_order(home: str) -> None:
    rows = ledger.rows(home)
    assert [(row.sequence, row.version) for row in rows] == [(1, "1"), (2, "2"), (3, "3")]
    assert [row.previous_hash for row in rows] == [ledger.GENESIS, rows[0].hash, rows[1].hash]
    assert ledger.verify(home) == []


def test_the_same_decision_is_written_once(home: str) -> None:
    again = ledger.append(home, decision("2", when=NOON + 2 * HOUR))
    assert again.sequence == 2
    assert len(ledger.rows(home)) == 3
    assert ledger.append(home, decision("2", when=NOON + 9 * HOUR)).sequence == 4


def test_an_altered_row_shows(home: str) -> None:
    path = row_path(home, 2)
    path.write_text(json.dumps({**json.loads(path.read_text()), "who": "somebody else"}))
    assert ledger.verify(home) == ["row 2 was altered: its content does not give its hash"]


def test_a_row_altered_with_a_matching_hash_shows_at_the_next(home: str) -> None:
    path = row_path(home, 2)
    forged = ledger.Row(**{**json.loads(path.read_text()), "who": "somebody else", "hash": ""})
    forged = forged.model_copy(update={"hash": ledger._digest(forged)})
    path.write_text(forged.model_dump_json())
    assert ledger.verify(home) == ["row 3 does not follow the row before it"]


def test_a_removed_row_shows(home: str) -> None:
    row_path(home, 2).unlink()
    assert ledger.verify(home) == ["row 2 is missing before row 3", "row 3 does not follow the row before it"]


def test_a_file_that_is_no_row_is_named(home: str) -> None:
    row_path(home, 2).write_text('{"sequence": 2}')
    with pytest.raises(StorageError, match=r"00000002\.json: not a ledger row"):
        ledger.rows(home)


def test_an_empty_ledger_is_whole(tmp_path: Path) -> None:
    assert ledger.verify(str(tmp_path)) == []
    assert ledger.champion_at(str(tmp_path), "m", NOON) is None


@pytest.mark.parametrize(("hours", "version"), [(0.9, None), (1, "1"), (1.5, "1"), (2, "2"), (3, "3"), (99, "3")])
def test_the_champion_of_an_instant(home: str, hours: float, version: str | None) -> None:
    ledger.append(home, decision("9", "rejected", when=NOON + 4 * HOUR))
    ledger.append(home, decision("8", model="other", when=NOON + 1 * HOUR))
    assert ledger.champion_at(home, "m", NOON + hours * HOUR) == version


def test_writers_at_once_each_get_a_row(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=ledger.append, args=(str(tmp_path), decision(str(number)))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.version for row in ledger.rows(str(tmp_path))) == [str(number) for number in range(8)]
    assert ledger.verify(str(tmp_path)) == []
    assert [path.name for path in (tmp_path / "ledger").iterdir() if path.suffix != ".json"] == []
