"""Named checks: a wrapper against its Spec, and a compiled pipeline against the rules of this package.

Each check yields what is wrong as `<check>: <where>: <what>`. The pipelines' checks run before anything is written
or submitted.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

from components.core import step
from components.core.errors import ParamsError
from components.core.launch.images import image_of
from components.core.launch.kfp import NOT_YET
from components.core.spec import Spec
from kfp_pipelines.caching import is_cached, takes_state
from kfp_pipelines.component import find
from kfp_pipelines.graph import Graph, Source, Task

_TYPES = {"table": "system.Dataset", "json": "system.Artifact", "folder": "system.Artifact"}
_MOST_LINES = 5
_OBSERVERS = ("observe", "refuse_domain", "report")
#: Values that differ from run to run: in a cache key they would make every run do everything again.
_CLOCKS = re.compile(
    r"\{\{\$\.pipeline_(job|task)_|\{\{\$\.pipeline_root|\[\[(ScheduledTime|CurrentTime|Index|RunUUID)"
)
_MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(home|root|Users|work|tmp|opt|mnt|var)/")
_SECRET = re.compile(r"(?i)(password|token|secret|api_?key)\s*[:=]\s*['\"]?[^\s'\"]|://[^/\s:@]+:[^/\s@]+@")


def wrapper_problems(component: Any, spec: Spec) -> Iterator[str]:
    """Whether a component says the same as the Spec: ports, parameters, image, and a body that only hands over."""
    shape = component.component_spec
    inputs = {name: (_title(i.type), i.optional) for name, i in (shape.inputs or {}).items()}
    outputs = {name: _title(output.type) for name, output in (shape.outputs or {}).items() if name != "Output"}
    ports = {p.name: (_TYPES[p.kind], p.optional) for p in spec.inputs if p.kind != "lake"}
    artifacts = {name: shown for name, shown in inputs.items() if shown[0].startswith("system.")}
    yield from _differences("wrapper-ports", spec.name, artifacts, ports)
    written = {port.name: _TYPES[port.kind] for port in spec.outputs if port.kind != "lake"}
    yield from _differences("wrapper-ports", spec.name, outputs, written)
    parameters = {name: shown for name, shown in inputs.items() if name not in artifacts}
    yield from _differences("wrapper-params", spec.name, parameters, _parameters(spec))
    image = shape.implementation.container.image
    if image != image_of(spec):
        yield f"wrapper-image: {spec.name}: {image}, but the step's image is {image_of(spec)}"
    lines = _body_lines(component.python_func)
    if lines > _MOST_LINES:
        yield f"wrapper-body: {spec.name}: {lines} lines; the work belongs into the step"


def pipeline_problems(text: str) -> list[str]:
    """What is wrong with a compiled pipeline, by every check of this module."""
    graph = Graph(text)
    checks = (_check_cache_key, _check_resources, _check_params, _check_guard)
    found = [problem for task in graph.tasks() for check in checks for problem in check(graph, task)]
    return [*found, *_check_nothing_private(text)]


def _check_cache_key(graph: Graph, task: Task) -> Iterator[str]:
    """A cached task is keyed on data: `state` and `as_of` come from observe, and the clock from nowhere."""
    expected = task.function not in _OBSERVERS and is_cached(_spec(task))
    if task.is_cached != expected:
        yield f"cache-key: {task.name}: caching is {task.is_cached}, but must be {expected} (see caching.UNCACHED)"
    if not (task.is_cached and expected):
        return
    sources = graph.sources(task)
    for name, source in sources.items():
        if _tells_the_time(source):
            yield f"cache-key: {task.name}: input {name!r} is the clock; every run would do it again"
    for name in ["state", "as_of"] if takes_state(_spec(task)) else []:
        if name in {"state", *_spec(task).params.model_fields} and not _observed(sources.get(name), name):
            yield f"cache-key: {task.name}: input {name!r} must be what observe saw, or the lake's growth goes unseen"
    for name, source in graph.sources(task, "artifacts").items():
        if source.task and not source.task.is_cached:
            yield f"cache-key: {task.name}: input {name!r} is made by {source.task.name}, which is never cached"


def _check_resources(graph: Graph, task: Task) -> Iterator[str]:
    if task.function in _OBSERVERS:
        return
    needed, given = _spec(task).resources, task.container.get("resources", {})
    asked = (f"{round(needed.cpu * 1000)}m", f"{needed.memory_mb}Mi")
    limits = (given.get("resourceCpuLimit"), given.get("resourceMemoryLimit"))
    if limits != asked:
        yield f"resources: {task.name}: limits {limits}, but the Spec says {asked}"


def _check_params(graph: Graph, task: Task) -> Iterator[str]:
    """Constant parameters are valid for the step, and hold no placeholder (Kubeflow fills those in strings alone)."""
    source = graph.sources(task).get("params")
    if source is None or source.kind != "constant":
        return
    if "{{$" in str(source.value):
        yield f"params: {task.name}: {source.value} holds another task's output; give it as an input of its own"
        return
    try:
        step.parse_params(_spec(task), source.value)
    except ParamsError as error:
        yield f"params: {task.name}: {error}"


def _check_guard(graph: Graph, task: Task) -> Iterator[str]:
    """What a training leaves out while there is too little data is needed by nothing that runs then."""
    producers = [source.task for source in graph.sources(task, "artifacts").values() if source.task]
    training = [producer.name for producer in producers if producer.function.endswith("_train")]
    if training and not any(f"!= '{NOT_YET}'" in condition for condition in graph.conditions(task)):
        yield f"guard: {task.name}: needs {training[0]}, but runs although that may end {NOT_YET}"


def _check_nothing_private(text: str) -> Iterator[str]:
    for name, pattern in (("machine-path", _MACHINE_PATH), ("secret", _SECRET)):
        for line in text.splitlines():
            if pattern.search(line):
                # A secret is not shown again.
                yield f"{name}: {line.strip() if name != 'secret' else 'a line holds one'}"
    if "env:" in text:
        yield "secret: an environment variable with a value; refer to the Secret or the ConfigMap"


def _parameters(spec: Spec) -> dict[str, tuple[str, bool]]:
    """The inputs a wrapper has beside its artifacts: name → type, optional."""
    fields = spec.params.model_fields.items()
    instants = [name for name, info in fields if datetime in (info.annotation, *get_args(info.annotation))]
    found = {"lake": ("String", False)} if any(port.kind == "lake" for port in spec.ports) else {}
    found |= {"state": ("String", False)} if takes_state(spec) else {}
    return found | {name: ("String", not takes_state(spec)) for name in instants} | {"params": ("Dict", True)}


def _differences(check: str, where: str, found: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            yield f"{check}: {where}: {name!r} is {found.get(name)}, the Spec says {expected.get(name)}"


def _title(kind: str) -> str:
    return "Dict" if "Dict" in kind else kind.split("@")[0]


def _body_lines(function: Any) -> int:
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    statements = definition.body if isinstance(definition, ast.FunctionDef) else []
    first = 1 if isinstance(statements[0], ast.Expr) else 0  # the docstring
    return (statements[-1].end_lineno or 0) - statements[first].lineno + 1


def _spec(task: Task) -> Spec:
    return find(task.function.replace("_", ".", 1))


def _observed(source: Source | None, name: str) -> bool:
    return bool(source and source.task and source.task.function == "observe" and source.value == name)


def _tells_the_time(source: Source) -> bool:
    started = source.task is not None and source.value == "started_at"
    return started or (source.kind == "constant" and bool(_CLOCKS.search(str(source.value))))
