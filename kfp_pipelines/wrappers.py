"""Writes `steps/`: the source of one component function per Spec. `make pipelines` runs it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import get_args

from components.core.spec import Port, Spec, domains, specs
from kfp_pipelines.caching import takes_state

FOLDER = Path(__file__).parent / "steps"
#: Kubeflow's name for each kind of artifact; a lake is no artifact but a URI.
ARTIFACT_TYPES = {"table": "Dataset", "json": "Artifact", "folder": "Artifact"}
_HEAD = '''"""The {domain} steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import {typing}

from kfp import dsl

from kfp_pipelines.component import component
'''
_FUNCTION = '''

@component("{name}")
def {function}({arguments}) -> str:
    """{title}."""
    from components.core.launch.kfp import run_task

    return run_task("{name}", locals())
'''


def function_name(spec: Spec) -> str:
    """The name of the step's component, such as anomaly_train."""
    return spec.name.replace(".", "_")


def source_of(domain: str) -> str:
    """The module of one domain's components."""
    functions = "".join(_function(spec) for spec in specs(domain))
    typing = "Any, Dict, Optional" if "Optional[" in functions else "Any, Dict"
    return _HEAD.format(domain=domain, typing=typing) + functions


def instants(spec: Spec) -> list[str]:
    """The parameters that are instants: other tasks supply them, so each is an input of its own."""
    fields = spec.params.model_fields.items()
    return [name for name, info in fields if datetime in (info.annotation, *get_args(info.annotation))]


def write() -> None:
    """Write every domain's module anew, and remove those of domains that are gone."""
    sources = {f"{domain}.py": source_of(domain) for domain in domains() if specs(domain)}
    for path in FOLDER.glob("*.py"):
        path.unlink()
    for name, source in sources.items():
        (FOLDER / name).write_text(source)
    (FOLDER / "__init__.py").write_text('"""One component per step, one module per domain. Generated."""\n')


def _function(spec: Spec) -> str:
    lines = "".join(f"\n    {argument}," for argument in _arguments(spec))
    return _FUNCTION.format(
        function=function_name(spec),
        arguments=f"{lines}\n",
        title=spec.title.rstrip(".").replace('"""', "'''"),
        name=spec.name,
    )


def _arguments(spec: Spec) -> list[str]:
    lake = any(port.kind == "lake" for port in spec.ports)
    needed = ["lake: str"] * lake + ["state: str"] * takes_state(spec)
    needed += [f"{name}: str" for name in instants(spec) if takes_state(spec)]
    needed += [_port(port, "Input") for port in spec.inputs if port.kind != "lake" and not port.optional]
    needed += [_port(port, "Output") for port in spec.outputs if port.kind != "lake"]
    # What is cached must say what it looked at, what is not may look for itself.
    optional = [f"{name}: Optional[str] = None" for name in instants(spec) if not takes_state(spec)]
    optional += [_port(port, "Input") for port in spec.inputs if port.optional]
    return [*needed, *optional, "params: Dict[str, Any] = {}"]


def _port(port: Port, direction: str) -> str:
    annotation = f"dsl.{direction}[dsl.{ARTIFACT_TYPES[port.kind]}]"
    optional = direction == "Input" and port.optional
    return f"{port.name}: Optional[{annotation}] = None" if optional else f"{port.name}: {annotation}"


if __name__ == "__main__":
    write()
