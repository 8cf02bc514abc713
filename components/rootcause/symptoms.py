"""What callers feel says that a service suffers, not from what: it speaks for a kind of cause up to a limit.

A processor ends at its last core and a pool at its last connection, while latency and errors know no end: by how far
each went, what is felt would outvote the resource that it is the consequence of. Whoever is twice past what counts as
abnormal suffers; how much further says nothing of the kind. Requests that take longer also keep more threads busy, so
that these are felt too, unless the processor is busy with them.
"""

from __future__ import annotations

from dataclasses import replace

from components.rootcause.naming import sense
from components.rootcause.ranking import Standing
from components.rootcause.signals import Signal

#: Doublings beyond which what is felt says no more about the kind. Where several are past it, errors and waits between
#: two services go before latency: failing requests are retried and waited for, while few fail for being slow.
_SAID, _SLOW = 1.0, 0.99
#: Collecting garbage and reclaiming pages keep the processor busy, while a busy processor takes no memory.
_FOLLOWS = 0.9
_FELT = frozenset({"latency", "error", "traffic", "queue"})
#: Alerts and log lines weigh by how rare they are, not by how far something went.
_MEASURED = frozenset({"metrics", "spans"})


def subdued(standing: Standing) -> Standing:
    """The standing with the excess of what is felt, or follows from another resource, limited for telling its kind."""
    found = standing.signals
    computes = any(s.kind == "cpu" and s.excess > 0 and not _threads(s) for s in found)
    short = any(s.kind == "memory" and s.internal and s.rising and s.excess > 0 for s in found)
    return replace(standing, signals=tuple(_subdued(s, computes, short) for s in found))


def _subdued(signal: Signal, computes: bool, short: bool) -> Signal:
    if _is_felt(signal, computes):
        limit = _SAID if signal.kind in ("error", "network") else _SLOW
        return replace(signal, excess=min(signal.excess, limit))
    follows = short and signal.internal and signal.kind == "cpu"
    return replace(signal, excess=_FOLLOWS * signal.excess) if follows else signal


def _is_felt(signal: Signal, computes: bool) -> bool:
    if signal.source not in _MEASURED:
        return False
    waits = signal.source == "spans" and signal.kind == "network"
    return waits or (signal.kind in _FELT and not signal.internal) or (_threads(signal) and not computes)


def _threads(signal: Signal) -> bool:
    return sense(signal.metric).threads
