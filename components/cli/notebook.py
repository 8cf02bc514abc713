"""`traceo notebook`: the notebooks that are steps; edit one in Jupyter, or make a step of a domain out of it."""

from __future__ import annotations

import argparse
import subprocess
from typing import Any

_NEXT = """
what is left to do by hand:
  tests/world.py   a link for {step}, with the parameters and inputs of notebook.{name}
  dags/            wire it in a DAG, in the place of notebook.{name}
  then             make pipelines && make test; read the module, cut it into functions, give its test names
  and, for a new domain, add it to the groups and the import contracts in pyproject.toml"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "notebook",
        help="list notebooks, open one in Jupyter, or turn one into a step",
        description=__doc__,
        epilog="run one: traceo run notebook.NAME --lake .traceo/lake … --params '{}'",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what there is, and what is wrong with the rest")
    listing.set_defaults(main=list_notebooks)
    opening = actions.add_parser("open", help="pair it with an .ipynb and start JupyterLab, where that is installed")
    opening.add_argument("name", metavar="NAME")
    opening.add_argument("--no-browser", action="store_true", help="only pair the files")
    opening.set_defaults(main=open_notebook)
    graduating = actions.add_parser("graduate", help="scaffold the step of a domain that does the same, with its tests")
    graduating.add_argument("name", metavar="NAME")
    graduating.add_argument("--domain", help="where the step goes; default: the one domain that the notebook imports")
    graduating.set_defaults(main=graduate_notebook)


def list_notebooks(arguments: argparse.Namespace) -> int:
    """Print every notebook with its ports and parameters; exit code 1 where one cannot be read."""
    from components.notebook.specs import FOLDER, NOTEBOOKS, PROBLEMS, REPORT, shown

    for item in NOTEBOOKS:
        inputs = ", ".join(port.name + "?" * port.optional for port in item.spec.inputs)
        outputs = ", ".join(port.name for port in item.spec.outputs if port != REPORT)
        print(f"{item.name}: {item.spec.title}\n  {inputs} -> {outputs}")
        print("".join(f"  {p.name}: {p.type} = {p.default!r}  {p.words}\n" for p in item.parameters), end="")
    for problem in PROBLEMS.values():
        print(f"error: {problem}")
    if not NOTEBOOKS and not PROBLEMS:
        print(f"no notebook in {shown(FOLDER)} is a step; notebooks/README.md says what makes it one")
    return 1 if PROBLEMS else 0


def open_notebook(arguments: argparse.Namespace) -> int:
    """Pair a notebook and hand over to JupyterLab; without JupyterLab say what to install and where the file lies."""
    from components.notebook.pairing import jupyter_command, pair
    from components.notebook.specs import notebook, shown

    twin = pair(notebook(arguments.name))
    print(f"{shown(twin)} is paired with {shown(twin.with_suffix('.py'))}; both change together")
    if arguments.no_browser:
        return 0
    command = jupyter_command(twin)
    if command is None:
        print("JupyterLab is not installed: pip install jupyterlab, then call this again; or open the file in any")
        print("editor for .ipynb, and call this again afterwards to carry your changes over")
        return 0
    return subprocess.run(command).returncode


def graduate_notebook(arguments: argparse.Namespace) -> int:
    """Scaffold the step and say what is left to do."""
    from components.notebook.graduation import graduate
    from components.notebook.specs import notebook, shown

    written = graduate(notebook(arguments.name), arguments.domain)
    for path in written:
        print(f"wrote {shown(path)}")
    domain = next(path.parent.name for path in written if path.name == "specs.py")
    print(_NEXT.format(step=f"{domain}.{arguments.name}", name=arguments.name))
    return 0
