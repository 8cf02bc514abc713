"""Files in blocks, blocks in the archive: each line once, whatever is retried, killed or still being written."""

import gzip
import itertools
import random
from datetime import UTC, datetime
from pathlib import Path

import boto3
import polars as pl
import pyarrow.parquet as pq
import pytest

from components.core import step, storage
from components.core.errors import InputError, StorageError
from components.logs import archive
from components.logs.archive import account_of, matching_groups, search, write_block, written_blocks
from components.logs.blocks import BlockRef, plan_blocks
from components.logs.masking import fill, template_id
from components.logs.reduction import archive_block
from components.logs.specs import COLLECT
from components.logs.states import merge_states, state_of

LINES = [
    f"2026-01-02 0{3 + n // 200}:{n // 60 % 60:02}:{n % 60:02} INFO shop.Cart: order {n} paid by u-{n % 7}"
    for n in range(600)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_text("\n".join(LINES) + "\n")
    return tmp_path / "in"


def archived(folder: Path, uri: str, block_bytes: int = 5000) -> list[BlockRef]:
    blocks = plan_blocks(folder, written_blocks(uri), block_bytes)
    for block in blocks:
        archive_block(str(folder), block, uri, 1970)
    return blocks


def lines_of(uri: str) -> list[str]:
    found = pl.concat(list(search(uri)))
    texts = {name: text for block in written_blocks(uri) for name, text, _ in account_of(uri, block)["templates"]}
    return sorted(fill(texts[name], values) for name, values in found.select("template_id", "parameters").iter_rows())


@pytest.mark.parametrize("block_bytes", [1, 100, 5000, 10**9])
def test_blocks_hold_every_line_once(folder: Path, block_bytes: int) -> None:
    content = (folder / "a.log").read_bytes()
    blocks = plan_blocks(folder, [], block_bytes)
    assert b"".join(content[block.start : block.end] for block in blocks) == content
    assert all(content[block.end - 1 : block.end] == b"\n" for block in blocks)


def test_what_is_done_is_not_planned_again_and_gaps_are(folder: Path) -> None:
    blocks = plan_blocks(folder, [], 5000)
    some = [block.name for block in blocks if block != blocks[3]]
    assert plan_blocks(folder, some, 5000) == [blocks[3]]
    assert plan_blocks(folder, [block.name for block in blocks], 777) == []


def test_a_line_that_is_being_written_waits(folder: Path, tmp_path: Path) -> None:
    uri = str(tmp_path / "archive")
    with (folder / "a.log").open("a") as stream:
        stream.write("2026-01-02 06:00:00 INFO shop.Cart: order 600 paid by u")
        stream.flush()
        archived(folder, uri)
        assert len(lines_of(uri)) == 600
        stream.write("-1\n")
    archived(folder, uri)
    assert lines_of(uri)[-1] == "order 99 paid by u-1"
    assert "order 600 paid by u-1" in lines_of(uri)
    assert len(lines_of(uri)) == 601


def test_a_compressed_file_is_one_block(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log.gz").write_bytes(gzip.compress("\n".join(LINES).encode(), mtime=0))
    assert len(archived(tmp_path / "in", str(tmp_path / "archive"), 10)) == 1
    assert len(lines_of(str(tmp_path / "archive"))) == 600
    assert plan_blocks(tmp_path / "in", written_blocks(str(tmp_path / "archive")), 10) == []


def test_the_archive_gives_the_messages_back(folder: Path, tmp_path: Path) -> None:
    uri = str(tmp_path / "archive")
    archived(folder, uri)
    assert lines_of(uri) == sorted(line.partition("Cart: ")[2] for line in LINES)
    assert {path.parent.name for path in Path(uri).rglob("*.parquet")} == {
        f"hour=2026-01-02T0{hour}" for hour in (3, 4, 5)
    }


def test_a_worker_killed_within_a_block_loses_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, clean = str(tmp_path / "archive"), str(tmp_path / "clean")
    block = plan_blocks(folder, [], 10**9)[0]
    writes = itertools.count()
    write = storage.write_bytes

    def killed(place: str, data: bytes) -> None:
        if next(writes) == 2:
            raise KeyboardInterrupt
        write(place, data)

    monkeypatch.setattr(archive.storage, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        archive_block(str(folder), block, uri, 1970)
    monkeypatch.undo()
    assert list(search(uri)) == []
    for _ in range(2):  # once for the retry, once for a runner that works on a block twice
        archive_block(str(folder), block, uri, 1970)
    archive_block(str(folder), block, clean, 1970)
    assert [path.read_bytes() for path in sorted(Path(uri).rglob("*.*"))] == [
        path.read_bytes() for path in sorted(Path(clean).rglob("*.*"))
    ]
    assert len(lines_of(uri)) == 600


def test_parameters_come_back_in_order_however_many_there_are(tmp_path: Path) -> None:
    lists = [[str(n) for n in range(count)] for count in (0, 1, 32, 33, 70)] + [["", "", ""]]
    columns = {name: [None] * len(lists) for name in ("timestamp", "service", "severity", "trace_id")}
    schema = dict.fromkeys(columns, pl.String) | {"timestamp": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(columns, schema=schema).with_columns(template=pl.lit("<*>"), parameters=pl.Series(lists))
    for rows in (frame, frame.head(1)):
        write_block(str(tmp_path), "aa-0-1", rows)
        assert pl.concat(list(search(str(tmp_path))))["parameters"].to_list() == rows["parameters"].to_list()
    write_block(str(tmp_path), "aa-0-1", frame)
    assert [part["parameters"].list.len().to_list() for part in search(str(tmp_path), parameter="32")] == [[33, 70]]


def test_a_search_reads_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_GROUP_LINES", 4096)
    rng = random.Random(0)
    kinds = [f"kind{chr(97 + n)} of thing <*> happened" for n in range(20)]
    rows = [(datetime(2026, 1, 2, n % 3, tzinfo=UTC), rng.choice(kinds), [str(n)]) for n in range(60_000)]
    frame = pl.DataFrame(rows, schema={"timestamp": pl.Datetime("us", "UTC"), "template": pl.String,
        "parameters": pl.List(pl.String)}, orient="row")  # fmt: skip
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("service", "severity", "trace_id")]
    uri = str(tmp_path)
    write_block(uri, "aa-0-1", frame.with_columns(nothing))
    wanted = next(row for row in rows if row[1] == kinds[3])
    found = pl.concat(list(search(uri, template_id(kinds[3]), wanted[2][0])))
    assert found.select("timestamp", "parameters").rows() == [(wanted[0], wanted[2])]
    hours = pl.concat(
        list(search(uri, start=datetime(2026, 1, 2, 1, tzinfo=UTC), end=datetime(2026, 1, 2, 2, tzinfo=UTC)))
    )
    assert len(hours) == 20_000
    file = pq.ParquetFile(next(Path(uri).rglob("hour=2026-01-02T01/*.parquet")))
    assert file.num_row_groups == 5
    assert len(list(matching_groups(file, template_id(kinds[3])))) <= 2
    assert list(search(uri, template_id("absent"))) == []


@pytest.mark.parametrize("seed", range(3))
def test_states_add_up_in_any_order_and_grouping(seed: int) -> None:
    rng = random.Random(seed)
    states = [{rng.choice("abcde"): ("text", rng.randrange(9)) for _ in range(3)} for _ in range(8)]
    whole = merge_states(states)
    rng.shuffle(states)
    cut = rng.randrange(8)
    assert merge_states([merge_states(states[cut:]), {}, merge_states(states[:cut])]) == whole


def test_the_step_counts_blocks_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    def run(blocks, source, uri, year, options):  # Beam takes seconds; `make test-slow` runs it
        for block in (*blocks, blocks[0]):
            archive_block(source, block, uri, year)

    monkeypatch.setitem(sys.modules, "components.logs.pipeline", SimpleNamespace(run_pipeline=run))
    uris = {"lake": str(tmp_path / "lake"), "collected": str(tmp_path / "collected.json")}
    params = {"folder": str(folder), "block_mb": 0.005}
    first = step.run(COLLECT, uris, params)
    assert (first["lines"], first["templates"]) == (600, 1)
    assert step.run(COLLECT, uris, params) == first
    assert first["most_frequent"][0]["template"] == "order <*> paid by <*>"


def test_a_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    uris = {"lake": str(tmp_path / "lake"), "collected": str(tmp_path / "collected.json")}
    with pytest.raises(InputError, match="no such folder of log files"):
        step.run(COLLECT, uris, {"folder": str(tmp_path / "absent")})
    assert step.run(COLLECT, uris)["blocks"] == 0


def test_lines_are_kept_hot_then_archived_then_deleted(bucket: str) -> None:
    client = boto3.client("s3")
    other = {"ID": "mine", "Filter": {"Prefix": "x/"}, "Status": "Enabled", "Expiration": {"Days": 1}}
    client.put_bucket_lifecycle_configuration(Bucket="traceo", LifecycleConfiguration={"Rules": [other]})
    for hot in (7, 30, 30):
        storage.keep_days(f"{bucket}/lake/log_archive", hot, 365)
    rules = {rule["ID"]: rule for rule in client.get_bucket_lifecycle_configuration(Bucket="traceo")["Rules"]}
    assert set(rules) == {"mine", "traceo lake/log_archive"}
    rule = rules["traceo lake/log_archive"]
    assert rule["Filter"] == {"Prefix": "lake/log_archive/"}
    assert rule["Transitions"] == [{"Days": 30, "StorageClass": "GLACIER_IR"}]
    assert rule["Expiration"] == {"Days": 395}
    client.delete_bucket_lifecycle(Bucket="traceo")
    storage.keep_days(f"{bucket}/lake/log_archive", 30, 365)
    assert len(client.get_bucket_lifecycle_configuration(Bucket="traceo")["Rules"]) == 1
    with pytest.raises(StorageError, match="how long"):
        storage.keep_days("s3://absent/x", 30, 365)


def test_the_state_of_an_account() -> None:
    assert state_of({"templates": [["id", "text <*>", 3]]}) == {"id": ("text <*>", 3)}
