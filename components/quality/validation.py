"""Great Expectations: judging facts against the suites. The only module that imports great_expectations."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from components.core.errors import TraceoError
from components.quality.facts import Facts

# Read on import: no analytics, nothing is sent anywhere.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Finding:
    """One expectation that one partition did not meet."""

    uri: str
    fact: str
    severity: str
    words: str


def judge(facts: Mapping[str, Sequence[Facts]], as_of: datetime, slack_s: int, data_docs: Path) -> list[Finding]:
    """Run one checkpoint per table over the facts of its partitions and build the Data Docs.

    Returns every failed expectation of every partition, in the order of the tables, partitions and suites.
    `as_of` names the run.
    """
    with tempfile.TemporaryDirectory() as folder:
        context = _context(folder)
        findings = []
        for table, measured in facts.items():
            findings += _check(context, table, measured, as_of, slack_s)
        context.build_data_docs()
        site = next(Path(folder).rglob("local_site"))
        shutil.copytree(site, data_docs, dirs_exist_ok=True)
    return findings


def _context(folder: str) -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return context


def _check(context: Any, table: str, measured: Sequence[Facts], as_of: datetime, slack_s: int) -> list[Finding]:
    import great_expectations as gx
    import great_expectations.expectations as gxe

    suite = gx.ExpectationSuite(name=table)
    for expectation in importlib.import_module(f"expectations.{table}").expectations(gxe, slack_s):
        suite.add_expectation(expectation)
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(f"{table} partitions")
    definition = gx.ValidationDefinition(
        name=table, data=asset.add_batch_definition_whole_dataframe("facts"), suite=context.suites.add(suite)
    )
    checkpoint = gx.Checkpoint(
        name=table,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["partition"]},
    )
    result = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": _frame(measured)},
        run_id=gx.RunIdentifier(run_name=f"{table} {as_of:%Y-%m-%d %H:%M}", run_time=as_of),
    )
    (validated,) = result.run_results.values()
    by_uri = {one.partition.uri: one for one in measured}
    return [finding for outcome in validated.results for finding in _findings(outcome, by_uri)]


def _frame(measured: Sequence[Facts]) -> pd.DataFrame:
    return pd.DataFrame([{"partition": one.partition.uri, **one.counts} for one in measured])


def _findings(outcome: Any, by_uri: Mapping[str, Facts]) -> list[Finding]:
    if outcome.exception_info.get("raised_exception"):
        raise TraceoError(f"Great Expectations could not judge {outcome.expectation_config.kwargs}")
    if outcome.success:
        return []
    fact, severity = outcome.expectation_config.kwargs["column"], str(outcome.expectation_config.severity.value)
    found = []
    for row in outcome.result["unexpected_index_list"]:
        words = by_uri[row["partition"]].words.get(fact, f"{fact} = {row[fact]}")
        found.append(Finding(row["partition"], fact, severity, words))
    return found
