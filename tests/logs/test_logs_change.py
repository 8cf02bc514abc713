"""What is new, vanished or multiplied between two windows."""

import polars as pl
import pytest

from components.logs.change import compare_windows


def counts(**by_name: int) -> pl.DataFrame:
    rows = {"template_id": list(by_name), "template": list(by_name), "count": list(by_name.values())}
    return pl.DataFrame(rows, schema={"template_id": pl.String, "template": pl.String, "count": pl.Int64})


def test_kinds_of_change() -> None:
    before = counts(steady=2400, gone=240, louder=240, quieter=2400, rare=1)
    after = counts(steady=101, fresh=20, louder=60, quieter=20, odd=1)
    changes = compare_windows(before, after, before_h=24, after_h=1, max_p_value=0.001)
    found = dict(changes.select("template_id", "change").iter_rows())
    assert found == {"fresh": "new", "gone": "vanished", "louder": "multiplied", "quieter": "thinned"}
    row = changes.row(by_predicate=pl.col("template_id") == "louder", named=True)
    assert (row["before"], row["after"], row["factor"]) == (240, 60, 6.0)
    assert changes["p_value"].is_sorted()


def test_one_line_is_not_a_surprise() -> None:
    assert compare_windows(counts(a=100), counts(b=1), 1, 1, 0.001)["template_id"].to_list() == ["a"]


def test_p_value_is_the_exact_one() -> None:
    # Ten lines, all after, half the time: 2 * 0.5 ** 10 two-sided; one template, so nothing to correct.
    changes = compare_windows(counts(), counts(a=10), 1, 1, 0.01)
    assert changes["p_value"][0] == pytest.approx(2 * 0.5**10)
    assert changes["change"].to_list() == ["new"]


def test_correction_for_many_templates() -> None:
    alone = compare_windows(counts(), counts(a=10), 1, 1, 0.5)["p_value"][0]
    noise = {f"n{i}": 50 for i in range(99)}
    among = compare_windows(counts(**noise), counts(a=10, **noise), 1, 1, 0.5)
    assert among["template_id"].to_list() == ["a"]
    assert among["p_value"][0] == pytest.approx(100 * alone)


def test_chance_is_seldom_reported() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    reported = 0
    for _ in range(50):
        names = [f"t{i}" for i in range(40)]
        rates = rng.uniform(1, 200, 40)
        before = counts(**dict(zip(names, rng.poisson(rates * 24).tolist(), strict=True)))
        after = counts(**dict(zip(names, rng.poisson(rates).tolist(), strict=True)))
        reported += len(compare_windows(before, after, 24, 1, 0.001))
    assert reported <= 1


def test_empty_windows() -> None:
    assert compare_windows(counts(), counts(), 24, 1, 0.001).is_empty()
