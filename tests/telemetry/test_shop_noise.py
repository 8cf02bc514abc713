"""The stateless noise: known values, moments, autocorrelation, and independence of how time is split."""

import numpy as np
import pytest

from components.telemetry.shop.noise import draw, normal, scramble, smooth, stream, streams, textured, uniform, words

TICKS = np.arange(20_000, dtype=np.int64)


def test_words_are_those_of_splitmix64() -> None:
    # The first three outputs of splitmix64 seeded with 0, as in its reference implementation.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    found = words(np.zeros(1, dtype=np.uint64), np.array([1, 2, 3], dtype=np.int64))[0]
    assert found.tolist() == expected


def test_scramble_maps_no_two_of_many_words_to_one() -> None:
    assert len(np.unique(scramble(np.arange(100_000, dtype=np.uint64)))) == 100_000


def test_uniform_and_normal_have_their_moments() -> None:
    keys = streams(7, "moments", "abc")
    even, bell = uniform(keys, TICKS), normal(keys, TICKS)
    assert even.min() > 0.0
    assert even.max() < 1.0
    assert even.mean() == pytest.approx(0.5, abs=0.005)
    assert even.var() == pytest.approx(1 / 12, abs=0.002)
    assert bell.mean() == pytest.approx(0.0, abs=0.02)
    assert bell.std() == pytest.approx(1.0, abs=0.02)


def test_streams_are_independent() -> None:
    rows = normal(streams(1, "load", ["cart", "search"]), TICKS)
    assert abs(np.corrcoef(rows)[0, 1]) < 0.03
    assert stream(1, "load") != stream(2, "load") != stream(1, "load", "")


def test_smooth_noise_forgets_after_its_period() -> None:
    wave = smooth(streams(3, "smooth", "a"), np.arange(400_000, dtype=np.int64), 40)[0]
    assert wave.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(wave[:-4], wave[4:])[0, 1] > 0.9
    assert abs(np.corrcoef(wave[:-120], wave[120:])[0, 1]) < 0.05


def test_textured_noise_is_the_same_for_any_split() -> None:
    keys, texture = streams(5, "split", range(4)), {1: 0.5, 4: 1.0, 120: 1.0}
    ticks = np.arange(58_000_001, 58_003_000, dtype=np.int64)
    parts = [textured(keys, part, texture) for part in np.array_split(ticks, 37)]
    assert np.array_equal(np.hstack(parts), textured(keys, ticks, texture))


def test_draw_depends_on_seed_and_every_name() -> None:
    found = {draw(1, "a", 1), draw(2, "a", 1), draw(1, "b", 1), draw(1, "a", 2)}
    assert len(found) == 4
    assert draw(1, "a", 1) == draw(1, "a", 1)
