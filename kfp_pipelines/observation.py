"""The components that are no steps: what a run looks at, what it cannot do, and how it ended."""

from typing import List, NamedTuple

from kfp import dsl

from kfp_pipelines.component import component


@component("lifecycle.fetch")
def observe(
    lake: str,
    tables: List[str],
    models: List[str] = [],
) -> NamedTuple("Observation", [("as_of", str), ("state", str), ("started_at", str)]):  # type: ignore[valid-type]
    """Look at the lake once: its watermark, what stands for its content in cache keys, and when the run began."""
    from components.core.launch import kfp

    return kfp.observe(lake, tables, models)


@component("lifecycle.fetch")
def refuse_domain(domain: str) -> None:
    """Fail on a domain that has no models: a run that does nothing must not look like one that did."""
    raise ValueError(f"no models are trained for {domain!r}; the domains are anomaly and forecasting")


@component("lifecycle.fetch")
def report(status: dsl.PipelineTaskFinalStatus, report: dsl.Output[dsl.Markdown]) -> None:
    """Tell how the run ended, whatever happened before."""
    from components.core.launch.kfp import write_report

    write_report(status, report.path)
