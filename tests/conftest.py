"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cgroups import Group, v1_group


@pytest.fixture
def v1() -> Iterator[Group]:
    """An unlimited v1 memory cgroup, removed afterwards."""
    with v1_group() as group:
        yield group
