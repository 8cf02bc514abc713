"""Promises that a Spec keeps without running: light to import, documented, strict about parameters."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.core import step
from components.core.errors import ParamsError
from components.core.schema import TABLES
from components.core.spec import Spec, domains, specs

SPECS = specs()
# Importing any of these in a DAG file or on `--help` would cost seconds.
HEAVY = {
    "airflow",
    "evidently",
    "feast",
    "great_expectations",
    "kserve",
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "prophet",
}
HEAVY |= {"sklearn", "statsforecast", "boto3", "matplotlib", "scipy"}


def each(items: list[Spec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("spec", items, ids=[spec.name for spec in items])


def test_names_are_unique_and_in_their_domain() -> None:
    names = [spec.name for spec in SPECS]
    assert len(names) == len(set(names))
    assert len(names) >= 20
    for domain in domains():
        assert {spec.domain for spec in specs(domain)} == {domain}


@pytest.mark.parametrize("domain", domains())
def test_specs_import_nothing_heavy(domain: str) -> None:
    code = f"import sys, components.{domain}.specs; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


@each(SPECS)
def test_parameters_have_valid_defaults_and_descriptions(spec: Spec) -> None:
    spec.params()
    spec.params.model_validate(dict(spec.example))
    for name, info in spec.params.model_fields.items():
        assert info.description, f"{spec.name}: parameter {name} has no description"
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


@each(SPECS)
def test_parameters_are_frozen_and_unknown_ones_refused(spec: Spec) -> None:
    with pytest.raises(ParamsError, match="parameter 'no_such_parameter'"):
        step.parse_params(spec, {"no_such_parameter": 1})
    params = spec.params()
    for name in spec.params.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(params, name, None)


@each(SPECS)
def test_ports_have_known_schemas_and_one_direction(spec: Spec) -> None:
    for port in spec.ports:
        assert port.schema is None or port.schema in TABLES
        assert port.description
    both = {port.name for port in spec.inputs} & {port.name for port in spec.outputs}
    assert all(port.kind == "lake" for port in spec.ports if port.name in both)


@each(SPECS)
def test_the_function_behind_it_is_documented(spec: Spec) -> None:
    function = getattr(importlib.import_module(f"components.{spec.domain}.steps"), spec.step)
    assert function.__doc__
    assert "\n" not in function.__doc__.split(".")[0]


@each(SPECS)
def test_a_missing_port_is_named(spec: Spec) -> None:
    needed = next(port for port in spec.ports if not port.optional)
    with pytest.raises(ParamsError, match=f"{spec.name} needs --{needed.name} URI"):
        step.run(spec, {})


@pytest.mark.parametrize("domain", domains())
def test_the_command_line_says_what_is_wrong_in_one_line(domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = specs(domain)[0]
    ports = [part for port in spec.ports if not port.optional for part in (f"--{port.name}", "/nowhere")]
    for params in ('{"no_such_parameter": 1}', "not json", "[1]"):
        assert step.main(domain, [spec.step, *ports, "--params", params]) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("error: ")
        assert "\n" not in error


@each(SPECS)
def test_help_lists_ports_and_parameters(spec: Spec, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        step.main(spec.domain, [spec.step, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"--{port.name}" in text for port in spec.ports)
    assert all(name in text for name in spec.params.model_fields)


def test_examples_are_plain_json() -> None:
    for spec in SPECS:
        json.dumps(dict(spec.example))
