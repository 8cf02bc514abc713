"""Scaffolds the step that a notebook graduates to, in a checkout: module, Spec, step and test."""

from __future__ import annotations

import ast
import keyword
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from components.core.errors import InputError, TraceoError
from components.core.settings import REPOSITORY
from components.core.spec import domains
from components.notebook.graduation import texts
from components.notebook.graduation.parts import take_apart
from components.notebook.graduation.texts import FUTURE, Step
from components.notebook.specs import REPORT, Notebook, shown


def graduate(notebook: Notebook, domain: str | None = None) -> list[Path]:
    """Scaffold the step in a domain; returns the files written.

    InputError where the notebook or the domain does not allow it; whatever goes wrong, nothing is left written.
    """
    _check(notebook)
    step = Step(notebook, _domain(notebook, domain), take_apart(notebook))
    try:
        rendered = _render(step)
        for text in rendered.values():
            ast.parse(text)
    except SyntaxError as error:
        raise InputError(
            f"{shown(notebook.path)}: its scaffold is no Python ({error.msg}: {(error.text or '').strip()!r}); "
            "mend what the notebook says there, or write that step by hand"
        ) from None
    _write(rendered)
    return list(rendered)


def _check(notebook: Notebook) -> None:
    ports = [port for port in notebook.spec.ports if port != REPORT]
    if odd := [port for port in ports if port.kind == "folder"]:
        raise InputError(f"{shown(notebook.path)}: the port {odd[0].name!r} is a folder; write that step by hand")
    outputs = [port for port in notebook.spec.outputs if port != REPORT]
    if odd := [port for port in outputs if port.kind == "lake"]:
        raise InputError(f"{shown(notebook.path)}: the output {odd[0].name!r} is a lake; write that step by hand")
    if not outputs:
        raise InputError(
            f"{shown(notebook.path)}: it has no output, and so nothing to graduate; name one in **Outputs**"
        )


def _render(step: Step) -> dict[Path, str]:
    """Every file of the scaffold with its text, before ruff lays it out."""
    package, tests = REPOSITORY / "components" / step.domain, REPOSITORY / "tests" / step.domain
    module, test = package / f"{step.name}.py", tests / f"test_{step.name}.py"
    if existing := [path for path in (module, test) if path.exists()]:
        raise InputError(f"{shown(existing[0])} is there already; remove it or rename the notebook")
    known = _domain_texts(package, step)
    if not (tests / "__init__.py").exists():
        known[tests / "__init__.py"] = ""
    known[module] = texts.module_text(step)
    specs, steps = package / "specs.py", package / "steps.py"
    known[specs] = _extended(specs, known[specs], texts.spec_imports(step), texts.spec_text(step), step.constant)
    known[steps] = _extended(steps, known[steps], texts.step_imports(step), texts.step_text(step))
    known[test] = texts.test_text(step)
    return known


def _domain_texts(package: Path, step: Step) -> dict[Path, str]:
    """The files of a new domain, or those that an existing one must have."""
    if not package.exists():
        files = texts.domain_files(step.domain, step.notebook.spec.title)
        return {package / file: text for file, text in files.items()}
    found = [package / "specs.py", package / "steps.py"]
    if absent := [path for path in found if not path.exists()]:
        raise InputError(
            f"{step.domain!r} cannot be the domain, it has no {shown(absent[0])} and so offers no steps; "
            "name another one with --domain"
        )
    return {path: path.read_text() for path in found}


def _write(rendered: Mapping[Path, str]) -> None:
    """Write and tidy all files, or leave every one as it was."""
    before = {path: path.read_bytes() if path.exists() else None for path in rendered}
    folders = [folder for folder in {path.parent for path in rendered} if not folder.exists()]
    try:
        for path, text in rendered.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        _tidy(list(rendered))
    except BaseException:
        for path, content in before.items():
            if content is not None:
                path.write_bytes(content)
            else:
                path.unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _domain(notebook: Notebook, domain: str | None) -> str:
    text = notebook.path.read_text(encoding="utf-8")
    found = re.finditer(r"^(?:from|import) components\.(\w+)", text, re.MULTILINE)
    used = {match[1] for match in found} - {"core", "notebook"}
    if domain is None and len(used) == 1:
        return used.pop()
    if domain is None:
        said = f"it imports {', '.join(sorted(used))}" if used else "it imports none"
        raise InputError(f"{shown(notebook.path)}: which domain is not clear, {said}; say --domain")
    reserved = keyword.iskeyword(domain) or domain in ("core", "cli", "notebook")
    if reserved or not re.fullmatch(r"[a-z][a-z0-9_]*", domain):
        raise InputError(
            f"{domain!r} cannot be the domain; there are {', '.join(sorted(set(domains()) - {'notebook'}))}"
        )
    if others := sorted(used - {domain}):
        raise InputError(
            f"{shown(notebook.path)} imports {others[0]}, which {domain} may not know; take out what it uses"
        )
    return domain


def _extended(path: Path, text: str, imports: str, code: str, listed: str | None = None) -> str:
    """A module's text with imports and code added; a Spec goes before the list of them and into it."""
    text = text.replace(FUTURE, f"{FUTURE}\n{imports}\n", 1) if FUTURE in text else f"{imports}\n{text}"
    if listed is None:
        return f"{text.rstrip()}\n\n\n{code}"
    before, name, after = text.rpartition("\nSPECS")
    if not name or "]" not in after:
        raise TraceoError(f"{shown(path)}: no list SPECS to add {listed} to")
    items, _, rest = after.rpartition("]")
    comma = "" if items.rstrip().endswith(("[", ",")) else ", "
    return f"{before}\n\n{code}\n\nSPECS{items.rstrip()}{comma}{listed}]{rest}"


def _tidy(files: list[Path]) -> None:
    """Let ruff order the imports, drop what is not used and lay the code out."""
    names = [str(path) for path in files]
    for arguments in (["check", "--quiet", "--fix", "--exit-zero"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, *names], capture_output=True, text=True, cwd=REPOSITORY
        )
        if done.returncode:
            raise TraceoError(f"ruff could not tidy the scaffold: {done.stderr.strip().splitlines()[-1:]}")
