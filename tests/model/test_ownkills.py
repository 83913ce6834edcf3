"""The kernel log's kills and memtui's own: each once, the log's word first."""

from __future__ import annotations

import pytest

from memtui.kernel.oomlog import LimitLine, LogKill
from memtui.model.ownkills import Known, as_event, merge, size_of, uncounted
from memtui.render.postmortem import as_text
from tests.support.kills import AT, GROUP, by, event, victim
from tests.support.made import MIB


def logged(**more: object) -> LogKill:
    made = LogKill(
        id=1, pid=4821, comm=b"python3", time=AT - 1, monotonic=50.0, log_time=b"[50.0]", uid=1000,
        scope="memcg", constraint="CONSTRAINT_MEMCG", oom_memcg=b"/jobs/j1", task_memcg=b"/jobs/j1",
        invoked_by=b"python3", total_vm=90 * MIB, anon_rss=60 * MIB, file_rss=0, shmem_rss=0,
        pgtables=4096, oom_score_adj=0, group_kill=False,
        limits=(LimitLine("memory", 64 * MIB, 64 * MIB, 130),), record=(b"line 1", b"line \x1b 2"),
    )  # fmt: skip
    return made._replace(**more)  # type: ignore[arg-type]


def test_the_same_kill_is_told_once_with_the_log_s_facts() -> None:
    (known,) = merge([logged()], [event()])
    assert (known.kill, known.evidence, known.event) == (logged(), "kernel-log", known.event)
    assert as_event(known) == known.event
    assert size_of(known) == 60 * MIB


@pytest.mark.parametrize("other", [{"pid": 4822}, {"comm": b"python"}, {"time": AT - 60}])
def test_another_kill_is_another(other: dict[str, object]) -> None:
    assert len(merge([logged(**other)], [event()])) == 2


def test_a_kill_of_unknown_time_is_nobody_s() -> None:
    assert [k.kill.time for k in merge([logged(time=None)], [event()])] == [None, AT]


def test_in_a_pid_namespace_the_log_s_own_words_join_them() -> None:
    ours = by("kernel-log", record="Memory cgroup out of memory: Killed process 90210 (python3)")
    assert len(merge([logged(pid=90210)], [ours])) == 1
    assert len(merge([logged(pid=9021)], [ours])) == 2


def test_two_of_ours_never_become_one_of_the_log_s() -> None:
    assert len(merge([logged()], [event(), event(id=2)])) == 2


def test_each_victim_of_a_group_is_a_kill() -> None:
    pair = event(count=2, victims=(victim(), victim(pid=5, name="sh", rss=7)))
    found = merge([logged()], [pair])
    assert sorted((k.kill.pid, k.evidence) for k in found) == [
        (5, "vanished"), (4821, "kernel-log"),
    ]  # fmt: skip
    assert {k.kill.pid: size_of(k) for k in found}[5] == 7


def test_what_the_kernel_did_not_kill_is_no_kill() -> None:
    assert merge([], [by("exit-status", kind="sigkill")]) == []


def test_ours_alone_say_null_where_only_the_log_would_know() -> None:
    (known,) = merge([], [event()])
    kill = known.kill
    assert (kill.pid, kill.comm, kill.scope, kill.oom_memcg) == (
        4821, b"python3", "memcg", GROUP.encode(),
    )  # fmt: skip
    assert (kill.anon_rss, kill.uid, kill.log_time) == (None, None, None)
    assert size_of(known) == 58 * MIB


def test_they_are_in_order() -> None:
    found = merge([logged(pid=1, time=AT + 9), logged(pid=2, time=None)], [event()])
    assert [k.kill.pid for k in found] == [2, 4821, 1]


def test_kills_without_a_name_are_counted() -> None:
    assert uncounted([event(count=3), event(victims=(), count=2), by("kernel-log")]) == 4
    assert uncounted([event(before_start=True, victims=()), by("x", kind="sigkill", count=4)]) == 0


def test_the_post_mortem_of_a_kill_that_only_the_log_knows() -> None:
    text = " ".join(as_text(as_event(Known(logged()))).split())
    for fact in (
        "python3 4821 (1000, RES 60.0 MiB) was killed by the OOM killer",
        f"because the limit of {GROUP} was hit: 64.0 MiB",
        "certain: the kernel log says so; the PID there is the host's",
        "line 1 line ␛ 2",
    ):
        assert fact in text


def test_a_log_that_tells_no_time_is_not_given_one() -> None:
    text = as_text(as_event(Known(logged(time=None))))
    assert "time not known" in text
    assert "1970" not in text
