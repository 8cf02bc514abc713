"""The built-in source: a SYNTHETIC shop of a dozen services, all three signals, with faults whose truth is known.

Everything here is made up by formulas and hashes; none of it was measured. One traffic curve (daily and weekly
seasons) drives the load of every service; a service's latency and errors include its callees' through the call graph,
and its resources follow from load and latency. Faults and decoys move knobs of one service (`faults`), their effects
travel the same way. Noise is a hash of (seed, series, tick), so the telemetry is a pure function of seed, anchor and
time: any window can be made again, alone, with the same values.

Levels are plausible for a small shop, not modelled after a real one: percentages 0-100, latencies and query times in
ms, lag in s, rates in 1/s. Faults show in metrics, spans and logs; their truth is only in `Shop.faults`.
"""

from components.telemetry.shop.faults import Fault
from components.telemetry.shop.shop import Shop

__all__ = ["Fault", "Shop"]
