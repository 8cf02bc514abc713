"""What is in an image: its code and no other, its packages and no other's, an account that is not root."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.images import requirements
from infra.images.build import BUILD, SBOM, reference, version
from infra.images.matrix import ROOT, Image, files, forbidden, images, package_name, project
from tests.containers.conftest import Inside

pytestmark = pytest.mark.containers
each = pytest.mark.parametrize("image", images(), ids=[image.name for image in images()])
_PYTHON = ["/opt/traceo/bin/python", "-c"]
#: Prints what an image holds: its code by digest, its distributions, which of the modules named can be imported, and
#: its bill of materials.
_CONTENTS = """
import hashlib, importlib.metadata, importlib.util, json, pathlib, sys
files = [path for path in pathlib.Path("/app").rglob("*") if path.is_file()]
print(json.dumps({
    "code": {str(path.relative_to("/app")): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    "distributions": {d.name: d.version for d in importlib.metadata.distributions()},
    "modules": [name for name in json.loads(sys.argv[1]) if importlib.util.find_spec(name)],
    "sbom": pathlib.Path(sys.argv[2]).read_text(),
}))
"""
#: Imports every module of the packages named, but for the command lines, which would run.
_IMPORTS = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + ".") if hasattr(package, "__path__") else ():
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


@dataclass(frozen=True)
class Contents:
    """What one image holds; distributions by normalized name."""

    code: dict[str, str]
    distributions: dict[str, str]
    modules: list[str]
    sbom: str


@pytest.fixture(scope="session")
def contents(inside: Inside) -> Callable[[Image], Contents]:
    """Looks into an image, once for all tests."""
    modules = [name for name in importlib.metadata.packages_distributions() if name.isidentifier()]

    @lru_cache
    def look(image: Image) -> Contents:
        found = json.loads(inside(reference(image.name), [_CONTENTS, json.dumps(modules), SBOM], entrypoint=_PYTHON))
        named = {package_name(name): version for name, version in found["distributions"].items()}
        return Contents(found["code"], named, found["modules"], found["sbom"])

    return look


@each
def test_it_is_labelled_and_runs_as_nobody_in_particular(engine: Any, image: Image) -> None:
    found = engine.images.get(reference(image.name)).attrs["Config"]
    prefix = "org.opencontainers.image."
    assert found["Labels"]["traceo.component"] == image.name
    assert found["Labels"][f"{prefix}version"] == version()
    assert len(found["Labels"][f"{prefix}revision"].removesuffix("-dirty")) == 40
    assert found["Labels"][f"{prefix}base.name"]
    assert found["User"] == "10001:10001"
    assert found["Entrypoint"] == ["python", "-m"]


@each
def test_its_code_is_the_checkouts(contents: Callable[[Image], Contents], image: Image) -> None:
    expected = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in files(image.paths)}
    found = contents(image).code
    differing = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    assert not differing, f"run make images: {differing}"


@each
def test_it_imports_its_own_code(inside: Inside, image: Image) -> None:
    packages = [path.replace("/", ".") for path in image.paths if (ROOT / path / "__init__.py").exists()]
    packages += [path.removesuffix(".py").replace("/", ".") for path in files(["dags"]) if "dags" in image.paths]
    # Some launchers import Airflow, which its own image alone has.
    packages.remove("components.core")
    launchers = ["launch"] if image.name == "airflow" else ["launch.docker", "launch.process"]
    packages += [f"components.core.{name}" for name in ("step", "tracking", *launchers)]
    assert len(packages) > 3
    environment = {"AIRFLOW_HOME": "/tmp/airflow", "TRACEO_HOME": "/tmp/traceo"}
    inside(reference(image.name), [_IMPORTS, *packages], entrypoint=_PYTHON, environment=environment)


@each
def test_it_cannot_import_what_belongs_to_others(contents: Callable[[Image], Contents], image: Image) -> None:
    shared = requirements.parse((BUILD / "core.txt").read_text())
    refused = forbidden(image, project(), {name for name, _ in shared})
    assert {"kfp-kubernetes", "kfp-server-api"} <= refused
    assert ("apache-airflow" in refused) == (image.name != "airflow")
    assert refused & contents(image).distributions.keys() == set()
    owners = importlib.metadata.packages_distributions()
    importable = {module: {package_name(owner) for owner in owners[module]} for module in contents(image).modules}
    assert "numpy" in importable
    assert [module for module, of in importable.items() if of <= refused] == []


@each
def test_its_bill_of_materials_names_every_package_and_no_other(
    contents: Callable[[Image], Contents], image: Image
) -> None:
    text = contents(image).sbom
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {package_name(part["name"]): part["version"] for part in json.loads(text)["components"]}
    assert listed == contents(image).distributions


@each
def test_every_package_is_the_locks(contents: Callable[[Image], Contents], image: Image) -> None:
    locked = requirements.parse((ROOT / "requirements.lock").read_text())
    assert set(contents(image).distributions.items()) <= locked.keys()


def test_images_share_their_core(engine: Any) -> None:
    shared = engine.images.get(reference("core")).attrs["RootFS"]["Layers"]
    for image in images():
        assert engine.images.get(reference(image.name)).attrs["RootFS"]["Layers"][: len(shared)] == shared
