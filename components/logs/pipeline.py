"""The Apache Beam pipeline over blocks of lines; the only module that imports Beam, which takes seconds.

An element is a block of megabytes, not a line, so that the kernels keep their speed. Workers share nothing: each
archives its block under the block's name, and the states of templates are added up by a combiner, in any order. What a
runner retries or runs twice is written twice with the same bytes and counted once, by the block's name. The runner is
Beam's option: DirectRunner here; FlinkRunner, SparkRunner or DataflowRunner with their own options elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import astuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from components.core import storage
from components.logs.archive import account_of
from components.logs.blocks import BlockRef
from components.logs.reduction import archive_block
from components.logs.states import State, merge_states, state_of

LOCAL = ("--runner=DirectRunner",)
#: The counter of archived lines in Beam's metrics.
LINES = beam.metrics.Metrics.counter("traceo.logs", "lines")


class ArchiveBlocks(beam.DoFn):
    """Blocks to their names, once their lines are archived."""

    def __init__(self, folder: str, archive: str, year: int) -> None:
        self._arguments = folder, archive, year

    def process(self, element: tuple[str, int, int]) -> Iterable[str]:
        folder, archive, year = self._arguments
        ref = BlockRef(*element)
        LINES.inc(archive_block(folder, ref, archive, year)["lines"])
        yield ref.name


class MergeStates(beam.CombineFn):
    """Adds the states of blocks up."""

    def create_accumulator(self) -> State:
        return {}

    def add_input(self, accumulator: State, element: State) -> State:
        return merge_states((accumulator, element))

    def merge_accumulators(self, accumulators: Iterable[State]) -> State:
        return merge_states(accumulators)

    def extract_output(self, accumulator: State) -> State:
        return accumulator


def run_pipeline(
    blocks: Sequence[BlockRef], folder: str, archive: str, year: int, options: Sequence[str] = LOCAL
) -> State:
    """Archive blocks of the files in `folder` below `archive`; returns the state of their templates together.

    options: Beam's, as on its command line. Workers must see both places, and have this package.
    """
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    batch = hashlib.blake2b("".join(sorted(block.name for block in blocks)).encode(), digest_size=8).hexdigest()
    uri = storage.join(archive, "states", f"{batch}.json")
    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        _ = (
            pipeline
            | "blocks" >> beam.Create([astuple(block) for block in blocks])
            | "spread" >> beam.Reshuffle()
            | "archive" >> beam.ParDo(ArchiveBlocks(folder, archive, year))
            # A block that a runner worked on twice is one block.
            | "each once" >> beam.Distinct()
            | "states" >> beam.Map(lambda name: state_of(account_of(archive, name)))
            | "add up" >> beam.CombineGlobally(MergeStates())
            | "write" >> beam.Map(lambda state: storage.write_bytes(uri, json.dumps(state).encode()))
        )
    return {name: (text, count) for name, (text, count) in json.loads(storage.read_bytes(uri)).items()}
