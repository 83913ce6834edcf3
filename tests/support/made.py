"""Process rows that no kernel showed: for the pure functions and for captured trees."""

from __future__ import annotations

from memtui.model.snapshot import Proc

MIB = 1 << 20


def proc(pid: int, mib: float = 1, cgroup: str | None = "/a/b", **more: object) -> Proc:
    """A sleeping python3 of `mib` MiB in `cgroup`."""
    made = Proc(
        pid=pid, start=pid * 10, ppid=1, uid=0, user="root", state="S", threads=1, nice=0,
        kernel_thread=False, virt=0, rss=int(mib * MIB), shr=0, cpu_time=0.0, cpu_pct=None,
        majflt=0, comm=b"python3", argv=b"", name="python3", command="python3 x.py", cgroup=cgroup,
    )  # fmt: skip
    return made._replace(**more)  # type: ignore[arg-type]
