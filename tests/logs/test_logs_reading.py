"""Bytes to lines, headers learnt, fields found."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import zstandard

from components.core.errors import InputError
from components.logs import reading
from components.logs.header import NO_HEADER, learn_header
from components.logs.layouts import trace_in_text
from components.logs.source import open_source

TEXT = "first line\nsecond ligne é\r\n\nlast without newline"
LINES = ["first line", "second ligne é", "", "last without newline"]


def lines_of(path: Path) -> list[str]:
    return [line for block in reading.read_lines(path) for line in block.to_pylist()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.log", TEXT.encode()),
        ("a.log.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("two-members.gz", gzip.compress(TEXT[:10].encode(), mtime=0) + gzip.compress(TEXT[10:].encode(), mtime=0)),
        ("a.log.zst", zstandard.compress(TEXT.encode())),
        ("two-frames.zst", zstandard.compress(TEXT[:10].encode()) + zstandard.compress(TEXT[10:].encode())),
        ("bom.log", b"\xef\xbb\xbf" + TEXT.encode()),
        ("utf16.log", TEXT.encode("utf-16")),
        ("empty-frame.zst", zstandard.compress(b"") + zstandard.compress(TEXT.encode("utf-16"))),
        ("skipped-frame.zst", b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(b"\xef\xbb\xbf" + TEXT.encode())),
        ("utf16be.log", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("bare-utf16.log", TEXT.encode("utf-16-le")),
    ],
)
def test_lines(tmp_path: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(content)
    assert lines_of(tmp_path / name) == LINES
    monkeypatch.setattr(reading, "BLOCK_BYTES", 7)
    monkeypatch.setattr(reading, "PIECE_BYTES", 7)
    assert lines_of(tmp_path / name) == LINES


def test_a_byte_order_mark_within_the_text_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", 100)
    text = "a" * 49 + "\ufeffb" * 60
    (tmp_path / "a.log").write_bytes(text.encode("utf-16"))
    assert lines_of(tmp_path / "a.log") == [text]


def test_broken_utf8_nul_bytes_and_long_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"bad \xff\xfe byte\nnul \x00 byte\n" + b"x" * 20_000_000 + b"\nend")
    lines = lines_of(path)
    assert lines[:2] == ["bad \ufffd\ufffd byte", "nul \x00 byte"]
    assert len(lines[2]) == 20_000_000
    assert lines[3:] == ["end"]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_truncated_files_are_refused(tmp_path: Path, compress) -> None:
    path = tmp_path / ("a.gz" if compress is gzip.compress else "a.zst")
    path.write_bytes(compress(("line of text\n" * 5000).encode())[:-6])
    with pytest.raises(InputError, match="truncated or damaged"):
        lines_of(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.log", b""),
        ("a.gz", gzip.compress(b"", mtime=0)),
        ("a.zst", zstandard.compress(b"")),
        ("bom.log", b"\xef\xbb\xbf"),
        ("utf16.log", b"\xff\xfe"),
    ],
)
def test_empty_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="is empty"):
        lines_of(tmp_path / name)


# Each: five lines of one log's making; the first one's time, severity, service and message.
HEADERS = {
    "java": (
        "2015-10-18 18:01:47,978 {level} [main] org.apache.{word}.Master: Created job {n}",
        ("2015-10-18T18:01:47.978000", "INFO", "org.apache.alpha.Master", "Created job 0"),
    ),
    "syslog": (
        "Jun  4 15:16:0{n} combo sshd(pam_unix)[1993{n}]: check {word}; user unknown",
        ("1970-06-04T15:16:00", None, "sshd(pam_unix)", "check alpha; user unknown"),
    ),
    "apache": (
        "[Sun Dec 04 04:47:4{n} 2005] [notice] workerEnv.init() ok {word}",
        ("2005-12-04T04:47:40", "INFO", None, "workerEnv.init() ok alpha"),
    ),
    "hdfs": (
        "081109 20361{n} 148 INFO dfs.{word}$Responder: Packet {n} for block blk_1{n}",
        ("2008-11-09T20:36:10", "INFO", "dfs.alpha$Responder", "Packet 0 for block blk_10"),
    ),
    "iso": (
        "2026-01-02T03:04:0{n}.5+02:00 {level} {word} happened",
        ("2026-01-02T01:04:00.500000", "INFO", None, "alpha happened"),
    ),
    "bracketed": (
        "2026-01-02 03:04:0{n} - {level} - [worker {n}] - {word} happened",
        ("2026-01-02T03:04:00", "INFO", None, "alpha happened"),
    ),
    "unix": ("176730984{n} {level} {word} happened", ("2026-01-01T23:24:00", "INFO", None, "alpha happened")),
    "android": (
        "03-17 16:13:3{n}.811  1702  239{n} D Window{word}: vis={n}",
        ("1970-03-17T16:13:30.811000", "DEBUG", "Windowalpha", "vis=0"),
    ),
    "klog": (
        "W0102 15:04:0{n}.123456    1{n} node.go:12{n}] {word} happened",
        ("1970-01-02T15:04:00.123456", "WARN", "node.go", "alpha happened"),
    ),
    "piped": (
        "20171223-22:15:2{n}:606|Step_{word}|3000231{n}|{level}|changed {n}",
        ("2017-12-23T22:15:20.606000", "INFO", "Step_alpha", "changed 0"),
    ),
    "program and dash": (
        "[10.30 16:49:0{n}] chrome.exe - {word}:507{n} open",
        ("1970-10-30T16:49:00", None, "chrome.exe", "alpha:5070 open"),
    ),
    "no time": ("{level} {word}: done {n}", (None, "INFO", "alpha", "done 0")),
    "bare": ("{word} happened {n} times", (None, None, None, "alpha happened 0 times")),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_are_learnt(tmp_path: Path, kind: str) -> None:
    pattern, (time, severity, service, message) = HEADERS[kind]
    words, levels = ("alpha", "beta", "gamma", "delta", "eps"), ("INFO", "WARN", "INFO", "ERROR", "info")
    lines = [pattern.format(n=n, word=words[n], level=levels[n]) for n in range(5)]
    path = tmp_path / "a.log"
    path.write_text("\n".join([*lines, "\tat continued line"]))
    source = open_source(path)
    records = pl.concat([source.records(block, 1970) for block in source.blocks()])
    expected = datetime.fromisoformat(time).replace(tzinfo=UTC) if time else None
    first = records.row(0, named=True)
    assert (first["timestamp"], first["severity"], first["service"]) == (expected, severity, service)
    assert first["message"] == message
    assert records["message"].to_list()[-1].strip() == "at continued line"


def test_prose_has_no_header() -> None:
    assert learn_header(["It was a dark night.", "Then, at 12:30 it rained.", "Error: none"]) == NO_HEADER


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"ts":"2026-01-02T03:04:05Z","level":"warning","msg":"slow \\"query\\" 5",'
        '"service":"db","trace_id":"abc12345"}\n'
        '{"ts":"2026-01-02T03:04:06Z","level":"error","msg":"nested","extra":{"msg":"no"}}\n'
        "not json\n"
        '{"other": 1}\n'
    )
    source = open_source(path, "jsonl")
    records = source.records(next(source.blocks()), 1970)
    assert records["message"].to_list() == ['slow "query" 5', "nested", "not json", '{"other": 1}']
    assert records["severity"].to_list() == ["WARN", "ERROR", None, None]
    assert records["service"].to_list() == ["db", None, None, None]
    assert records["trace_id"].to_list() == ["abc12345", None, None, None]
    assert records["timestamp"][1] == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


def test_json_with_numbers_that_printf_padded(tmp_path: Path) -> None:
    fields = '"ms":%03d,"n":[-07, 0.05, 10, 0],"level":"info","msg":"at 03:04, 05 of \\"07\\": %d"'
    lines = [f'{{"ts":"2026-01-02T03:04:05Z",{fields % (n, n)}}}' for n in range(120)]
    found = records_of(tmp_path / "a.log", "\n".join(lines))
    assert found["message"].to_list() == [f'at 03:04, 05 of "07": {n}' for n in range(120)]
    assert set(found["severity"]) == {"INFO"}
    assert found["timestamp"].null_count() == 0


def test_traces_are_found_in_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("TraceID: 04c87ec97bae041b SpanID: e4 done\nno trace\ntrace_id=deadbeefcafe0123 x\n")
    source = open_source(path)
    messages = source.records(next(source.blocks()), 1970)
    found = messages.select(trace_in_text(pl.col("message"))).to_series().to_list()
    assert found == ["04c87ec97bae041b", None, "deadbeefcafe0123"]


def test_a_table_needs_a_body(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,text\n2026-01-01T00:00:00Z,hello\n")
    with pytest.raises(InputError, match="no column 'body'"):
        open_source(path)


def records_of(path: Path, text: str, year: int = 2026) -> pl.DataFrame:
    path.write_text(text)
    source = open_source(path)
    return pl.concat([source.records(block, year) for block in source.blocks()])


def test_a_column_that_is_filled_up_with_spaces_is_no_message(tmp_path: Path) -> None:
    channels = ("CBS", "CSI")
    lines = [f"2016-09-28 04:30:{n:02}, Info                  {channels[n % 2]}    Loaded {n}" for n in range(60)]
    found = records_of(tmp_path / "a.log", "\n".join(lines))
    assert found["message"].to_list() == [f"Loaded {n}" for n in range(60)]


def test_timestamps_in_five_formats_in_one_file(tmp_path: Path) -> None:
    stamps = (
        "2026-01-02T03:04:05Z INFO", "[02/Jan/2026:03:04:05 +0000] INFO", "Jan  2 03:04:05 INFO",
        "1767323045 INFO", "2026/01/02 03:04:05 INFO",
    )  # fmt: skip
    found = records_of(tmp_path / "a.log", "\n".join(f"{stamps[n % 5]} job {n} done" for n in range(50)))
    assert found["message"].to_list() == [f"job {n} done" for n in range(50)]
    assert found["timestamp"].unique().to_list() == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]
    assert found["severity"].unique().to_list() == ["INFO"]


def test_no_timestamps_at_all(tmp_path: Path) -> None:
    found = records_of(tmp_path / "a.log", "one thing\nanother thing\n")
    assert found["timestamp"].to_list() == [None, None]
    assert found["message"].to_list() == ["one thing", "another thing"]


# Each: a file as a shipper writes it; the time, severity, service and message of its first line.
T = "2026-01-02T03:04:05.5Z"
WRAPPED = {
    "docker": (
        '{"log":"10:00:0%d INFO shop.Cart: paid \\"%d\\"\\n","stream":"stdout","time":"' + T + '"}',
        ("INFO", "shop.Cart", 'paid "0"'),
    ),
    "cri": (T + " stdout F 10:00:0%d WARN shop.Cart: paid %d", ("WARN", "shop.Cart", "paid 0")),
    "syslog": ("<34>1 " + T + ' host-1 cart 77%d - [x@1 a="b"] paid %d', (None, "cart", "paid 0")),
    "logfmt": ("time=" + T + ' level=info service=cart n=%d msg="paid %d \\"x\\""', ("INFO", "cart", 'paid 0 "x"')),
    "json in docker": (
        '{"log":"{\\"level\\":\\"warn\\",\\"n\\":%d,\\"msg\\":\\"paid %d\\"}\\n","stream":"stderr","time":"' + T + '"}',
        ("WARN", None, "paid 0"),
    ),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_shippers_put_around_lines_is_peeled_off(tmp_path: Path, kind: str) -> None:
    pattern, expected = WRAPPED[kind]
    first = records_of(tmp_path / "a.log", "\n".join(pattern % (n, n) for n in range(5))).row(0, named=True)
    assert first["timestamp"] == datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    assert (first["severity"], first["service"], first["message"]) == expected


def test_several_formats_in_one_file(tmp_path: Path) -> None:
    lines = []
    for n in range(40):
        lines += [
            f"2026-01-02 03:04:{n:02} INFO shop.Cart: paid {n}",
            f'{{"ts":"2026-01-02T03:04:{n:02}Z","level":"warn","msg":"slow {n}"}}',
            f"level=error ts=2026-01-02T03:04:{n:02}Z caller=a.go:{n} msg=lost{n}",
        ]
    found = records_of(tmp_path / "a.log", "\n".join(lines))
    assert found["message"].head(3).to_list() == ["paid 0", "slow 0", "lost0"]
    assert found["severity"].head(3).to_list() == ["INFO", "WARN", "ERROR"]
    assert found["timestamp"].null_count() == 0
