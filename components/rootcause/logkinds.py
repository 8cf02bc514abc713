"""What kind of trouble a log line tells of, by the words that runtimes, kernels, drivers and databases use for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

#: The first pattern that is found decides, the most telling words first: running out of something goes before the
#: time-outs that follow from it, and those before an exception that merely carries them.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "memory": (
        r"out ?of ?memory|oom[- _]?kill|\boom\b|java heap space|metaspace|gc overhead|allocation fail|bad_alloc",
        r"(cannot|could not|unable to|failed to) allocate|memory (pressure|exhaust|limit)|swapped|exit(ed)? code 137",
        r"heap .{0,20}% used",
    ),
    "disk": (
        r"no space left|disk (is )?full|enospc|read-only file ?system|disk quota|out of inodes|not enough disk",
        r"device .{0,20}i/o error|buffer i/o error|too many open files",
    ),
    "database": (
        r"connection pool|connectionpool|pool (is )?(exhaust|timeout|timed|empty)|too many (connections|clients)",
        r"connection is not available|connection leak|hikari|jdbc|\bsql|statement:|statement timeout|slow query",
        r"deadlock|lock wait|could not serialize|seq(uential)? scan|duplicate (key|entry)",
        r"relation .{0,40} does not exist|replication|\bwal\b|walsender|standby|database",
        r"transaction .{0,20}(abort|rolled)",
    ),
    "network": (
        r"connection (was )?(refused|reset|closed|aborted|lost)|unreachable|no route to host|broken pipe|i/o timeout",
        r"unknown ?host|name resolution|no such host|\bdns\b|econn|socket (hang|closed|timeout|exception)|packet",
        r"tls handshake|connect(ion)? timed? ?out|connect timeout|failed to connect|network is",
    ),
    "configuration": (
        r"(missing|invalid|unknown|undefined|unrecognized|bad) (required )?(config|setting|property|env|flag|option)",
        r"config\w* .{0,30}(error|invalid|missing|not found|fail)|resolve placeholder|environment variable|certificate",
        r"(cannot|could not|failed to|unable to) parse .{0,20}(config|ya?ml|properties)|access denied",
        r"permission denied|unauthori[sz]ed|forbidden|credential",
    ),
    "cpu": (
        r"cpu (steal|throttl|limit|quota|starv)|throttled|thread starvation|event loop (delay|lag|block)|soft lockup",
    ),
    "code": (
        r"null ?pointer|nullreference|is null\b|undefined is not|of undefined|of null|typeerror|attributeerror",
        r"keyerror|indexerror|indexoutofbounds|out of (range|bounds)|classcast|illegalstate|illegalargument|arithmetic",
        r"unsupportedoperation|division by zero|unhandled (exception|rejection)|uncaught|traceback|\bpanic\b|segfault",
        r"segmentation fault|assert(ion)?( failed|error)|stack ?overflow|nosuchmethod|noclassdef|not implemented",
    ),
    "latency": (r"\bslow\b|timed? ?out|timeout|deadline exceeded|backlog|queue (is )?full|took too long|lagging",),
}
_PATTERNS = tuple((kind, re.compile("|".join(words), re.IGNORECASE)) for kind, words in _WORDS.items())


@lru_cache(maxsize=65536)
def said(template: str) -> str | None:
    """The kind of trouble the words of a line tell of, None where they tell of none in particular."""
    return next((kind for kind, pattern in _PATTERNS if pattern.search(template)), None)
