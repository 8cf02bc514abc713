"""What a metric measures, from the catalogue or, for a name it lacks, from the words in the name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from components.core.catalog import watched

KINDS = ("cpu", "memory", "disk", "network", "latency", "error", "database", "configuration", "code", "traffic")
INTERNAL = frozenset({"cpu", "memory", "disk", "network", "database"})

#: The first pattern that is found in the lower-case name, words parted by `_`, decides. Whose resource it is goes
#: before how that is measured: a pause of the garbage collector is the memory's, a lost packet the network's, a wait
#: for a connection out of a pool the database's, though one is a time, one an error and one a queue. What is under way
#: (requests in flight, open connections) is neither traffic nor a resource: it is what comes in times its duration.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "database",
        r"_db_|database|_(sql|pg|dtu)_|hikari|[jo]dbc|r2dbc|c3p0|dbcp|bouncer|sqlalchemy|innodb|deadlock|rollback"
        r"|connection_pool|pool_connection|(?<!thread)(?<!memory)(?<!executor)(?<!worker)(?<!cx)_pool_"
        r"|connection_(borrow|acqui|checkout|lease|wait)|replication|replica_lag|seconds_behind"
        r"|(commit|select|insert|update|dml|ddl)_latency"
        r"|(postgres(ql)?|pgpool|mysql|maria_?db|mongo(db)?|redis|oracle|mssql|cassandra)_(\w*_)?"
        r"(percent_usage_)?(connect|client|threads|activity|locks?_|row_lock|backend)",
    ),
    (
        "memory",
        r"memory|_mem_|_pswp|_mem(free|used|available|usage|total|util|stats)|heap|swap|paging|_gc_|garbage|_rss|_oom"
        r"|metaspace|working_set|pgfault|pgmajfault|page_?fault|evict(ed|ion)",
    ),
    (
        "network",
        r"network|_net_|_netstat_|packet|_(tcp|udp|dns|rtt|ping|rx|tx|socket)|retrans|conntrack|round_trip|bandwidth"
        r"|_cx_connect_",
    ),
    (
        "disk",
        r"disk|_io_?(util|await|wait)|_io_(balance|time)|iops|blkio|_e?bs_?io|burst_balance|_fs_|filesystem"
        r"|inode|storage"
        r"|^_volume|_volume_(stats|avail|used|usage|capac)|_pressure_io_|(?<!request_)(read|write)_latency",
    ),
    ("cpu", r"cpu|_load_?(1|5|15|avg|average)m?_|context_switch"),
    (
        "queue",
        r"queue|backlog|(?<!replica)_lag_|_pending_(?!overflow)|consumer_?lag"
        r"|messages_(ready|unack\w*|(not_)?visible|delayed)"
        r"|_(active|dead_?lettered)_messages|iterator_age|age_of_oldest",
    ),
    (
        "concurrency",
        r"in_?flight|concurren|outstanding|goroutine"
        r"|_(active|open|current)_(request|connection|stream|session|call|rq|cx)"
        r"|(connections?|requests?|sessions?|streams?|rq|cx)(_count)?"
        r"_(active|open|current|idle|reading|writing|waiting)_",
    ),
    # Of a histogram or summary the count and the buckets are numbers of requests.
    ("traffic", r"_(seconds|milliseconds|ms|duration|latency|time)_(count|bucket)_$"),
    ("latency", r"success\w*_latency"),
    (
        "error",
        r"availab|success|error|_errs?_|exception|[45]xx|_[45]0\d_|_fail|abort|refus|reject|timeout|timed_out|overflow"
        r"|healthy|health_check|status_check|spill|offline|eject|^_up_$|restart|crash|circuit_?(breaker)?_?open"
        r"|^_throttles_|throttled?_(request|event|record)"
        r"|(?<!pg)(?<!pgmaj)(?<!page)(?<!page_)fault(?!s_)",
    ),
    ("database", r"quer(y|ies)|_sql|transaction|replica_"),
    (
        "traffic",
        r"incoming|messages?_?(in|out|sent|received|published|delivered|consumed)|consumed_|invocation"
        r"|commands_processed",
    ),
    ("network", r"receive|transmit|trainsmit|_recv|bytes_(in|out|sent)|processed_bytes"),
    ("latency", r"latenc|_lat_|duration|response_?time|_rt_|delay|elapsed|_p(50|75|90|95|99|999)_|exclusive|mrt|apdex"),
    ("latency", r"requests?_(milli)?seconds|_(rq|request|service)_time_"),
    ("memory", r"mem(?!bers)|_cache"),
    ("cpu", r"thread|worker|throttl|_load(1|5|15)?_|processor"),
    ("disk", r"_io_|_reads?_|_writes?_|syscallread|syscallwrite|syscall_(read|write)"),
    (
        "traffic",
        r"request|_req|_rq_|qps|rps|_tps_|_ops_|workload|throughput|traffic|_calls?_|_lod_|_load|_hits|visit"
        r"|_count_|_responses?_total_",
    ),
    ("concurrency", r"connections?_"),
    ("latency", r"_(ms|millis|milliseconds)_$|_seconds_(sum|max|avg|mean)_$"),
)
_LOWER_IS_BAD = re.compile(
    r"(?<!un)avail|success|_up_|(?<!un)(?<!un_)healthy|health_check|hit_rati?[oe]|idle|free|usable|remaining|headroom"
    r"|(?<!surplus_credit_)balance"
)
#: Of latencies only a share of satisfied callers; a quick success is none the worse for that.
_LOWER_LATENCY_IS_BAD = re.compile(r"apdex")
_SHARED = re.compile(r"^_(node|host|machine|cluster)_|^_system_node")
#: Bytes and packets go with the traffic, unless they are lost ones; so does the sum of all requests' durations.
_VOLUME = re.compile(r"byte|packet|_receive|_transmit|_trainsmit|_recv|_rx_|_tx_|syscall|_reads?_|_writes?_|_ops_")
_SUM = re.compile(r"_sum_$")
_TROUBLE = re.compile(r"err|drop|loss|lost|retrans|wait|discard")
#: One core of many, whose load moves to the others, and what the kernel keeps of files and huge pages: neither is what
#: a service lacks, and both move by themselves.
_MINOR = re.compile(r"_v?(core|cpu)_?\d+_|_(dirty|writeback|mapped_file|(in)?active_file|huge)_")
_THREADS = re.compile(r"thread|worker", re.IGNORECASE)
#: Where a word ends in a name like FreeableMemory or CPUCreditBalance.
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")


@dataclass(frozen=True)
class Sense:
    """kind: one of KINDS, "queue" (what waits), "concurrency" (what is under way) or "unknown"; internal: the service's
    own resource, not what its callers feel.

    bad: the direction of change that hurts ("above", "below", "both"); shared: measured on the machine
    below, so that several services show the same value; listed: the catalogue says so, it is no guess from a name;
    load: it goes with the traffic, as bytes sent do; minor: it moves by itself, as one core of many does;
    threads: counts busy ones, which compute or wait.
    """

    kind: str
    internal: bool
    bad: str
    shared: bool = False
    listed: bool = False
    load: bool = False
    minor: bool = False
    threads: bool = False


@lru_cache(maxsize=65536)
def sense(metric: str) -> Sense:
    """What the metric of this name measures; never raises."""
    listed = watched([metric]).get(metric)
    if listed:
        return Sense(listed.kind, listed.internal, listed.bad, listed=True, threads=bool(_THREADS.search(metric)))
    words = "_" + re.sub(r"[^a-z0-9]+", "_", _WORD.sub("_", metric).lower()).strip("_") + "_"
    kind = next((kind for kind, pattern in _PATTERNS if re.search(pattern, words)), "unknown")
    falls = (_LOWER_LATENCY_IS_BAD if kind == "latency" else _LOWER_IS_BAD).search(words)
    bad = "below" if falls else "both" if kind in ("traffic", "unknown") else "above"
    return Sense(
        kind,
        kind in INTERNAL,
        bad,
        shared=bool(_SHARED.search(words)),
        load=_goes_with_traffic(kind, words),
        minor=bool(_MINOR.search(words)),
        threads=bool(_THREADS.search(words)),
    )


def _goes_with_traffic(kind: str, words: str) -> bool:
    if kind == "latency":
        return bool(_SUM.search(words))
    volume = kind in ("network", "disk") and bool(_VOLUME.search(words)) and not _TROUBLE.search(words)
    return kind == "concurrency" or volume
