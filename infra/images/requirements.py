"""The hashed requirements of each image, derived from `pyproject.toml` and held to `requirements.lock`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.images.errors import ImageError
from infra.images.matrix import ROOT, Image, forbidden, package_name

#: What the stages of the build need beside an image's own packages: the SBOM's writer, the tests' runner.
TOOLS = ("cyclonedx-bom",)
TESTS = ("pytest", "pytest-timeout", "pytest-xdist")
#: What Kubeflow starts a step with, in every image and without what it depends on: it needs nothing of that at run
#: time, and a task has no index to install it from.
EXECUTOR = "kfp"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")

Pins = dict[tuple[str, str], str]


def parse(text: str) -> Pins:
    """Requirement blocks (the line and its hashes) by normalized name and version."""
    blocks: Pins = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        if match := _PIN.match(block):
            blocks[package_name(match["name"]), match["version"]] = block.rstrip() + "\n"
    return blocks


def core() -> Pins:
    """What `components.core` imports, and Kubeflow's executor: the packages of every image."""
    executor = {key: block for key, block in _locked().items() if key[0] == EXECUTOR}
    return _compile("core", ["pyproject.toml"]) | executor


def _locked() -> Pins:
    return parse((ROOT / "requirements.lock").read_text())


def of_image(image: Image) -> Pins:
    """Everything that the image's groups need, core included."""
    return _compile(image.name, ["pyproject.toml", *(f"--extra={group}" for group in image.groups)])


def of_packages(what: str, packages: Iterable[str]) -> Pins:
    """What the named packages need."""
    return _compile(what, ["-"], "\n".join(packages))


def check(image: Image, pins: Pins, content: Mapping[str, Any], shared: Pins) -> None:
    """ImageError where the image's packages bring along what belongs to another group or platform."""
    names = {name for name, _ in pins}
    refused = forbidden(image, content, {name for name, _ in shared})
    # A platform's distribution may have a longer name than its module: apache-airflow-core, kfp-server-api.
    found = {name for name in names for other in refused if name.removeprefix("apache-").startswith(other)}
    if found:
        groups = ", ".join(image.groups)
        raise ImageError(
            f"image {image.name}: its groups ({groups}) bring {', '.join(sorted(found))}, which its code may not"
            " import; take the requirement out of the group in pyproject.toml"
        )


def _compile(what: str, arguments: Sequence[str], given: str = "") -> Pins:
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", *arguments, "--universal", "--python-version=3.11", "--generate-hashes"]
    command += ["--constraint=requirements.lock", "--override=requirements.overrides", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    ended = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT)
    if ended.returncode:
        raise ImageError(f"{what}: its packages do not fit requirements.lock (make lock): {ended.stderr.strip()}")
    pins = parse(ended.stdout)
    locked = _locked()
    if strange := sorted(f"{name}=={version}" for name, version in pins if (name, version) not in locked):
        raise ImageError(f"{what}: {', '.join(strange)} is not in requirements.lock; run make lock")
    # The lock's own blocks, so that the hashes are those that were reviewed.
    return {key: locked[key] for key in pins}
