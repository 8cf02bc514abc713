"""Which images there are and what each holds: one per domain that offers steps, and those of EXTRA.

The matrix follows from the Specs. A new domain has an image as soon as its package has a `specs` module and
its group stands in `pyproject.toml`; only what it needs of others is written down here, in BEYOND.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.spec import domains

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Beyond:
    """What an image holds beyond core and its own domain.

    `domains`: other domains with their code and their groups; `paths`: folders, files or glob patterns.
    """

    domains: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


#: Images that run no step: the model server, and Airflow with the DAGs and the interfaces of all steps.
EXTRA = ("serving", "airflow")
#: The interfaces of all steps; those of the notebooks are read from the notebooks.
_INTERFACES = (
    *("components/*/__init__.py", "components/*/specs.py", "notebooks"),
    *(f"components/notebook/{name}.py" for name in ("header", "parameters", "percent")),
)
BEYOND: Mapping[str, Beyond] = {
    "airflow": Beyond(paths=("dags", *_INTERFACES)),
    "features": Beyond(paths=("feature_repo",)),
    # A notebook may call what the domains offer; the notebooks travel with it.
    "notebook": Beyond(
        domains=("anomaly", "forecasting", "logs", "quality", "rootcause", "telemetry"),
        paths=("expectations", "notebooks"),
    ),
    "quality": Beyond(paths=("expectations",)),
    # The loaders of the models it serves.
    "serving": Beyond(domains=("anomaly", "forecasting")),
}
#: In every image.
_SHARED = ("components/__init__.py", "components/core", "infra/config/catalog.yaml")
#: What the stage `test` adds.
_TESTS = ("pyproject.toml", "tests/__init__.py", "tests/conftest.py", "tests/world.py", "tests/contract", *_INTERFACES)
#: Libraries that several platforms bring along: their presence says nothing about an image.
_INCIDENTAL = frozenset({"kubernetes", "prometheus-client"})
#: Groups of those who develop Traceo, and of the stack on one machine; no image has them.
_NOT_SHIPPED = frozenset({"dev", "local"})


@dataclass(frozen=True)
class Image:
    """One image: its name, the groups of `pyproject.toml` it installs, and the paths of the checkout it holds."""

    name: str
    groups: tuple[str, ...]
    paths: tuple[str, ...]


def images() -> list[Image]:
    """Every image, by name."""
    return [_image(name) for name in sorted({*domains(), *EXTRA})]


def _image(name: str) -> Image:
    beyond = BEYOND.get(name, Beyond())
    members = [member for member in (name, *beyond.domains) if (ROOT / "components" / member).is_dir()]
    own = [f"components/{member}" for member in members]
    return Image(name, (name, *beyond.domains), (*_SHARED, *own, *beyond.paths))


def files(paths: Iterable[str], root: Path = ROOT) -> list[str]:
    """The files below these paths and patterns, relative to the checkout, sorted.

    In a git checkout those that git knows; elsewhere all but bytecode, hidden files and executed notebooks.
    """
    found: set[Path] = set()
    for pattern in paths:
        for path in root.glob(pattern):
            found.update(path.rglob("*") if path.is_dir() else [path])
    kept = {path.relative_to(root).as_posix() for path in found if path.is_file() and path.suffix != ".pyc"}
    tracked = _tracked(root)
    return sorted(path for path in kept if (path in tracked if tracked is not None else _is_source(path)))


def _tracked(root: Path) -> set[str] | None:
    """The files that git knows; None where there is no git checkout, or no git to ask."""
    git = shutil.which("git")
    if not git or not (root / ".git").exists():
        return None
    listed = subprocess.run([git, "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    return set(listed.stdout.split("\0")) if listed.returncode == 0 else None


def _is_source(path: str) -> bool:
    return not path.endswith(".ipynb") and not any(part.startswith(".") for part in path.split("/"))


def files_of_the_tests(root: Path = ROOT) -> list[str]:
    """The files that the stage `test` adds to an image."""
    return files(_TESTS, root)


def project(root: Path = ROOT) -> dict[str, Any]:
    """`pyproject.toml` as a mapping."""
    return tomllib.loads((root / "pyproject.toml").read_text())


def forbidden(image: Image, content: Mapping[str, Any], shared: Iterable[str]) -> set[str]:
    """Names of distributions that the image must not hold: what groups other than its own ask for, and platforms
    that none of its code may import, by the import contracts, whatever its groups say.

    `shared`: the names that every image holds, the closure of the project's own dependencies.
    """
    groups: Mapping[str, list[str]] = content["project"]["optional-dependencies"]
    others = {group for group in groups if group not in image.groups} - _NOT_SHIPPED
    own = {package_name(line) for group in image.groups for line in groups[group]}
    asked = {package_name(line) for group in others for line in groups[group]} - own
    held = {path.replace("/", ".") for path in image.paths}
    platforms = {package_name(module) for module, owners in _owners(content) if owners.isdisjoint(held)}
    return (asked | platforms) - set(shared) - _INCIDENTAL


def _owners(content: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """Each platform with the packages that may import it, as the contracts "… only in …" of the import linter say."""
    roots: list[str] = content["tool"]["importlinter"]["root_packages"]
    for contract in content["tool"]["importlinter"]["contracts"]:
        if " only in " not in contract["name"]:
            continue
        sources = set(contract["source_modules"])
        importers = {line.split(" -> ")[0] for line in contract.get("ignore_imports", [])}
        owners = {_domain(module) for module in importers} | (set(roots) - sources)
        if "components" in owners:
            owners = owners - {"components"} | _absent_domains(sources)
        yield from ((module, owners) for module in contract["forbidden_modules"])


def _absent_domains(sources: set[str]) -> set[str]:
    packages = {f"components.{path.parent.name}" for path in (ROOT / "components").glob("*/__init__.py")}
    return packages - sources


def _domain(module: str) -> str:
    # The launchers are code in every image, but what they import of a platform is used in Airflow's alone.
    if module.startswith("components.core.launch."):
        return "dags"
    return ".".join(module.split(".")[:2]) if module.startswith("components.") else module


def package_name(requirement: str) -> str:
    """The normalized name of the distribution that a requirement line asks for."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    if not name:
        raise ValueError(f"{requirement!r} begins with no package name")
    return re.sub(r"[-_.]+", "-", name[0]).lower()
