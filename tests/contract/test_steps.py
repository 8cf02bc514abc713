"""Promises that every step keeps when it runs: whole artifacts, the same bytes again, no harm from a crash."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from components.core import step, storage
from components.core.errors import InputError, TraceoError
from components.core.schema import TABLES
from components.core.settings import settings
from components.core.spec import Port, specs
from tests.world import CHAIN, Link, World, artifact, copy_state, find, fingerprint, hard_copy

# The world is made once, by the one worker that runs all tests of this group.
pytestmark = pytest.mark.xdist_group("world")

#: A kernel takes seconds to start: the shortest notebook stands for the others, which `make test-slow` runs.
_SLOW = {link.label for link in CHAIN if link.spec.startswith("notebook.")} - {"notebook.reading_drift"}
links = pytest.mark.parametrize(
    "link",
    [pytest.param(link, id=link.label, marks=[pytest.mark.slow] * (link.label in _SLOW)) for link in CHAIN],
)
inputs = [
    pytest.param(link, port, id=f"{link.label}-{port.name}")
    for link in CHAIN
    for port in find(link.spec).inputs
    if port.name in link.uses and not port.optional
]


@pytest.fixture(autouse=True)
def _forget_settings() -> Iterator[None]:
    yield
    settings.cache_clear()


each_input = pytest.mark.parametrize(("link", "port"), inputs)
#: Reports are pages of other programs, with the time at which they were built in them; accounts say what one run
#: did, and a retry does less than a first run. Everything else is the same to the byte.
_REPORTS = {"data_docs", "report"}
_ACCOUNTS = {"ingested", "validation", "built", "scored"}


class Killed(BaseException):
    """Stands for a SIGKILL in the middle of a step; unlike one it lets `finally` blocks run.

    Real kills are tested on single steps (tests/telemetry, tests/core) and on the whole stack (tests/e2e).
    """


def test_every_step_is_in_the_chain() -> None:
    assert {spec.name for spec in specs()} == {link.spec for link in CHAIN}


@links
def test_outputs_are_whole_and_say_where_they_came_from(world: World, link: Link) -> None:
    spec = find(link.spec)
    for port in (port for port in spec.outputs if port.kind != "lake"):
        path = artifact(world.root / "runs" / link.label, port)
        if port.optional and not path.exists():
            continue
        sidecar = json.loads(Path(f"{path}.meta.json").read_text())
        assert sidecar["producer"] == spec.name
        assert set(sidecar["params"]) == set(spec.params.model_fields)
        if port.kind != "folder":
            assert sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        if port.kind == "table":
            assert sidecar["rows"] == pl.read_parquet(path).height


@links
def test_a_crash_and_a_retry_give_the_same_bytes(
    world: World, link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed half-way through its writes and run again, a step leaves what an undisturbed run left."""
    home, place = tmp_path / "home", tmp_path / "run"
    copy_state(world.root / "before" / link.label, home)
    monkeypatch.setenv("TRACEO_HOME", str(home))
    settings.cache_clear()
    with monkeypatch.context() as patch:
        _kill_at_write(patch, _writes(world, link) // 2)
        with pytest.raises(Killed):
            world.run(link, place, home / "lake")
    for sidecar in [*place.rglob("*.meta.json"), *home.joinpath("lake").rglob("*.meta.json")]:
        assert Path(str(sidecar).removesuffix(".meta.json")).exists(), f"{sidecar} stands for nothing"
    world.run(link, place, home / "lake")
    undisturbed = _after(world, link)
    for folder in ("lake", "ledger"):
        assert fingerprint(home / folder) == fingerprint(undisturbed / folder)
    expected = _without_reports(fingerprint(world.root / "runs" / link.label))
    assert _without_reports(fingerprint(place)) == expected


@each_input
def test_a_missing_input_is_named(world: World, link: Link, port: Port, tmp_path: Path) -> None:
    spec = find(link.spec)
    uris = world.uris(link, tmp_path / "run", world.lake) | {port.name: str(tmp_path / "none")}
    error = _error(world, link, uris)
    assert str(tmp_path / "none") in str(error)
    assert not any(artifact(tmp_path / "run", output).exists() for output in spec.outputs)


@each_input
def test_an_input_that_changed_is_refused(world: World, link: Link, port: Port, tmp_path: Path) -> None:
    source = artifact(world.root / "runs" / link.uses[port.name], port)
    if source.is_dir():
        pytest.skip("folders are read file by file")
    broken = tmp_path / source.name
    broken.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    Path(f"{broken}.meta.json").write_bytes(Path(f"{source}.meta.json").read_bytes())
    uris = world.uris(link, tmp_path / "run", world.lake) | {port.name: str(broken)}
    error = _error(world, link, uris)
    assert isinstance(error, InputError)
    assert str(broken) in str(error)


@each_input
def test_a_missing_column_is_named(world: World, link: Link, port: Port, tmp_path: Path) -> None:
    if port.kind != "table" or link.spec == "lifecycle.register":
        pytest.skip("not a table, or one that is only passed on")
    frame = pl.read_parquet(artifact(world.root / "runs" / link.uses[port.name], port))
    required = list(TABLES[port.schema].required) if port.schema else frame.columns
    path = tmp_path / "input.parquet"
    frame.drop(required[0]).write_parquet(path)
    sidecar = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    Path(f"{path}.meta.json").write_text(json.dumps(sidecar))
    error = _error(world, link, world.uris(link, tmp_path / "run", world.lake) | {port.name: str(path)})
    assert isinstance(error, InputError)
    assert repr(required[0]) in str(error)


@links
def test_a_truncated_partition_is_named(world: World, link: Link, tmp_path: Path) -> None:
    """A step that reads a damaged partition ends with an error that names the file, or never needed it."""
    lake = tmp_path / "lake"
    hard_copy(world.root / "before" / link.label / "lake", lake)
    damaged = [path for path in lake.rglob("*.parquet") if "_quarantine" not in path.parts]
    if not damaged or "lake" not in {port.name for port in find(link.spec).inputs}:
        pytest.skip("reads no lake")
    for path in damaged:
        content = path.read_bytes()[:-100]
        path.unlink()
        path.write_bytes(content)
    uris = world.uris(link, tmp_path / "run", lake)
    with contextlib.suppress(TraceoError):
        step.run(find(link.spec), uris, world.params(link))
        return
    assert ".parquet" in str(_error(world, link, uris))


def _error(world: World, link: Link, uris: dict[str, str]) -> TraceoError:
    with pytest.raises(TraceoError) as caught:
        step.run(find(link.spec), uris, world.params(link))
    return caught.value


def _after(world: World, link: Link) -> Path:
    """The home as this link left it."""
    return world.root / "before" / CHAIN[CHAIN.index(link) + 1].label if link != CHAIN[-1] else world.root


def _writes(world: World, link: Link) -> int:
    """How many files the undisturbed run wrote, by what the lake and the outputs gained."""
    gained = set(fingerprint(_after(world, link) / "lake"))
    gained -= set(fingerprint(world.root / "before" / link.label / "lake"))
    return len(gained) + len(list((world.root / "runs" / link.label).glob("*.json")))


def _kill_at_write(patch: pytest.MonkeyPatch, index: int) -> None:
    write, count = storage.write_bytes, [0]

    def killing(uri: str, data: bytes) -> None:
        if count[0] == index:
            raise Killed
        count[0] += 1
        write(uri, data)

    patch.setattr(storage, "write_bytes", killing)


def _without_reports(files: dict[str, str]) -> dict[str, str]:
    return {
        name: digest for name, digest in files.items() if name.split("/")[0].split(".")[0] not in _REPORTS | _ACCOUNTS
    }
