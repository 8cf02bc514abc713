"""Log lines from Kafka as files of blocks: a plain consumer at the edge, so that the pipeline knows files alone.

A partition's messages become `<topic>-<partition>-<first offset>-<end>.log` in the folder, one line each. Offsets are
committed after their file stands, and what is delivered again is told by its offset: every message is written once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.core import storage
from components.core.errors import ServiceError

#: Bytes and seconds after which a file is written, and seconds without a message after which a topic is drained.
FILE_BYTES, FILE_S, IDLE_S = 4 << 20, 60.0, 5.0
_POLLED = 10_000
#: Seconds a broker has to say that it is there.
ANSWER_S = 10.0


def spool_topic(servers: str, topic: str, folder: Path, *, group: str = "traceo-logs", idle_s: float = IDLE_S) -> int:
    """Write what a topic holds to the folder and return how many messages were new; ends once nothing more comes."""
    from confluent_kafka import Consumer, KafkaException

    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
        }
    )
    try:
        consumer.subscribe([topic])
        return sum(write_batch(batch, folder, consumer) for batch in _batches(consumer, topic, idle_s))
    except KafkaException as error:
        raise ServiceError(f"Kafka at {servers}, topic {topic!r}: {error.args[0].str()}; is it up?") from None
    finally:
        consumer.close()


def write_batch(batch: Mapping[tuple[str, int], list[Any]], folder: Path, consumer: Any) -> int:
    """Write one file per topic and partition, then commit; returns how many messages were new."""
    written = 0
    for (topic, partition), messages in batch.items():
        known = stored_until(folder, topic, partition)
        new = [message for message in messages if message.offset() >= known]
        if new:
            lines = b"".join((message.value() or b"").replace(b"\n", b"\\n") + b"\n" for message in new)
            name = f"{topic}-{partition}-{new[0].offset():015}-{new[-1].offset() + 1:015}.log"
            storage.write_bytes(str(folder / name), lines)
            written += len(new)
        consumer.commit(message=messages[-1], asynchronous=False)
    return written


def stored_until(folder: Path, topic: str, partition: int) -> int:
    """The offset behind the last message of a partition that is in a file of the folder."""
    ends = [int(path.stem.rsplit("-", 1)[1]) for path in folder.glob(f"{topic}-{partition}-*-*.log")]
    return max(ends, default=0)


def _batches(consumer: Any, topic: str, idle_s: float) -> Iterator[dict[tuple[str, int], list[Any]]]:
    """Messages by partition, in files' worth of bytes; KafkaException where the broker is gone."""
    from confluent_kafka import KafkaException

    batch: dict[tuple[str, int], list[Any]] = {}
    size, begun, seen = 0, time.monotonic(), time.monotonic()
    while time.monotonic() - seen < idle_s:
        for message in consumer.consume(_POLLED, timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            batch.setdefault((message.topic(), message.partition()), []).append(message)
            size, seen = size + len(message.value() or b""), time.monotonic()
        if batch and (size >= FILE_BYTES or time.monotonic() - begun >= FILE_S):
            yield batch
            batch, size, begun = {}, 0, time.monotonic()
    if batch:
        yield batch
    # A broker that is away is as silent as a topic that is drained: only one that answers is believed.
    found = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if found.error:
        raise KafkaException(found.error)
