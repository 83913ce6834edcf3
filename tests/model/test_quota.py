"""Which limit holds and which binds; the document that tells it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.cgroup import Events, Hierarchy, Level, Parts, read_hierarchy
from memtui.kernel.meminfo import HostReader, MemInfo, Psi
from memtui.model.quota import (
    derive_declared,
    derive_host,
    derive_pressure,
    quota_json,
    resolve_quota,
)
from memtui.model.snapshot import Host, Pressure, Quota
from tests.support.trees import tree

M = 1 << 20
G = 1 << 30
HOST = Host(total=8 * G, available=6 * G, swap_total=G, swap_free=G // 2, parts=Parts(anon=1))
NOWHERE = Hierarchy(None, False, None, ())


def level(path: str, limit: int | None, usage: int | None, cache: int = 0, **more: object) -> Level:
    made = Level(path, "/cg" + path, limit, f"/cg{path}/memory.max", usage=usage)
    made = made._replace(parts=Parts(cache_active=cache, cache_inactive=cache, anon=usage))
    return made._replace(**more)  # type: ignore[arg-type]


def v2(*levels: Level) -> Hierarchy:
    return Hierarchy(2, False, levels[0].path, levels)


def of_tree(name: str) -> Quota:
    roots = tree(name)
    return resolve_quota(read_hierarchy(roots), derive_host(HostReader(roots).meminfo()))


def summary(quota: Quota) -> tuple[int, str, int | None]:
    assert quota.limit is not None
    return quota.limit.bytes, quota.limit.path, quota.limit.usage


def test_the_smallest_limit_comes_with_its_own_usage() -> None:
    q = resolve_quota(v2(level("/a/b", None, 10), level("/a", G, 500 * M)), HOST)
    assert summary(q) == (G, "/cg/a/memory.max", 500 * M)


def test_the_level_with_least_headroom_binds() -> None:
    q = resolve_quota(v2(level("/a/b", 100 * M, 10 * M), level("/a", G, 1000 * M)), HOST)
    assert q.limit is not None
    assert q.limit.level == 0
    assert q.binding is not None
    assert (q.binding.level, q.binding.usage) == (1, 1000 * M)


def test_cache_is_headroom() -> None:
    full_of_cache = level("/a", 100 * M, 99 * M, cache=45 * M)
    q = resolve_quota(v2(level("/a/b", 110 * M, 60 * M), full_of_cache), HOST)
    assert q.limit is not None
    assert q.binding is not None
    assert (q.limit.hard, q.limit.working_set) == (9 * M, 54 * M)
    assert q.binding.level == 0


def test_on_a_tie_the_outermost_group_sets_it() -> None:
    q = resolve_quota(v2(level("/a/b/c", G, 1), level("/a/b", G, 2), level("/a", None, 3)), HOST)
    assert summary(q) == (G, "/cg/a/b/memory.max", 2)
    assert q.binding == q.limit


def test_a_group_goes_before_ram_of_the_same_size() -> None:
    q = resolve_quota(v2(level("/a", 8 * G, 1)), HOST)
    assert summary(q)[1] == "/cg/a/memory.max"


def test_a_limit_above_ram_is_none() -> None:
    events = Events(oom_kill=3)
    q = resolve_quota(v2(level("/a", 9 * G, 5, events=events)), HOST)
    assert summary(q) == (8 * G, "/proc/meminfo", 2 * G)
    assert q.limit is not None
    assert q.limit.is_host
    assert q.events == events


def test_the_host_can_bind_before_a_smaller_limit() -> None:
    tight = HOST._replace(available=10 * M)
    q = resolve_quota(v2(level("/a", G, 100 * M)), tight)
    assert q.limit is not None
    assert q.binding is not None
    assert not q.limit.is_host
    assert q.binding.is_host
    assert q.parts == HOST.parts


def test_nothing_known_is_no_limit() -> None:
    q = resolve_quota(NOWHERE, Host())
    assert (q.limit, q.binding, q.events, q.pressure) == (None, None, Events(), Pressure())
    document = quota_json(q)
    assert (document["limit"], document["binding"], document["levels"]) == (None, None, [])


def test_no_cgroup_is_the_host() -> None:
    q = of_tree("no_cgroup")
    assert summary(q) == (8_000_000 << 10, "/proc/meminfo", 3_000_000 << 10)
    assert q.swap_usage == 100_000 << 10


def test_nonsense_of_a_faked_meminfo_is_clamped() -> None:
    q = resolve_quota(NOWHERE, Host(total=G, available=2 * G))
    assert summary(q) == (G, "/proc/meminfo", 0)


def test_unknown_usage_stays_unknown() -> None:
    q = resolve_quota(v2(level("/a", G, None)), Host())
    assert q.limit is not None
    assert (q.limit.usage, q.limit.hard, q.limit.working_set) == (None, None, None)
    assert q.binding == q.limit


def test_a_hidden_limit_of_v1_has_our_own_memory_stat_as_its_path() -> None:
    q = of_tree("v1_hidden")
    assert summary(q) == (64 * M, "/sys/fs/cgroup/memory/memory.stat", 40 * M)


def test_v1_hybrid() -> None:
    q = of_tree("v1_hybrid")
    assert summary(q)[1] == "/sys/fs/cgroup/memory/jobs/j1/step/memory.limit_in_bytes"
    assert (q.swap_limit, q.swap_usage) == (512 * M, M)
    assert q.events == Events(oom_kill=6)
    assert q.peak == 100 * M


def test_v2_login_node() -> None:
    q = of_tree("v2_systemd")
    path = "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max"
    assert summary(q) == (G, path, 1000 * M)
    assert (q.high, q.swap_limit, q.swap_usage) == (900 * M, 512 * M, 20 * M)
    assert q.events.oom_group_kill == 1
    assert q.parts.anon == 600 * M


def test_slurm_limits_sit_above_the_task() -> None:
    q = of_tree("slurm")
    job = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_9"
    assert summary(q) == (1000 * M, f"{job}/memory.max", 500 * M)


def test_v1_swap_without_a_memory_limit_is_unknown() -> None:
    own = Level("/a", "/cg/a", usage=1, memsw_limit=G)
    assert resolve_quota(Hierarchy(1, False, "/a", (own,)), HOST).swap_limit is None


def test_declared() -> None:
    env = {"MEM_LIMIT": "500", "SLURM_MEM_PER_NODE": "2", "MEM_GUARANTEE": "", "HOME": "7"}
    assert derive_declared(env) == {"MEM_LIMIT": 500, "SLURM_MEM_PER_NODE": 2 * M}
    assert derive_declared({"MEM_LIMIT": "lots", "SLURM_MEM_PER_CPU": "0"}) == {}


def test_pressure_says_whose_it_is() -> None:
    assert derive_pressure(Psi(1.0, 0.0), Psi(2.0, 0.0)).scope == "cgroup"
    assert derive_pressure(Psi(), Psi(2.0, None)) == Pressure(2.0, None, "host")
    assert derive_pressure(Psi(), Psi()).scope is None


def test_host_parts_add_up_to_what_is_not_free() -> None:
    parts = derive_host(MemInfo(total=100, free=40, anon=20, active_file=10, shmem=5)).parts
    assert sum(n for n in parts if n is not None) == 60
    assert derive_host(MemInfo()).parts == Parts()


def test_odd_names_survive_as_json() -> None:
    q = resolve_quota(v2(level("/a\udcff\x1b", G, 1)), HOST)
    document = json.loads(json.dumps(quota_json(q)))
    assert document["levels"][0]["path"] == "/a\udcff\x1b"


sizes = st.none() | st.integers(0, 2**63)
levels = st.builds(
    Level,
    path=st.just("/a"),
    directory=st.just("/cg/a"),
    limit=sizes,
    high=sizes,
    usage=sizes,
    swap_limit=sizes,
    swap_usage=sizes,
    memsw_limit=sizes,
    parts=st.builds(Parts, sizes, sizes, sizes, sizes, sizes, sizes),
)
hosts = st.builds(Host, sizes, sizes, sizes, sizes)


@given(st.lists(levels, min_size=1, max_size=4), hosts, st.sampled_from([1, 2]), sizes, sizes)
def test_any_numbers(
    chain: list[Level], host: Host, version: int, hidden: int | None, memsw: int | None
) -> None:
    h = Hierarchy(version, False, "/a", tuple(chain), hidden, "/cg/a/memory.stat", memsw)
    q = resolve_quota(h, host)
    known = [n for n in (*(lv.limit for lv in chain), hidden, host.total) if n is not None]
    assert (q.limit.bytes if q.limit else None) == min(known, default=None)
    for limit in (q.limit, q.binding):
        assert limit is None or all(n is None or n >= 0 for n in limit[2:5])
    json.dumps(quota_json(q))


@pytest.mark.parametrize("name", ["cut_short", "no_cgroup", "slurm", "v1_hybrid", "v2_systemd"])
def test_the_document_has_every_promised_key(name: str) -> None:
    document = quota_json(of_tree(name))
    assert list(document) == [
        *("schema", "cgroup_version", "hybrid", "cgroup", "limit", "binding", "high", "peak"),
        *("swap", "parts", "events", "host_oom_kill", "pressure", "levels", "host", "declared"),
    ]
    assert document["schema"] == "memtui.quota/1"
