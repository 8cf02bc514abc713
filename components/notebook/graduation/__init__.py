"""Scaffolds the step that a notebook graduates to, in a checkout: module, Spec, step and test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from components.core.errors import InputError, TraceoError
from components.core.settings import REPOSITORY
from components.core.spec import domains
from components.notebook.graduation import texts
from components.notebook.graduation.parts import take_apart
from components.notebook.graduation.texts import FUTURE, Step
from components.notebook.specs import REPORT, Notebook, shown


def graduate(notebook: Notebook, domain: str | None = None) -> list[Path]:
    """Scaffold the step in a domain; returns the files written. InputError where the notebook does not allow it."""
    if odd := [p.name for p in notebook.spec.ports if p.kind == "folder" and p != REPORT]:
        raise InputError(f"{shown(notebook.path)}: the port {odd[0]!r} is a folder; write that step by hand")
    step = Step(notebook, _domain(notebook, domain), take_apart(notebook))
    package, tests = REPOSITORY / "components" / step.domain, REPOSITORY / "tests" / step.domain
    module, test = package / f"{step.name}.py", tests / f"test_{step.name}.py"
    if existing := [path for path in (module, test) if path.exists()]:
        raise InputError(f"{shown(existing[0])} is there already; remove it or rename the notebook")
    made = _new_domain(package, step) if not package.exists() else []
    if not tests.exists():
        tests.mkdir()
        (tests / "__init__.py").touch()
        made.append(tests / "__init__.py")
    module.write_text(texts.module_text(step))
    test.write_text(texts.test_text(step))
    _extend(package / "specs.py", texts.spec_imports(step), texts.spec_text(step), step.constant)
    _extend(package / "steps.py", texts.step_imports(step), texts.step_text(step))
    written = list(dict.fromkeys([*made, module, package / "specs.py", package / "steps.py", test]))
    _tidy(written)
    return written


def _domain(notebook: Notebook, domain: str | None) -> str:
    text = notebook.path.read_text(encoding="utf-8")
    found = re.finditer(r"^(?:from|import) components\.(\w+)", text, re.MULTILINE)
    used = {match[1] for match in found} - {"core", "notebook"}
    if domain is None and len(used) == 1:
        return used.pop()
    if domain is None:
        said = f"it imports {', '.join(sorted(used))}" if used else "it imports none"
        raise InputError(f"{shown(notebook.path)}: which domain is not clear, {said}; say --domain")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", domain) or domain in ("core", "cli", "notebook"):
        raise InputError(
            f"{domain!r} cannot be the domain; there are {', '.join(sorted(set(domains()) - {'notebook'}))}"
        )
    if others := sorted(used - {domain}):
        raise InputError(
            f"{shown(notebook.path)} imports {others[0]}, which {domain} may not know; take out what it uses"
        )
    return domain


def _new_domain(package: Path, step: Step) -> list[Path]:
    package.mkdir()
    files = texts.domain_files(step.domain, step.notebook.spec.title)
    for file, text in files.items():
        (package / file).write_text(text)
    return [package / file for file in files]


def _extend(path: Path, imports: str, code: str, listed: str | None = None) -> None:
    """Add imports and code to a module; a Spec goes before the list of them and into it."""
    text = path.read_text()
    text = text.replace(FUTURE, f"{FUTURE}\n{imports}\n", 1) if FUTURE in text else f"{imports}\n{text}"
    if listed is None:
        path.write_text(f"{text.rstrip()}\n\n\n{code}")
        return
    before, name, after = text.rpartition("\nSPECS")
    if not name or "]" not in after:
        raise TraceoError(f"{shown(path)}: no list SPECS to add {listed} to")
    items, _, rest = after.rpartition("]")
    comma = "" if items.rstrip().endswith(("[", ",")) else ", "
    path.write_text(f"{before}\n\n{code}\n\nSPECS{items.rstrip()}{comma}{listed}]{rest}")


def _tidy(files: list[Path]) -> None:
    """Let ruff order the imports, drop what is not used and lay the code out."""
    names = [str(path) for path in files]
    for arguments in (["check", "--quiet", "--fix", "--exit-zero"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, *names], capture_output=True, text=True, cwd=REPOSITORY
        )
        if done.returncode:
            raise TraceoError(
                f"ruff could not tidy the scaffold: {done.stderr.strip().splitlines()[-1:]}; run make format"
            )
