"""Files in their places: all of a command's results or none, and nothing replaced that is no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.core import storage
from components.core.errors import StorageError


def test_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    first, blocked = tmp_path / "first.json", tmp_path / "file" / "second.json"
    (tmp_path / "file").write_text("in the way")
    first.write_text("old")
    with pytest.raises(StorageError, match=r"cannot write .*second\.json: .*choose another place"):
        storage.write_files({first: b"new", blocked: b"new"})
    assert first.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "first.json"]
    storage.write_files({first: b"new", tmp_path / "made" / "second.json": b"newer"})
    assert (first.read_text(), (tmp_path / "made" / "second.json").read_text()) == ("new", "newer")


def test_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for place, kind in ((pipe, "no regular file"), (folder, "a directory")):
        with pytest.raises(StorageError, match=f"it is {kind}; name another place"):
            storage.write_bytes(str(place), b"{}")
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_character_device_is_written_to() -> None:
    ours, theirs = os.openpty()
    try:
        storage.write_bytes(os.ttyname(theirs), b"{}")
        assert os.read(ours, 10) == b"{}"
        with pytest.raises(StorageError, match="no regular file"):
            storage.target(Path(os.ttyname(theirs)))
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "file.json")
    for content in (b"1", b"2"):
        storage.write_bytes(str(link), content)
        assert link.is_symlink()
        assert (tmp_path / "real" / "file.json").read_bytes() == content
