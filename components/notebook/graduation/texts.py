"""The texts of a scaffold: the module that computes, its Spec, its step and its test."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass

from components.core.spec import Port
from components.notebook.graduation.parts import Parts, Piece, names_bound, names_used
from components.notebook.parameters import Parameter
from components.notebook.specs import REPORT, Notebook

FUTURE = "from __future__ import annotations\n"


@dataclass(frozen=True)
class Step:
    """The step to be: of which notebook, in which domain, made of what."""

    notebook: Notebook
    domain: str
    parts: Parts

    @property
    def name(self) -> str:
        return self.notebook.name

    @property
    def constant(self) -> str:
        return self.name.upper()

    @property
    def params(self) -> str:
        return self.notebook.spec.params.__name__

    @property
    def parameters(self) -> list[Parameter]:
        """Those that the step needs; what only a picture looks at stays behind."""
        texts = [*(piece.text for piece in self.parts.body), *self.parts.outputs.values()]
        used = names_used([ast.parse(text) for text in texts]) | set(self.parts.asserted)
        return [item for item in self.notebook.parameters if item.name in used]

    @property
    def outputs(self) -> list[Port]:
        return [port for port in self.notebook.spec.outputs if port != REPORT]


def domain_files(domain: str, title: str) -> dict[str, str]:
    """The files of a domain that is not there yet."""
    runs = f'if __name__ == "__main__":\n    sys.exit(step.main("{domain}"))\n'
    imports = "import sys\n\nfrom components.core import step\n\n"
    return {
        "__init__.py": f'"""{domain.title()}: {title}."""\n',
        "__main__.py": f'"""`python -m components.{domain} STEP …`"""\n\n{imports}{runs}',
        "specs.py": f'"""The interface of the {domain} steps."""\n\n{FUTURE}\nSPECS = []\n',
        "steps.py": f'"""The {domain} steps."""\n\n{FUTURE}',
    }


def module_text(step: Step) -> str:
    parts = step.parts
    body = "\n".join(piece.text for piece in parts.body)
    values = [f"{port.name}={parts.outputs[port.name]}" for port in step.outputs if port.name in parts.outputs]
    values += [f"{name}={name}" for name in parts.asserted if name not in parts.outputs]
    returned = f"return SimpleNamespace({', '.join(values)})"
    words = f'"""{step.notebook.spec.title}: the outputs by name, and what the assertions look at."""'
    code = f"{_signature(step)}\n" + textwrap.indent("\n".join([words, body, returned, ""]), "    ")
    own = ["from types import SimpleNamespace", "from typing import Any, Literal", "import polars as pl"]
    own += ["from components.core.errors import InputError", "from components.core.lake import Lake"]
    head = f'"""{step.notebook.spec.title}; it began as notebooks/{step.name}.py."""\n\n{FUTURE}\n'
    return f"{head}{_used_imports(parts.imports, code, own)}\n\n\n{code}"


def _signature(step: Step) -> str:
    types = {"lake": "Lake", "json": "Any", "table": "pl.DataFrame"}
    inputs = [f"{p.name}: {types[p.kind]}{' | None' if p.optional else ''}" for p in step.notebook.spec.inputs]
    chosen = [f"{item.name}: {item.type}" for item in step.parameters]
    return f"def compute({', '.join([*inputs, *(['*'] if chosen else []), *chosen])}) -> SimpleNamespace:"


def _used_imports(imports: list[Piece], code: str, own: list[str]) -> str:
    """The import lines whose names the code uses; ruff puts them in order and drops what is double."""
    used = names_used([ast.parse(code)])
    lines = dict.fromkeys([*(piece.text for piece in imports), *own])
    return "\n".join(line for line in lines if names_bound([ast.parse(line)]) & used)


def spec_imports(step: Step) -> str:
    lines = ["from components.core.spec import Params, Port, Resources, Spec"]
    types = " ".join(item.type for item in step.parameters)
    return "\n".join(
        lines
        + ["from pydantic import Field"] * bool(step.parameters)
        + ["from typing import Literal"] * ("Literal" in types)
    )


def spec_text(step: Step) -> str:
    spec = step.notebook.spec
    fields = "\n".join(f"    {item.name}: {item.type} = {_field(item)}" for item in step.parameters)
    inputs, outputs = ("".join(f"{_port(port)}, " for port in ports) for ports in (spec.inputs, step.outputs))
    return f'''class {step.params}(Params):
    """What {spec.title!r} may be told."""

{fields}


{step.constant} = Spec(
    name="{step.domain}.{step.name}",
    title={spec.title!r},
    params={step.params},
    inputs=({inputs}),
    outputs=({outputs}),
    resources=Resources(cpu={spec.resources.cpu}, memory_mb={spec.resources.memory_mb}),
)
'''


def _field(item: Parameter) -> str:
    limits = f", ge={item.bounds[0]}, le={item.bounds[1]}" if item.bounds else ""
    return f"Field(default={item.default!r}{limits}, description={item.words!r})"


def _port(port: Port) -> str:
    more = f", {port.schema!r}" if port.schema else ""
    return f"Port({port.name!r}, {port.kind!r}, {port.description!r}{more}{', optional=True' if port.optional else ''})"


def step_imports(step: Step) -> str:
    package = f"components.{step.domain}"
    return "\n".join(
        [
            "from typing import Any",
            "from components.core.step import StepIO",
            f"from {package}.{step.name} import compute as compute_{step.name}",
            f"from {package}.specs import {step.params}",
        ]
    )


def step_text(step: Step) -> str:
    arguments = [_argument(port) for port in step.notebook.spec.inputs] + ["**params.model_dump()"]
    writes = "\n".join(f'    io.write_{p.kind}("{p.name}", outcome.{p.name})' for p in step.outputs)
    first = step.outputs[0]
    plain = f"{{k: v for k, v in outcome.{first.name}.items() if v is None or isinstance(v, str | int | float)}}"
    summary = plain if first.kind == "json" else f'{{"rows": len(outcome.{first.name})}}'
    return f'''def {step.name}(io: StepIO, params: {step.params}) -> dict[str, Any]:
    """{step.notebook.spec.title}."""
    outcome = compute_{step.name}({", ".join(arguments)})
{writes}
    return {summary}
'''


def _argument(port: Port) -> str:
    read = f'io.lake("{port.name}")' if port.kind == "lake" else f'io.read_{port.kind}("{port.name}")'
    return f'{read} if io.has("{port.name}") else None' if port.optional else read


def test_text(step: Step) -> str:
    parts, package = step.parts, f"components.{step.domain}"
    names = "\n".join(f"    {name} = outcome.{name}" for name in parts.asserted)
    checks = textwrap.indent("\n".join(piece.text for piece in parts.assertions), "    ")
    asserted = f"def test_what_the_notebook_asserts(outcome: Any) -> None:\n{names}\n{checks}\n" if checks else ""
    code = f'''pytestmark = pytest.mark.xdist_group("world")
LINK = next(link for link in CHAIN if link.spec == "notebook.{step.name}")


def chosen(world: World, spec: Spec) -> dict[str, Any]:
    return {{name: value for name, value in world.params(LINK).items() if name in spec.params.model_fields}}


@pytest.fixture(scope="module")
def outcome(world: World) -> Any:
    uris = world.uris(LINK, world.root / "graduated", world.lake)
    params = parse_params({step.constant}, chosen(world, {step.constant}))
    io = StepIO({step.constant}, uris, params)
    return compute({", ".join([*map(_argument, step.notebook.spec.inputs), "**params.model_dump()"])})


{asserted}

def test_step_and_notebook_agree(world: World, tmp_path: Path) -> None:
    runs = {{"notebook": notebook("{step.name}").spec, "step": {step.constant}}}
    for place, spec in runs.items():
        uris = world.uris(LINK, tmp_path / place, world.lake)
        run(spec, {{port.name: uris[port.name] for port in spec.ports if port.name in uris}}, chosen(world, spec))
    for port in {step.constant}.outputs:
        assert artifact(tmp_path / "step", port).read_bytes() == artifact(tmp_path / "notebook", port).read_bytes()
'''
    own = ["from pathlib import Path", "from typing import Any", "import pytest"]
    own += ["from components.core.spec import Spec"]
    own += ["from components.core.step import StepIO, parse_params, run"]
    own += ["from components.notebook.specs import notebook", f"from {package}.{step.name} import compute"]
    own += [f"from {package}.specs import {step.constant}", "from tests.world import CHAIN, World, artifact"]
    head = (
        f'"""{step.notebook.spec.title}: what its notebook asserts, and that step and notebook agree."""\n\n{FUTURE}\n'
    )
    return f"{head}{_used_imports(parts.imports, code, own)}\n\n{code}"
