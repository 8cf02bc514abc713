"""Builds the images: `python -m infra.images.build [IMAGE …]`, or `make images` for all of them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.core.settings import settings
from infra.images import requirements, table
from infra.images.debian import LOCAL_BASE, exists, import_base
from infra.images.engine import ask
from infra.images.errors import ImageError
from infra.images.matrix import ROOT, Image, files, files_of_the_tests, images, project

#: Written anew by every build; git does not know it, the build context holds it.
BUILD = ROOT / "infra/images/build"
#: Where an image keeps the list of its packages.
SBOM = "/opt/traceo/share/traceo/sbom.cdx.json"


def reference(name: str, target: str = "runtime") -> str:
    """The name under which an image is tagged, such as localhost/traceo-forecasting:dev."""
    suffix = "-test" if target == "test" else ""
    return f"{settings().image_prefix}{name}{suffix}:{settings().image_tag}"


def prepare(chosen: Sequence[Image]) -> None:
    """Write what the Dockerfile reads: hashed requirements and lists of files. ImageError where they do not fit."""
    BUILD.mkdir(exist_ok=True)
    shared, content = requirements.core(), project()
    _write("core.txt", shared.values())
    # The SBOM's subject; without the rest of pyproject.toml, whose every change would make the layers anew.
    facts = {key: content["project"][key] for key in ("name", "version", "description")}
    _write("project.toml", ["[project]\n", *(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())])
    _write("tools.txt", requirements.of_packages("tools", requirements.TOOLS).values())
    with ThreadPoolExecutor(4) as pool:
        for image, pins in zip(chosen, pool.map(requirements.of_image, chosen), strict=True):
            requirements.check(image, pins, content, shared)
            _write(f"{image.name}.txt", (block for key, block in pins.items() if key not in shared))
    tests = requirements.of_packages("test", requirements.TESTS)
    _write("test.txt", (block for key, block in tests.items() if key not in shared))
    _list_files(chosen)


def _list_files(chosen: Sequence[Image]) -> None:
    for name, listed in [("test", files_of_the_tests()), *((image.name, files(image.paths)) for image in chosen)]:
        _write(f"{name}.files", (f"{path}\n" for path in listed))


def _write(name: str, parts: Iterable[str]) -> None:
    (BUILD / name).write_text("".join(parts))


def build(builder: str, name: str, target: str, base: str) -> float:
    """Build one stage of an image; its output goes to stderr. Returns the seconds it took.

    ImageError where the builder fails.
    """
    key = BUILD / "cache_key"
    arguments = {"BASE": base, "IMAGE": name, "VERSION": version(), "REVISION": revision()}
    arguments["CACHE_KEY"] = key.read_text() if key.exists() else ""
    arguments["CORE"] = "core" if target == "core" else reference("core")
    command = [builder, "build", "--file", "infra/images/Dockerfile", "--target", target]
    command += ["--tag", reference(name, target)]
    for argument, value in arguments.items():
        command += ["--build-arg", f"{argument}={value}"]
    command += _podman_options() if builder == "podman" else []
    began = time.monotonic()
    if subprocess.run([*command, "."], cwd=ROOT, stdout=sys.stderr).returncode:
        raise ImageError(f"image {name}: {builder} could not build the stage {target}; its last lines say why")
    return time.monotonic() - began


def _podman_options() -> list[str]:
    """The host's network, certificates, index configuration and package cache, lent to the build, kept by no image."""
    environment = os.environ
    cache = subprocess.run([Path(sys.executable).with_name("uv"), "cache", "dir"], capture_output=True, text=True)
    lent = {
        cache.stdout.strip(): "/var/cache/uv",
        environment.get("SSL_CERT_FILE", ""): "/etc/ssl/certs/ca-certificates.crt:ro",
        environment.get("PIP_CONFIG_FILE", "/etc/pip.conf"): "/etc/pip.conf:ro",
        environment.get("UV_CONFIG_FILE", "/etc/uv/uv.toml"): "/etc/uv/uv.toml:ro",
    }
    volumes = [f"--volume={source}:{target}" for source, target in lent.items() if source and Path(source).exists()]
    return ["--layers", "--network=host", *volumes]


def export_sbom(builder: str, name: str) -> int:
    """Copy an image's SBOM to infra/images/build/sbom/; returns how many packages it lists.

    ImageError where the builder fails.
    """
    path = BUILD / "sbom" / f"{name}.cdx.json"
    path.parent.mkdir(exist_ok=True)
    container = ask([builder, "create", reference(name)])
    try:
        ask([builder, "cp", f"{container}:{SBOM}", str(path)])
    finally:
        ask([builder, "rm", container])
    return len(json.loads(path.read_text())["components"])


def version() -> str:
    """The version of the project."""
    found: str = project()["project"]["version"]
    return found


def revision() -> str:
    """The commit of the checkout, with `-dirty` where files differ from it; `unknown` outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "HEAD") or "unknown"
    return commit + ("-dirty" if commit != "unknown" and git("status", "--porcelain", "--untracked-files=no") else "")


def _builder(name: str | None) -> str:
    found = name or next((known for known in ("podman", "docker") if shutil.which(known)), None)
    if not found:
        raise ImageError("neither podman nor docker is on the PATH; install one (Debian: apt install podman runc)")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.images.build", description="Build Traceo's images.")
    parser.add_argument("names", nargs="*", metavar="IMAGE", help="which images; default: all")
    parser.add_argument("--builder", choices=("podman", "docker"), help="default: podman where it is, else docker")
    parser.add_argument("--base", default=LOCAL_BASE, help="image to build on; default: one made of Debian packages")
    parser.add_argument("--test", action="store_true", help="build the stage with the contract tests as well")
    parser.add_argument("--prepare", action="store_true", help="only write infra/images/build/, for a build by hand")
    parser.add_argument("--fresh", action="store_true", help="build every layer anew and write SIZES.md")
    return parser


def _chosen(names: Sequence[str]) -> list[Image]:
    known = {image.name: image for image in images()}
    if unknown := [name for name in names if name not in known]:
        raise ImageError(f"there is no image {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def _base(builder: str, name: str, *, anew: bool) -> table.Row:
    began = time.monotonic()
    if name == LOCAL_BASE:
        import_base(builder, anew=anew)
    elif not exists(builder, name) and subprocess.run([builder, "pull", name], stdout=sys.stderr).returncode:
        raise ImageError(f"the base {name} cannot be pulled; name one that exists with --base (make images BASE=…)")
    return table.Row("base", table.size(builder, name), None, time.monotonic() - began)


def _build_all(builder: str, chosen: Sequence[Image], base: str, *, test: bool) -> list[table.Row]:
    seconds = build(builder, "core", "core", base)
    rows = [table.Row("core", table.size(builder, reference("core")), None, seconds)]
    for image in chosen:
        _list_files([image])
        seconds = build(builder, image.name, "runtime", base)
        size, packages = table.size(builder, reference(image.name)), export_sbom(builder, image.name)
        rows.append(table.Row(image.name, size, packages, seconds))
        if test:
            build(builder, image.name, "test", base)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Build the chosen images and print a table of them; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        chosen = _chosen(arguments.names)
        prepare(chosen)
        if arguments.prepare:
            return 0
        builder = _builder(arguments.builder)
        if arguments.fresh:
            (BUILD / "cache_key").write_text(f"{time.time():.0f}")
        rows = [_base(builder, arguments.base, anew=arguments.fresh)]
        rows += _build_all(builder, chosen, arguments.base, test=arguments.test)
        text = table.render(rows)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    if arguments.fresh and not arguments.names:
        (ROOT / "infra/images/SIZES.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
