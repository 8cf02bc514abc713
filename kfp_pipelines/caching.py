"""Which tasks Kubeflow may answer from its cache, and what their cache keys hold.

A cached task's key is its image, its parameters and the artifacts it reads. What it finds in the lake is not part
of it, so a cached task that opens the lake takes `state`, which the uncached task `observe` derives from the lake's
partitions. The clock is in no key: a run on unchanged data does nothing again.
"""

from __future__ import annotations

from components.core.spec import Spec

#: Steps that look at, or change, something that no cache key can hold.
UNCACHED = {
    "telemetry.ingest": "the source has grown",
    "logs.collect": "the log files have grown",
    "quality.validate": "empties the lake's zone for what is not validated yet",
    "lifecycle.register": "moves the alias challenger",
    "lifecycle.fetch": "the registry's aliases have moved",
    "lifecycle.gate": "judges what was just fetched",
    "lifecycle.promote": "moves the alias champion",
    "anomaly.evaluate": "compares what was just fetched",
    "forecasting.evaluate": "compares what was just fetched",
    "actions.alert": "what was not delivered is sent again",
}


def is_cached(spec: Spec) -> bool:
    # A notebook may have been edited since: its text is part of no key.
    return spec.name not in UNCACHED and spec.domain != "notebook"


def takes_state(spec: Spec) -> bool:
    """Whether the step's wrapper has the input `state`."""
    return is_cached(spec) and any(port.kind == "lake" for port in spec.ports)
