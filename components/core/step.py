"""Running a step: its command line, its artifacts, and the promise that a crash leaves no half artifact.

    python -m components.<domain> <step> --<port> URI … --params '{"…": …}'

An output's data is written atomically as the step runs; its sidecar `<uri>.meta.json` (rows, sha256,
producer, params, summary) only after the whole step succeeded. Without its sidecar an artifact does not
exist for the steps that follow.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl
from pydantic import ValidationError

from components.core import storage
from components.core.errors import InputError, ParamsError, TraceoError
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.spec import Params, Port, Spec, specs

SIDECAR = ".meta.json"
#: Begins the line on which a failing step says what it left to look at; launchers read it.
LINKS_LINE = "traceo links: "
P = TypeVar("P", bound=Params)
logger = logging.getLogger("traceo.step")


class StepFunction(Protocol):
    """A step's body: reads inputs and writes outputs through `io`, returns a small JSON-able summary."""

    def __call__(self, io: StepIO, params: Any, /) -> Mapping[str, Any]: ...


class StepIO:
    """The artifacts of one run of a step, by port name."""

    def __init__(self, spec: Spec, uris: Mapping[str, str], params: Params) -> None:
        self._ports = {port.name: port for port in spec.ports}
        self._outputs = {port.name for port in spec.outputs}
        self._uris = dict(uris)
        self._written: dict[str, dict[str, Any]] = {}
        self.producer = spec.name
        self.params: dict[str, Any] = params.model_dump(mode="json")

    # --- reading -------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether an optional input was given."""
        return name in self._uris

    def uri(self, name: str) -> str:
        return self._uris[name]

    def lake(self, name: str = "lake") -> Lake:
        return Lake(self._uris[name])

    def read_table(self, name: str) -> pl.DataFrame:
        """An input table; InputError where it is absent, changed since it was written, or lacks a column."""
        uri = self._uris[name]
        data = self._checked(name)
        try:
            frame = pl.read_parquet(data)
        except Exception as error:
            raise InputError(f"{uri}: not a Parquet file ({str(error).splitlines()[0]}); write it again") from None
        schema = self._ports[name].schema
        return TABLES[schema].conform(frame, uri) if schema else frame

    def read_json(self, name: str) -> Any:
        try:
            return json.loads(self._checked(name))
        except ValueError as error:
            raise InputError(f"{self._uris[name]}: not JSON ({error}); write it again") from None

    def read_folder(self, name: str) -> Any:
        """A context manager that gives an input folder as a local, read-only Path."""
        self.meta(name)
        return storage.local_folder(self._uris[name])

    def meta(self, name: str) -> dict[str, Any]:
        """The sidecar of an input."""
        uri = self._uris[name]
        if not storage.exists(uri + SIDECAR):
            raise InputError(
                f"--{name} {uri}: no such artifact (its sidecar {SIDECAR} is missing); run the step before"
            )
        content: dict[str, Any] = json.loads(storage.read_bytes(uri + SIDECAR))
        return content

    def _checked(self, name: str) -> bytes:
        expected = self.meta(name).get("sha256")
        data = storage.read_bytes(self._uris[name])
        if hashlib.sha256(data).hexdigest() != expected:
            raise InputError(
                f"--{name} {self._uris[name]}: content and sidecar differ; run the step that writes it again"
            )
        return data

    # --- writing -------------------------------------------------------------------------------------

    def write_table(self, name: str, frame: pl.DataFrame) -> None:
        schema = self._ports[name].schema
        conformed = TABLES[schema].conform(frame, self._uris[name]) if schema else frame
        buffer = io.BytesIO()
        conformed.write_parquet(buffer, compression="zstd")
        self._write(name, buffer.getvalue(), rows=len(conformed))

    def write_json(self, name: str, content: Any) -> None:
        self._write(name, json.dumps(content, sort_keys=True, default=str, indent=1).encode())

    @contextmanager
    def write_folder(self, name: str) -> Iterator[Path]:
        """A fresh folder to fill; it becomes the output when the block ends without an error."""
        uri = self._begin(name)
        with storage.new_folder(uri) as folder:
            yield folder
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            digest = hashlib.sha256()
            for file in files:
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
            self._written[name] = {"files": len(files), "sha256": digest.hexdigest()}

    def _begin(self, name: str) -> str:
        if name not in self._outputs:
            raise TraceoError(f"step {self.producer} declares no output {name!r}; add it to its Spec")
        storage.delete(self._uris[name] + SIDECAR)
        return self._uris[name]

    def _write(self, name: str, data: bytes, **facts: Any) -> None:
        storage.write_bytes(self._begin(name), data)
        self._written[name] = {**facts, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write every output's sidecar; TraceoError where the step forgot an output."""
        for port in self._ports.values():
            if port.name not in self._outputs or port.kind == "lake" or port.name not in self._uris:
                continue
            if port.name not in self._written and port.optional:
                # An earlier attempt may have written it; what is left out now must not be found.
                storage.delete(self._begin(port.name))
                continue
            if port.name not in self._written:
                raise TraceoError(f"step {self.producer} ended without writing its output {port.name!r}")
            sidecar = {
                "producer": self.producer,
                "params": self.params,
                "summary": dict(summary),
                "schema": port.schema,
            }
            content = json.dumps({**sidecar, **self._written[port.name]}, sort_keys=True, default=str, indent=1)
            storage.write_bytes(self._uris[port.name] + SIDECAR, content.encode())


def run(spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run one step in this process; returns its summary. Raises TraceoError and nothing else on bad input."""
    checked = parse_params(spec, params or {})
    for port in spec.ports:
        if port.name not in uris and not port.optional:
            raise ParamsError(f"{spec.name} needs --{port.name} URI ({port.description})")
    function: StepFunction = getattr(importlib.import_module(f"components.{spec.domain}.steps"), spec.step)
    step_io = StepIO(spec, uris, checked)
    try:
        summary = dict(function(step_io, checked))
    except pl.exceptions.ComputeError as error:
        # Polars does not say which file of a scan is damaged.
        damaged = [file for port in spec.inputs if port.kind == "lake" for file in step_io.lake(port.name).damaged()]
        if not damaged:
            raise
        raise InputError(f"{damaged[0]}: {error}; remove it with its sidecar and ingest its window again") from None
    step_io.finish(summary)
    return summary


def parse_params(spec: Spec, params: Mapping[str, Any]) -> Params:
    """The step's Params from a mapping; ParamsError names the parameter, the value and what is allowed."""
    try:
        return spec.params.model_validate(dict(params))
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"]) or "params"
        known = ", ".join(spec.params.model_fields)
        raise ParamsError(f"{spec.name}: parameter {name!r}: {problem['msg']}; it takes {known}") from None


def main(domain: str, argv: Sequence[str] | None = None) -> int:
    """The command line of one domain's steps; returns the exit code."""
    # force: libraries imported earlier may have configured the root logger already.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    offered = {spec.step: spec for spec in specs(domain)}
    arguments = vars(_parser(domain, offered).parse_args(argv))
    spec = offered[arguments["step"]]
    uris = {port.name: arguments[port.name] for port in spec.ports if arguments[port.name]}
    try:
        params = json.loads(arguments["params"])
        if not isinstance(params, dict):
            raise ParamsError(f"--params must be a JSON object, not {arguments['params']!r}")
        summary = run(spec, uris, params)
    except json.JSONDecodeError as error:
        return _fail(ParamsError(f"--params is not JSON: {error}; quote it as one argument"))
    except TraceoError as error:
        return _fail(error)
    print(json.dumps(summary, default=str, sort_keys=True))
    return 0


def _fail(error: TraceoError) -> int:
    if error.links:
        print(LINKS_LINE + json.dumps(error.links, sort_keys=True), flush=True)
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


def _parser(domain: str, offered: Mapping[str, Spec]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m components.{domain}")
    commands = parser.add_subparsers(dest="step", required=True)
    for step, spec in offered.items():
        command = commands.add_parser(step, help=spec.title, description=spec.title, epilog=_parameters_help(spec))
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        for port in spec.ports:
            command.add_argument(
                f"--{port.name}", metavar="URI", required=not port.optional, help=_port_help(port, spec)
            )
        command.add_argument("--params", default="{}", metavar="JSON", help="the step's parameters, see below")
    return parser


def _port_help(port: Port, spec: Spec) -> str:
    direction = "output" if port in spec.outputs and port not in spec.inputs else "input"
    return f"{direction} {port.kind}: {port.description}".replace("%", "%%")


def _parameters_help(spec: Spec) -> str:
    lines = [
        f"  {name} = {info.default!r}: {info.description or ''}" for name, info in spec.params.model_fields.items()
    ]
    return "parameters:\n" + "\n".join(lines)
