"""Changes in words beside what followed them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components.core.changes import follows, read_changes
from components.core.errors import InputError

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def changes(*rows: tuple[float, str]) -> pl.DataFrame:
    times = [NOON + timedelta(minutes=minutes) for minutes, _ in rows]
    return pl.DataFrame(
        {"timestamp": times, "what": [what for _, what in rows]},
        schema={"timestamp": pl.Datetime("us", "UTC"), "what": pl.String},
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(-12, "release 4.1")], "12 minutes after release 4.1"),
        ([(-12, "release 4.1"), (-1, "restart")], "1 minute after restart"),
        ([(-0.2, "restart")], "right after restart"),
        ([(3, "restart")], "right after restart"),
        ([(6, "restart")], ""),
        ([(-61, "release 4.1")], ""),
        ([], ""),
    ],
)
def test_the_newest_change_of_the_hour_before_is_named(rows: list[tuple[float, str]], expected: str) -> None:
    assert follows(changes(*rows), NOON, timedelta(minutes=5)) == expected


def test_a_file_of_changes_may_lack_the_service(tmp_path: Path) -> None:
    path = tmp_path / "changes.csv"
    path.write_text("timestamp,what\n2026-01-05T12:00:00Z,release 4.1\nsoon,release 4.2\n")
    assert read_changes(path).rows() == [(NOON, None, "release 4.1")]


def test_a_file_without_the_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "changes.csv"
    path.write_text("timestamp,service\n2026-01-05T12:00:00Z,cart\n")
    with pytest.raises(InputError, match=r"changes\.csv: no column 'what' \(found timestamp, service\)"):
        read_changes(path)
