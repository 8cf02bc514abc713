"""A thousand services with a million spans are diagnosed within half a minute."""

from __future__ import annotations

import pytest

from tests.benchmarks.rootcause import scale


@pytest.mark.slow
def test_a_million_spans_take_less_than_half_a_minute():
    (case, _) = next(found for name, found in scale.cases().items() if "1,000,000 spans" in name)
    assert scale.seconds(case, 1)[0] < 30


def test_fifty_services_take_less_than_a_second():
    (case, _) = next(found for name, found in scale.cases(spans=False).items() if name.startswith("50"))
    assert min(scale.seconds(case, 3)) < 1
