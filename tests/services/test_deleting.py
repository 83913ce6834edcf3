"""Deleting a file in memory: the one that was shown, or none."""

from __future__ import annotations

import os
from pathlib import Path

from memtui.model.advice.terms import File
from memtui.services.actions import Actions
from memtui.services.deleting import delete


def shown(path: Path, holders: tuple[str, ...] = ()) -> File:
    told = path.lstat()
    taken = told.st_blocks * 512
    return File(str(path), taken, "ann", told.st_mtime, told.st_dev, told.st_ino, holders)


def test_the_file_that_was_shown_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 8192)
    outcome = delete(Actions(), shown(path))
    assert outcome.sent
    assert "come back" in outcome.text
    assert not path.exists()
    again = delete(Actions(), File(str(path), 1, "ann", 0.0, 1, 2))
    assert (again.sent, "already gone" in again.text) == (False, True)


def test_another_file_of_that_name_is_not(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"x")
    other.write_bytes(b"y")
    file = shown(path)
    os.replace(other, path)
    outcome = delete(Actions(), file)
    assert (outcome.sent, "another file now" in outcome.text) == (False, True)
    assert path.read_bytes() == b"y"


def test_nor_is_what_a_link_leads_to(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "a", tmp_path / "kept"
    elsewhere.write_bytes(b"x")
    file = shown(elsewhere)._replace(path=str(path))
    path.symlink_to(elsewhere)
    assert not delete(Actions(), file).sent
    assert elsewhere.exists()
    assert path.is_symlink()


def test_read_only_nothing_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    outcome = delete(Actions(readonly=True), shown(path))
    assert (outcome.kind, path.exists()) == ("readonly", True)


def test_what_stays_in_memory_is_said(tmp_path: Path) -> None:
    path, name = tmp_path / "a\x1b[31m", tmp_path / "b"
    path.write_bytes(b"x" * 8192)
    held = delete(Actions(), shown(path, ("python3 5",)))
    assert "when it is closed by python3 5" in held.text
    assert "\x1b" not in held.text
    path.write_bytes(b"x" * 8192)
    os.link(path, name)
    assert "other names" in delete(Actions(), shown(path)).text
