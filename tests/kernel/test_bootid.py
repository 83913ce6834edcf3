"""The boot id: a UUID, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtui.kernel.bootid import parse_boot_id, read_boot_id
from memtui.kernel.roots import LIVE, Roots

ID = "0ab35f4e-1b2c-4d5e-8f90-a1b2c3d4e5f6"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ID.encode() + b"\n", ID),
        (ID.upper().encode(), ID),
        (b"", None),
        (b"\xff" * 36, None),
        (ID[:-1].encode(), None),
        (b"../../../../etc/passwd-a-b-c", None),
    ],
)
def test_parse(data: bytes, expected: str | None) -> None:
    assert parse_boot_id(data) == expected


def test_this_kernel_s_is_the_same_each_time() -> None:
    assert read_boot_id(LIVE) == read_boot_id(LIVE) is not None


def test_where_there_is_none(tmp_path: Path) -> None:
    assert read_boot_id(Roots(str(tmp_path))) is None
