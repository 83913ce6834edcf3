"""The live source of snapshots: one thread, one schedule, everything read off the UI thread."""

from __future__ import annotations

import resource
import threading
import time
from typing import TYPE_CHECKING

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.procscan import KEPT_BYTES, ProcScan, biggest
from memtui.kernel.roots import LIVE, Roots
from memtui.model.snapshot import Identity, Proc, Quota, Snapshot
from memtui.services.identify import Identify
from memtui.services.quota import QuotaSource
from memtui.services.waker import Waker

if TYPE_CHECKING:  # what only the running thread needs would cost the first frame time
    from collections.abc import Callable, Collection, Iterable, Sequence

    from memtui.model.trend import TrendWatch
    from memtui.model.victims import OomEvent
    from memtui.services.depth import Depth
    from memtui.services.naming import Namer
    from memtui.services.pools import Pools
    from memtui.services.portable import PortableProcesses
    from memtui.services.recorder import Recorder
    from memtui.services.weights import Weigher

    Listener = Callable[[Snapshot, Sequence[OomEvent]], None]

_KEPT_SHARE = 100  # kept descriptors may cost 1/100 of the limit in kernel memory
_SPARE_FDS = 200  # left to the screen, to jobs and to everybody else
_CGROUPS_PER_TICK = 200  # each process's cgroup is read once, but not all in one tick
_YOUNG_S = 3.0  # seconds in which a process may still be moved to its cgroup
_RECHECK = 16  # ticks at most until it is looked who a process that ran is, and in which cgroup


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def descriptor_room(limit_bytes: int | None) -> int:
    """How many descriptors may be kept: they cost kernel memory inside the quota watched."""
    files = raise_descriptor_limit() - _SPARE_FDS
    return max(0, min(files, (limit_bytes or 1 << 40) // _KEPT_SHARE // KEPT_BYTES))


class Processes:
    """Every process as a `Proc`, brought up to date by `sample`; only what moved is made anew."""

    def __init__(self, roots: Roots, room: int) -> None:
        self._scan = ProcScan(roots, room)
        self._identify = Identify(roots)
        self._procs: dict[str, Proc] = {}
        self._moving: set[str] = set()  # those whose CPU% is not 0.0: unknown, or they ran
        self._no_cgroup: set[str] = set()
        self._ran: set[str] = set()  # since it was looked who they are: exec and setuid are runs
        self._fresh: set[str] = set()  # identified anew in this sample
        self.namer: Namer | None = None  # says who they are beside, where that is asked for
        self._at: float | None = None  # of the last sample, on CLOCK_BOOTTIME
        self._turn = 0

    def sample(self, cgroups: bool = False) -> list[Proc]:
        """Return all processes as they are now; `cgroups` reads every cgroup at once.

        Raises a KernelError where /proc is unreadable.
        """
        readings = self._scan.sample()
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        before, self._at = self._at, now
        self._turn += 1
        for name in self._scan.gone:
            self._procs.pop(name, None)
            self._no_cgroup.discard(name)
            self._ran.discard(name)
        moving = set()
        for name in self._scan.touched:
            if name in readings and self._update(name, before, now).cpu_pct != 0.0:
                moving.add(name)
        for name in self._moving - moving:
            if name in self._procs:
                self._procs[name] = self._procs[name]._replace(cpu_pct=0.0, majflt_per_s=0.0)
        self._moving = moving
        self._look_again()
        if self.namer is not None:
            self.namer.look(self._procs, self._fresh, self._scan.gone, time.time())
        self._fresh.clear()
        self._fill_cgroups(len(readings) if cgroups else _CGROUPS_PER_TICK)
        return list(self._procs.values())

    @property
    def unreadable(self) -> int:
        """How many processes are there, but in no sample: the kernel would not tell of them."""
        return self._scan.unreadable

    @property
    def table(self) -> dict[str, Proc]:
        """The processes by PID as text; whoever puts a record there adds to what is known."""
        return self._procs

    @property
    def moved(self) -> Collection[str]:
        """Who ran, changed or was born since the last sample."""
        return self._scan.moved

    @property
    def gone(self) -> Collection[str]:
        """Who ended since the last sample."""
        return self._scan.gone

    def close(self) -> None:
        """Close every kept descriptor."""
        self._scan.close()
        if self.namer is not None:
            self.namer.close()

    def _update(self, name: str, before: float | None, now: float) -> Proc:
        stat, memory = self._scan.readings[name]
        old = self._procs.get(name)
        cpu_time = stat.cpu_ticks / procfs.TICKS_PER_S
        cpu_pct = None
        if before is not None:
            born = old is None or old.start != stat.start
            known = 0.0 if born else old.cpu_time if old else 0.0
            # the kernel rounds the start down to a tick
            if not born or (stat.start + 1) / procfs.TICKS_PER_S > before:
                cpu_pct = 100.0 * max(0.0, cpu_time - known) / max(now - before, 0.01)
        if old is None or old.comm != stat.comm:
            new = self._identify.proc(name, self._scan.readings[name], cpu_pct)
            self._no_cgroup.add(name)
            self._fresh.add(name)
        else:
            self._ran.add(name)
            if now - stat.start / procfs.TICKS_PER_S < _YOUNG_S and stat.state != b"Z":
                self._no_cgroup.add(name)  # seen between its fork and its move, perhaps
            state = stat.state.decode("ascii", "replace")
            faults = None if before is None else (stat.majflt - old.majflt) / (now - before)
            new = old.moved(
                stat.ppid, state, stat.threads, stat.nice, *memory, cpu_time, cpu_pct,
                stat.majflt, stat.prio, faults,
            )  # fmt: skip
        self._procs[name] = new
        return new

    def _look_again(self) -> None:
        """Identify anew who ran some ticks ago, its name the same: it may be idle by now.

        It may also have moved to another cgroup.
        """
        for name in [n for n in self._ran if (self._turn + int(n)) % _RECHECK == 0]:
            self._ran.discard(name)
            old = self._procs[name]
            new = self._identify.proc(name, self._scan.readings[name], old.cpu_pct)
            if new.argv or not old.argv:  # a zombie has none: what it was is still worth knowing
                cgroup = self._identify.cgroup(name) or old.cgroup
                self._procs[name] = self._identify.again(old, new, cgroup)
                if new.argv != old.argv:
                    self._fresh.add(name)

    def _fill_cgroups(self, at_most: int) -> None:
        """Read the cgroup of processes that have none yet, some each tick."""
        for _ in range(min(len(self._no_cgroup), at_most)):
            name = self._no_cgroup.pop()
            if name in self._procs:
                cgroup = self._identify.cgroup(name)
                self._procs[name] = self._procs[name]._replace(cgroup=cgroup)


def open_processes(roots: Roots, room: int) -> Processes | PortableProcesses:
    """Return the way to read processes here; at most `room` descriptors are kept."""
    if procfs.is_there(roots):
        return Processes(roots, room)
    from memtui.services.portable import PortableProcesses

    return PortableProcesses()


class Sampler:
    """Samples on a thread of its own and tells a listener.

    `first_look` and `sample` may be called before `start`, from the caller's thread.
    """

    def __init__(
        self, roots: Roots = LIVE, delay_s: float = 1.0, cgroup: str | None = None
    ) -> None:
        self.delay_s = delay_s
        self.roots = roots
        self.latest: Snapshot | None = None
        self.expected: set[Identity] = set()  # whose SIGKILL is no news: memtui sent it
        self._listener: Listener | None = None
        self._untold: list[OomEvent] = []
        self._also: tuple[Callable[[], None], ...] = ()
        self._quota = QuotaSource(roots, cgroup)
        self._weigher: Weigher | None = None
        self._pools: Pools | None = None
        self._depth: Depth | None = None
        self._wanted: tuple[int, Collection[Identity]] = (0, ())
        self._written: list[Identity] = []  # whose oom_score_adj was
        self._boot: int | None = None
        self._cgroup = cgroup
        self._processes: Processes | PortableProcesses | None = None
        self._waker = Waker()
        self._recorder: Recorder | None = None
        self._trends: TrendWatch
        self._spike = 0  # bytes: the highest usage since the listener was told
        self._stop = False
        self._thread: threading.Thread | None = None

    @property
    def cgroup_found(self) -> bool:
        """Whether the cgroup asked for is visible; known after a first sample."""
        return self._cgroup is None or self._quota.found

    def first_look(self, rows: int) -> Snapshot:
        """Return a snapshot that holds only the `rows` processes with most resident memory.

        Raises a KernelError where /proc is unreadable.
        """
        if not procfs.is_there(self.roots):
            return self.sample()
        began = time.thread_time(), time.monotonic()
        readings, count = biggest(self.roots, rows)
        identify = Identify(self.roots)
        procs = [identify.proc(str(r.stat.pid), r, None) for r in readings]
        return self._snapshot(procs, count, began)

    def sample(self) -> Snapshot:
        """Return a snapshot of every process. Raises a KernelError where /proc is unreadable."""
        began = time.thread_time(), time.monotonic()
        quota = self._quota.read()
        if self._processes is None:
            room = descriptor_room(quota.limit.bytes if quota.limit else None)
            self._processes = open_processes(self.roots, room if self.roots.live else 0)
            self._name()
        procs = self._processes.sample()
        snapshot = self._snapshot(procs, len(procs), began, quota)
        if isinstance(self._processes, Processes):
            self._weigh(snapshot)
            self._deepen(snapshot, self._processes)
            self._add_pools(snapshot)
            snapshot.took_s = time.thread_time() - began[0]
        return snapshot

    def want(self, needs: int, visible: Collection[Identity] = ()) -> None:
        """Read from now on what these columns need (`fields.needs`), first of those visible.

        May be called from any thread; a need that is new is met at once.
        """
        new = needs & ~self._wanted[0]
        self._wanted = needs, visible
        if new:
            self.refresh()

    def reread(self, identities: Iterable[Identity]) -> None:
        """Sample at once, with the oom_score_adj of these; may be called from any thread."""
        self._written.extend(identities)
        self.refresh()

    def _deepen(self, snapshot: Snapshot, processes: Processes) -> None:
        """Fill what only some columns show; imported when the first such column is."""
        needs, visible = self._wanted
        if not needs and self._depth is None:
            return
        if self._depth is None:
            from memtui.services.depth import Depth

            self._depth = Depth(self.roots)
        self._depth.fill(
            processes.table, processes.moved, processes.gone, needs, visible, snapshot.quota,
            snapshot.weights, self.delay_s,
        )  # fmt: skip
        snapshot.procs = list(processes.table.values())
        if not needs:
            self._depth = None  # its last turn emptied the fields

    def _name(self) -> None:
        """Say from now on who processes are; imported after the first frame."""
        from memtui.services.naming import Namer

        if isinstance(self._processes, Processes):
            self._processes.namer = Namer(self.roots, self.refresh)

    def _add_pools(self, snapshot: Snapshot) -> None:
        """Add the rows for memory that belongs to no process; imported after the first frame."""
        from memtui.services.pools import Pools

        self._pools = self._pools or Pools(self.roots)
        snapshot.pools = self._pools.look(snapshot.procs, snapshot.quota)

    def _weigh(self, snapshot: Snapshot) -> None:
        """Add whom the OOM killer would take; imported after the first frame."""
        from memtui.services.weights import Weigher

        self._weigher = self._weigher or Weigher(self.roots)
        written = self._written[:]
        del self._written[: len(written)]
        self._weigher.reread(written)
        if self._depth is not None:
            self._depth.reread(written)
        snapshot.weights, snapshot.doomed = self._weigher.look(snapshot.procs, snapshot.quota)

    def start(self) -> None:
        """Begin to sample every `delay_s` seconds; what nobody listens to yet is kept."""
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every tick from now on, in the sampler's thread.

        It gets the snapshot, and the OOM events that are new or known better.
        """
        self._listener = listener

    def also(self, work: Callable[[], None]) -> None:
        """Do `work` in the sampler's thread before each tick is told."""
        self._also = (*self._also, work)

    def refresh(self) -> None:
        """Sample at once."""
        self._waker.wake()

    def hurry(self) -> None:
        """Ask kernels' servers at once: something was done to one of theirs."""
        if isinstance(self._processes, Processes) and self._processes.namer is not None:
            self._processes.namer.notebooks.hurry()

    def stop(self) -> None:
        """End the thread; does not wait for a slow /proc."""
        self._stop = True
        self._waker.wake()
        if self._recorder is not None:
            self._recorder.farewell()
        if self._thread is None:
            self._close()

    def _close(self) -> None:
        """Give back every kept descriptor; called by whoever samples."""
        self._waker.close()
        self._quota.close()
        if self._processes is not None:
            self._processes.close()

    def _snapshot(
        self,
        procs: list[Proc],
        count: int,
        began: tuple[float, float],
        quota: Quota | None = None,
    ) -> Snapshot:
        """`began` is the thread's CPU time and the monotonic time when reading began."""
        quota = quota or self._quota.read()
        took = time.thread_time() - began[0]
        return Snapshot(
            time.time(), began[1], procs, count, quota, took, self.delay_s, boot=self._booted()
        )

    def _booted(self) -> int | None:
        """When the clock of `Proc.start` was 0, in seconds since the epoch; reckoned once."""
        if self._boot is None and self.roots.live and hasattr(time, "CLOCK_BOOTTIME"):
            self._boot = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
        return self._boot

    def _run(self) -> None:
        from memtui.model.trend import TrendWatch
        from memtui.services.recorder import Recorder

        self._trends = TrendWatch()
        recorder = self._recorder = Recorder(self.roots, self._cgroup, self._waker)
        recorder.expect(self.expected)
        self._untold = recorder.start()
        due = time.monotonic()
        try:
            while not self._stop:
                self._look(recorder, tell=True)
                due = max(due + self.delay_s, time.monotonic())
                if self._rest(due, recorder):
                    due = time.monotonic()
        finally:
            recorder.close()
            self._close()

    def _rest(self, due: float, recorder: Recorder) -> bool:
        """Sleep until `due`, but look whenever the recorder wants to; True: woken by a caller."""
        while not self._stop:
            now = time.monotonic()
            if now >= due:
                return False
            if self._waker.sleep(min(due, recorder.next_look(now)) - now):
                return True
            now = time.monotonic()
            if now < due and recorder.wants_look(now):
                self._look(recorder, tell=False)
        return True

    def _look(self, recorder: Recorder, tell: bool) -> None:
        """Sample, and tell the listener if it is time to or there are events."""
        try:
            snapshot = self.sample()
        except KernelError:  # no /proc for a moment: the next look tries
            return
        snapshot.trend = self._trends.add(snapshot)
        self._untold += recorder.take(snapshot)
        self._spike = max(self._spike, snapshot.quota.recent_peak or 0)
        if tell or self._untold:
            snapshot.quota = snapshot.quota._replace(recent_peak=self._spike or None)
            self._spike = 0
            self.latest = snapshot
            for work in self._also:
                work()
            if self._listener is not None:
                events, self._untold = self._untold, []
                self._listener(snapshot, events)
