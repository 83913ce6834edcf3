"""Who a process is: user, arguments, cgroup. Read once per process, again when it changes."""

from __future__ import annotations

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.mounts import memory_cgroup
from memtui.kernel.procscan import Reading
from memtui.kernel.roots import Roots, read_optional
from memtui.model.snapshot import Proc
from memtui.text import safe, show


def user_name(uid: int | None) -> str:
    """Return the user's name, the number where it has none, `?` where it is unknown."""
    if uid is None:
        return "?"
    import pwd

    try:
        return safe(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


class _Users(dict[int, str]):
    """User names by id, each looked up once."""

    def __missing__(self, uid: int) -> str:
        self[uid] = name = user_name(uid)
        return name


class Identify:
    """Who a process is: what changes rarely, read once and again when its name changes."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._users = _Users() if roots.live else {}

    def user(self, uid: int | None) -> str:
        """The name of a user id; the number where there is none; `?` where it is not told."""
        if uid is None:
            return "?"
        return self._users[uid] if self._roots.live else str(uid)

    def proc(self, pid: str, reading: Reading, cpu_pct: float | None) -> Proc:
        """Return the full record of a process; what cannot be read is empty or None."""
        stat, memory = reading
        try:
            argv = b"" if stat.kernel_thread else procfs.read_cmdline(self._roots, pid)
        except KernelError:
            argv = b""
        try:
            uid = procfs.read_uid(self._roots, pid)
        except KernelError:
            uid = None
        name = show(stat.comm)
        return Proc(
            pid=stat.pid,
            start=stat.start,
            ppid=stat.ppid,
            uid=uid,
            user=self.user(uid),
            state=show(stat.state),
            threads=stat.threads,
            nice=stat.nice,
            kernel_thread=stat.kernel_thread,
            virt=memory.virt,
            rss=memory.rss,
            shr=memory.shr,
            cpu_time=stat.cpu_ticks / procfs.TICKS_PER_S,
            cpu_pct=cpu_pct,
            majflt=stat.majflt,
            comm=stat.comm,
            argv=argv,
            name=name,
            command=command_line(argv) or name,
            cgroup=None,
            prio=stat.prio,
        )

    @staticmethod
    def again(old: Proc, new: Proc, cgroup: str | None) -> Proc:
        """Return `old` with who it is as `new` has it: all that was read of it stays."""
        return old._replace(
            uid=new.uid,
            user=new.user,
            comm=new.comm,
            argv=new.argv,
            name=new.name,
            command=new.command,
            cgroup=cgroup,
        )

    def cgroup(self, pid: str) -> str | None:
        """The path of a process in the memory hierarchy, or None where it is not visible."""
        data = read_optional(procfs.path_of(self._roots, pid, "cgroup"))
        return memory_cgroup(data) if data else None


def command_line(argv: bytes) -> str:
    """Return the arguments of /proc/PID/cmdline as one safe line."""
    return show(argv.rstrip(b"\0").replace(b"\0", b" ")) if argv else ""
