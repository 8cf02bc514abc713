"""Arrays in a file whose bytes depend on the arrays alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from components.core.arrays import write_arrays


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    given = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(["x", "yz"]), "none": np.zeros((0, 7))}
    write_arrays(tmp_path / "arrays.npz", given)
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as found:
        assert found.files == ["a", "b", "none"]
        for name, array in given.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array)


def test_the_bytes_are_the_same_on_every_python(tmp_path: Path) -> None:
    """The digest stands here: another Python or zlib must not change what a model's folder hashes to."""
    write_arrays(tmp_path / "arrays.npz", {"limits": np.array([1, 2], dtype=np.int64), "width": np.array(0.5)})
    digest = hashlib.sha256((tmp_path / "arrays.npz").read_bytes()).hexdigest()
    assert digest == "b69f8adffc8b9f091c933c9824d573fef1c8a82a4d587ac9371e96b5b6c733c7"


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "arrays.npz", {"objects": np.array([{}])})
