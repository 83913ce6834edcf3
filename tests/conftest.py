"""Fixtures that every test may use, and the features of the world that they run in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest

from tests.support import worlds
from tests.support.cgroups import Group, memory_group_of, place, v1_group
from tests.support.procs import require


def pytest_configure(config: pytest.Config) -> None:
    """Make each feature a marker; keep memtui's state of tests apart from the user's own."""
    state = tempfile.mkdtemp(prefix="memtui-state-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
    for name, feature in worlds.FEATURES.items():
        config.addinivalue_line("markers", f"{name}: needs {feature.needs}")


def pytest_report_header() -> str:
    """Name the world and what it has."""
    return f"world: {worlds.name() or 'this one'} ({', '.join(worlds.present()) or 'no feature'})"


def _needs(item: pytest.Item) -> list[str]:
    """The features that a test declares, by markers or by a fixture."""
    found = [m.name for m in item.iter_markers() if m.name in worlds.FEATURES]
    if "memory_group" in getattr(item, "fixturenames", ()) and (here := place()):
        found.append(f"memory_v{here.version}")
    return sorted({*found, *(["memory_v1"] if "v1" in getattr(item, "fixturenames", ()) else [])})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Call what depends on the kernel worth running in every world (`-m world`)."""
    for item in items:
        needs = _needs(item)
        if needs and not item.get_closest_marker("one_world"):
            item.add_marker("world")
        if needs or item.get_closest_marker("world"):
            item.user_properties.append(("needs", " ".join(needs)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this world has not got; CI has every program."""
    for marker in item.iter_markers("needs"):
        require(shutil.which(marker.args[0]) is not None, f"{marker.args[0]} is not installed")
    for marker in item.iter_markers():
        if marker.name in worlds.FEATURES and (why := worlds.missing(marker.name)):
            pytest.skip(why)


@pytest.fixture(scope="session", autouse=True)
def _world(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Leave in the results what this world has."""
    record_testsuite_property("features", " ".join(worlds.present()))


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember and configure nothing beyond one test, least of all in a person's home."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture
def v1() -> Iterator[Group]:
    """An unlimited v1 memory cgroup, removed afterwards."""
    with v1_group() as group:
        yield group


@pytest.fixture
def memory_group() -> Iterator[Group]:
    """An unlimited memory cgroup of the version that is here, removed afterwards."""
    with memory_group_of() as group:
        yield group
