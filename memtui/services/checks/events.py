"""Who counts OOM kills, who would tell of them at once, and who knows the victims' names."""

from __future__ import annotations

import os

from memtui.kernel import probe
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.files import parse_number
from memtui.kernel.roots import read_optional
from memtui.model.finding import LIMITED, NO, OK, UNKNOWN, Finding
from memtui.services.checks.seen import Seen, not_in_files

_JOURNALS = ("/var/log/journal", "/run/log/journal")
_FILES = {1: ("memory.oom_control",), 2: ("memory.events", "memory.events.local")}
_COUNTERS = {
    1: "memory.oom_control of every visible group, each of which counts its own victims",
    2: "memory.events and memory.events.local of every visible group",
}


def check_counters(seen: Seen) -> Finding:
    """Say which files count OOM kills in our groups."""
    version, levels = seen.place.version, seen.quota.levels
    counted = [lv.path for lv in levels if lv.events.oom_kill is not None]
    facts = {"files": _FILES.get(version or 0, ()), "levels": counted}
    if version is not None and counted:
        return Finding("oom_counters", OK, _COUNTERS[version], facts=facts)
    why = "no memory cgroup is visible"
    if version is not None:
        names = " and ".join(_FILES[version])
        why = (
            f"{names} cannot be read or have no oom_kill (Linux 4.13 has; v2's root group has not)"
        )
    means = "no group's kills are counted: only the whole machine's may be"
    return Finding("oom_counters", NO if seen.live else UNKNOWN, means, why, None, facts)


def check_watch(seen: Seen) -> Finding:
    """Say how a kill is noticed: at each refresh, and whether the kernel would tell at once."""
    version, levels = seen.place.version, seen.quota.levels
    if not seen.live:
        return not_in_files("oom_watch", "whether the kernel would tell of kills at once")
    if version is None or all(lv.events.oom_kill is None for lv in levels):
        return _watch_host(seen)
    try:
        way = _try_watch(seen, version)
    except KernelError as e:
        means = f"{_FILES[version][0]} is read several times a second: the kernel does not tell us"
        grant = "a writable cgroup file system"
        if isinstance(e, Denied):
            grant = "root (Linux 6.18 lets nobody else write cgroup.event_control)"
        return Finding("oom_watch", LIMITED, means, str(e), grant if version == 1 else None)
    means = f"{_FILES[version][0]} is watched: the kernel tells of kills at once, by {way}"
    return Finding("oom_watch", OK, means, facts={"possible": way})


def _watch_host(seen: Seen) -> Finding:
    why = "no group's counter can be read"
    if seen.quota.host_oom_kill is None:
        return Finding("oom_watch", NO, "kills are not noticed", f"{why}, nor the machine's")
    means = "kills anywhere on the machine are noticed at each refresh, in /proc/vmstat"
    return Finding("oom_watch", LIMITED, means, why)


def _try_watch(seen: Seen, version: int) -> str:
    """Return how the kernel would tell of a kill. Raises the KernelError that forbids it."""
    directory = seen.roots.at(seen.place.chain[0][1]).rstrip("/")
    if version == 1:
        probe.try_notice(1, directory)
        return "eventfd"
    counted = next(lv.directory for lv in seen.quota.levels if lv.events.oom_kill is not None)
    probe.try_notice(2, counted)
    return "poll"


def check_group_kill(seen: Seen) -> Finding:
    """Say whether one kill takes a whole group with it (memory.oom.group)."""
    if seen.place.version == 1:
        return Finding("oom_group", OK, "v1 has no memory.oom.group: processes are killed singly")
    told = {
        path: parse_number(read_optional(seen.roots.at(d).rstrip("/") + "/memory.oom.group"))
        for path, d in seen.place.chain
    }
    whole = [path for path, value in told.items() if value == 1]
    facts = {"groups": whole}
    if whole:
        means = f"one OOM kill ends every process of {whole[0]}, memtui too if it runs there"
        why = f"memory.oom.group is 1 in {', '.join(whole)}"
        grant = "0 in that file; for Kubernetes, the kubelet's singleProcessOOMKill"
        return Finding("oom_group", LIMITED, means, why, grant, facts)
    if all(value is None for value in told.values()):
        means = "whether one OOM kill takes a whole group is not told"
        return Finding("oom_group", UNKNOWN, means, "no memory.oom.group can be read", None, facts)
    return Finding(
        "oom_group", OK, "processes are killed singly (memory.oom.group is 0)", facts=facts
    )


def check_host_kills(seen: Seen) -> Finding:
    """Say whether the machine's own count of OOM kills is there."""
    count = seen.quota.host_oom_kill
    facts = {"oom_kill": count}
    if count is not None:
        means = f"/proc/vmstat: {count} killed on the whole machine since it started"
        return Finding("host_oom_kill", OK, means, facts=facts)
    means = "kills elsewhere on the machine are not counted"
    why = "/proc/vmstat cannot be read, or has no oom_kill"
    state = NO if seen.live else UNKNOWN
    return Finding("host_oom_kill", state, means, why, "Linux 4.13 or newer", facts)


def check_kernel_log(seen: Seen) -> Finding:
    """Say whether the kernel's own record of each victim can be read."""
    restrict = probe.read_dmesg_restrict(seen.roots)
    facts = {"dmesg_restrict": restrict}
    if not seen.live:
        found = not_in_files("kernel_log", f"who may read {probe.KMSG}")
        return found._replace(facts=facts)
    try:
        probe.read_kmsg()
    except Gone:
        why = f"{probe.KMSG} is not there, as in most containers"
        return _no_log(why, "memtui on the host itself", facts)
    except Denied:
        setting = f"kernel.dmesg_restrict is {'?' if restrict is None else restrict}"
        if probe.has_capability(probe.CAP_SYSLOG):
            why = f"{probe.KMSG} is refused although we have CAP_SYSLOG here: by a container"
            return _no_log(why, "memtui on the host itself", facts)
        why = f"{probe.KMSG} is refused: {setting}, and we have no CAP_SYSLOG"
        return _no_log(why, "CAP_SYSLOG (root has it), or kernel.dmesg_restrict=0", facts)
    except KernelError as e:
        return _no_log(str(e), None, facts)
    if probe.in_first_namespace("pid") is False:
        means = f"{probe.KMSG} can be read; PIDs in it are the host's, not those seen here"
        why = "we are in a PID namespace of our own"
        return Finding("kernel_log", LIMITED, means, why, "memtui on the host itself", facts)
    means = f"{probe.KMSG} can be read: it names every victim and its sizes"
    return Finding("kernel_log", OK, means, facts=facts)


def _no_log(why: str, grant: str | None, facts: dict[str, int | None]) -> Finding:
    means = "the kernel's own record of OOM kills cannot be read"
    return Finding("kernel_log", NO, means, why, grant, dict(facts))


def _journals() -> tuple[list[str], bool]:
    """The system journals that can be read, and whether there is any."""
    found, there = [], False
    for base in _JOURNALS:
        for folder, _, names in os.walk(base, onerror=None):
            paths = [f"{folder}/{n}" for n in names if n.startswith("system")]
            there = there or bool(paths)
            found += [p for p in paths if os.access(p, os.R_OK)]
    return found, there


def check_journal(seen: Seen) -> Finding:
    """Say whether systemd's journal, which keeps the kernel log, can be read."""
    if not seen.live:
        return not_in_files("journal", "whether the journal can be read")
    readable, there = _journals()
    if readable:
        return Finding("journal", OK, "the system journal can be read: it keeps the kernel log")
    means = "OOM kills of before memtui's start cannot be looked up in the journal"
    if there or any(os.path.isdir(d) and not os.access(d, os.R_OK | os.X_OK) for d in _JOURNALS):
        grant = "membership in the group systemd-journal or adm"
        return Finding("journal", NO, means, "the system journal is not readable for us", grant)
    return Finding("journal", NO, means, "there is no system journal here", "systemd-journald")
