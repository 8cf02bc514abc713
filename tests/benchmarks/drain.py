"""Drain3 beside Traceo: `drain3-improved` in a virtual environment of its own, since its pins are not ours.

The environment is made once below ~/.cache/traceo and kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HOME = Path.home() / ".cache" / "traceo" / "drain3"
PACKAGE = "drain3-improved>=0.10"

# Runs in the other environment: lines in, one cluster and template each out, and the processor seconds it took.
# The masks are those of its documentation, but for one (sequences of hex words) that takes minutes for a long line.
_SCRIPT = r"""
import json, sys, time
from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
MASKS = [
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
]
config = TemplateMinerConfig()
config.masking_instructions = [MaskingInstruction(*mask) for mask in MASKS]
config.mask_prefix, config.mask_suffix = "<:", ":>"
miner = TemplateMiner(config=config)
lines = open(sys.argv[1], encoding="utf-8", errors="replace", newline="\n").read().split("\n")
lines = lines[:-1] if lines[-1] == "" else lines
started, wall = time.process_time(), time.perf_counter()
found = [miner.add_log_message(line)["cluster_id"] for line in lines]
seconds = (time.process_time() - started, time.perf_counter() - wall)
templates = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
json.dump({"clusters": found, "templates": templates, "seconds": seconds}, open(sys.argv[2], "w"))
"""


class Drain:
    """Parses lines with Drain3; `seconds` of the last call: processor and wall."""

    def __init__(self) -> None:
        self.python = HOME / "bin" / "python"
        self.seconds = (0.0, 0.0)
        if not self.python.exists():
            uv = str(Path(sys.executable).parent / "uv")
            subprocess.run([uv, "venv", "--quiet", str(HOME)], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", str(self.python), PACKAGE], check=True)

    def __call__(self, lines: Sequence[str]) -> tuple[list[str], list[str]]:
        """Each line's cluster, and its template with every mask written `<*>`."""
        with tempfile.TemporaryDirectory() as folder:
            source, output = Path(folder) / "lines.log", Path(folder) / "found.json"
            source.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
            subprocess.run([str(self.python), "-c", _SCRIPT, str(source), str(output)], check=True)
            found = json.loads(output.read_text())
        self.seconds = tuple(found["seconds"])
        templates = {name: _unmasked(text) for name, text in found["templates"].items()}
        clusters = [str(cluster) for cluster in found["clusters"]]
        return clusters, [templates[cluster] for cluster in clusters]


def _unmasked(template: str) -> str:
    for mask in ("ID", "IP", "HEX", "NUM", "*"):
        template = template.replace(f"<:{mask}:>", "<*>")
    return template
