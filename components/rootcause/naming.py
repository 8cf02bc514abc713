"""What a metric measures, from the catalogue or, for a name it lacks, from the words in the name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from components.core.catalog import watched

KINDS = ("cpu", "memory", "disk", "network", "latency", "error", "database", "configuration", "code", "traffic")
INTERNAL = frozenset({"cpu", "memory", "disk", "network", "database"})

#: The first pattern that is found in the lower-case name, words parted by `_`, decides.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "error",
        r"availability|success|error|_err_|_errs_|exception|5xx|4xx|_fail|abort|refus|reject|timeout"
        r"|(?<!pg)(?<!pgmaj)(?<!page)(?<!page_)fault(?!s_)",
    ),
    ("database", r"quer(y|ies)|_sql|_db_|database|connection_pool|pool_connection|_pool_|replica|transaction|deadlock"),
    ("network", r"network|_net_|packet|tcp|_rx_|_tx_|retrans|socket|receive|transmit|_recv|bandwidth"),
    ("latency", r"latenc|_lat_|duration|response_time|_rt_|delay|elapsed|_p(50|75|90|95|99|999)_|exclusive|mrt"),
    ("memory", r"mem|heap|swap|_gc_|garbage|_rss|oom|pgfault|pgmajfault|page_?fault|_cache"),
    ("cpu", r"cpu|thread|throttl|context_switch|_load(1|5|15)?_|processor"),
    ("disk", r"disk|_io_|diskio|iops|blkio|_fs_|filesystem|inode|_reads?_|_writes?_|syscallread|syscallwrite|storage"),
    ("traffic", r"request|_req|qps|rps|_ops_|workload|throughput|traffic|_calls?_|_lod_|_load|_hits|visit|_count_"),
)
_LOWER_IS_BAD = re.compile(r"availability|success|_up_|healthy|hit_ratio|hit_rate|available|idle|free")
_SHARED = re.compile(r"^_(node|host|machine|cluster)_|^_system_node")
#: Bytes and packets go with the traffic, unless they are lost ones.
_VOLUME = re.compile(r"byte|packet|_receive|_transmit|_trainsmit|_recv|_rx_|_tx_|syscall|_reads?_|_writes?_|_ops_")
_TROUBLE = re.compile(r"err|drop|loss|lost|retrans|wait|discard")
#: One core of many, whose load moves to the others, and what the kernel keeps of files and huge pages: neither is what
#: a service lacks, and both move by themselves.
_MINOR = re.compile(r"_v?(core|cpu)_?\d+_|_(dirty|writeback|mapped_file|(in)?active_file|huge)_")


@dataclass(frozen=True)
class Sense:
    """kind: one of KINDS, "queue" or "unknown"; internal: the service's own resource, not what its callers feel.

    bad: the direction of change that hurts ("above", "below", "both"); shared: measured on the machine
    below, so that several services show the same value; listed: the catalogue says so, it is no guess from a name;
    load: it goes with the traffic, as bytes sent do; minor: it moves by itself, as one core of many does.
    """

    kind: str
    internal: bool
    bad: str
    shared: bool = False
    listed: bool = False
    load: bool = False
    minor: bool = False


@lru_cache(maxsize=65536)
def sense(metric: str) -> Sense:
    """What the metric of this name measures; never raises."""
    listed = watched([metric]).get(metric)
    if listed:
        return Sense(listed.kind, listed.internal, listed.bad, listed=True)
    words = "_" + re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric).lower()).strip("_") + "_"
    kind = next((kind for kind, pattern in _PATTERNS if re.search(pattern, words)), "unknown")
    bad = "below" if _LOWER_IS_BAD.search(words) else "both" if kind in ("traffic", "unknown") else "above"
    load = kind in ("network", "disk") and bool(_VOLUME.search(words)) and not _TROUBLE.search(words)
    minor = bool(_MINOR.search(words))
    return Sense(kind, kind in INTERNAL, bad, bool(_SHARED.search(words)), load=load, minor=minor)
