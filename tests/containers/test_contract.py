"""The contract tests of every step, run in the step's own image on the world that processes made."""

from __future__ import annotations

import os
import re

import pytest

from components.core.spec import domains, specs
from infra.images.build import reference
from tests.containers.conftest import Inside
from tests.world import CHAIN, World

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("domain", domains())
def test_the_steps_keep_their_promises_in_their_own_image(domain: str, world: World, inside: Inside) -> None:
    """tests/contract as it stands, the crash and the same bytes after it included."""
    labels = [link.label for link in CHAIN if link.spec.startswith(f"{domain}.")]
    chosen = [f"[{domain}]", *(f"[{spec.name}]" for spec in specs(domain)), *labels]
    # Beside the world, so that what it keeps can be linked.
    place = world.root.parent / f"in-{domain}"
    command = ["tests/contract/test_interfaces.py", "tests/contract/test_steps.py", "-p", "no:cacheprovider"]
    command += ["-n", "0", f"--basetemp={place}", "-k", " or ".join(chosen)]
    output = inside(
        reference(domain, "test"),
        command,
        user=f"{os.getuid()}:{os.getgid()}",
        volumes=[f"{world.root.parent}:{world.root.parent}"],
        environment={"TRACEO_TEST_WORLD": str(world.root)},
    )
    passed = re.search(r"(\d+) passed", output)
    # Six promises of each interface and two of each command line; three or more of each link's run.
    assert passed, output
    assert int(passed[1]) >= 5 * len(specs(domain)) + 2 * len(labels), output
