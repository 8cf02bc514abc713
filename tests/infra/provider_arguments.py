"""`python -m tests.infra.provider_arguments FOLDER` notes what the AWS provider's resources take, for the checks.

FOLDER is the unpacked npm package `@cdktf/provider-aws`, whose typings are generated from the provider's own schema.
Only the types that infra/terraform uses are kept, in golden/aws_arguments.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.infra.golden import GOLDEN
from tests.infra.hcl import blocks, configuration

ARGUMENTS = GOLDEN / "aws_arguments.json"
_INTERFACE = re.compile(r"export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)\n\}", re.DOTALL)
_ARGUMENT = re.compile(r"\{@link [^#\s]+#(\w+) [^}]+\}(?:(?!\{@link).)*?readonly (\w+)(\??): ([^;]+);", re.DOTALL)
_GETTER = re.compile(r"^    get (\w+)\(\): ", re.MULTILINE)


def arguments(folder: Path, kind: str, block: str) -> dict[str, Any]:
    """What one type takes (nested) and which attributes it has."""
    name = kind.removeprefix("aws_").replace("_", "-")
    text = (folder / "lib" / (f"data-aws-{name}" if block == "data" else name) / "index.d.ts").read_text()
    interfaces = {match[1]: match[2] for match in _INTERFACE.finditer(text)}
    config = next(found for found in interfaces if found.endswith("Config"))
    own = text[text.index("extends cdktf.Terraform" + ("DataSource" if block == "data" else "Resource")) :]
    getters = {"id"} | {re.sub(r"(?<!^)(?=[A-Z])", "_", getter).lower() for getter in _GETTER.findall(own)}
    exported = sorted(getter for getter in getters if not getter.endswith("_input"))
    return {"arguments": _nested(interfaces, config), "attributes": exported}


def _nested(interfaces: dict[str, str], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for argument, _, optional, kind in _ARGUMENT.findall(interfaces[name]):
        inner = next((word for word in re.findall(r"\w+", kind) if word in interfaces), None)
        found[argument] = {
            "required": not optional,
            "arguments": _nested(interfaces, inner) if inner and inner != name else None,
        }
    return found


def write(folder: Path) -> None:
    used = sorted({(block, kind) for block in ("resource", "data") for kind, _, _ in blocks(configuration(), block)})
    noted = {f"{block} {kind}": arguments(folder, kind, block) for block, kind in used}
    version = json.loads((folder / "package.json").read_text())["cdktf"]["provider"]["version"]
    ARGUMENTS.write_text(json.dumps({"provider": version, "types": noted}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
