"""Which processes are seen, what they show, and what it costs to look."""

from __future__ import annotations

import os

from memtui.kernel import probe, procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.procscan import counts_runs
from memtui.model.finding import LIMITED, NO, OK, UNKNOWN, Finding
from memtui.services.checks.seen import Seen, not_in_files
from memtui.services.sampler import descriptor_room


def check_processes(seen: Seen) -> Finding:
    """Say how many processes are listed, and who is hidden."""
    if not procfs.is_there(seen.roots):
        why = "there is no /proc as Linux has it: psutil is asked for processes"
        return Finding(
            "processes", LIMITED, "listed without cgroups, PSS or pressure", why, "a mounted /proc"
        )
    try:
        count = len(procfs.list_pids(seen.roots))
    except KernelError as e:
        return Finding("processes", NO, "no process is listed", str(e), "a readable /proc")
    hidepid = probe.read_hidepid(seen.roots)
    facts: dict[str, object] = {"count": count, "hidepid": hidepid}
    if hidepid and not probe.sees_others(seen.roots):
        means = f"{_count(count)} listed, but none of other users"
        grant = "root, or the group that /proc's mount option gid= names"
        why = f"/proc is mounted with hidepid={hidepid}"
        return Finding("processes", LIMITED, means, why, grant, facts)
    return _by_namespace(seen, count, facts)


def _count(number: int) -> str:
    return f"{number} process{'es' * (number != 1)}"


def _by_namespace(seen: Seen, count: int, facts: dict[str, object]) -> Finding:
    first = probe.in_first_namespace("pid") if seen.live else None
    facts = {**facts, "pid_namespace": None if first is None else not first}
    if first is None:
        means = f"{_count(count)}; whether there were others is not known"
        why = "files do not tell of a PID namespace" if not seen.live else "/proc/self/ns is unread"
        return Finding("processes", UNKNOWN, means, why, None, facts)
    if first:
        means = f"{_count(count)}: all of this machine"
        return Finding("processes", OK, means, facts=facts)
    means = f"{_count(count)}: those of this container"
    why = "a PID namespace hides the others, which may be charged to the same quota"
    grant = "memtui on the host itself, or a container with the host's PID namespace"
    return Finding("processes", LIMITED, means, why, grant, facts)


def check_pss(seen: Seen) -> Finding:
    """Say of how many processes PSS and USS can be read."""
    try:
        told = probe.count_rollups(seen.roots, os.geteuid() if seen.live else None)
    except KernelError as e:
        return Finding("pss", NO, "no process is listed", str(e), "a readable /proc")
    shown, count = told.own + told.others, told.own_of + told.others_of
    facts = {"readable": shown, "of": count, **told._asdict()}
    means = f"PSS and USS of {shown} of {_count(count)} with memory can be read"
    if not seen.live:
        means = means.replace("can be read", "are in the files")
        return Finding("pss", OK if 0 < shown == count else UNKNOWN, means, facts=facts)
    if not count:
        return Finding("pss", UNKNOWN, means, "no process was looked at", None, facts)
    if shown == count:
        return Finding("pss", OK, means, facts=facts)
    grant = None
    if not probe.has_capability(probe.CAP_SYS_PTRACE):
        grant = "CAP_SYS_PTRACE (root on the host has it)"
    return Finding("pss", LIMITED if shown else NO, means, _why_no_pss(told), grant, facts)


def _why_no_pss(told: probe.Readable) -> str:
    """Whose smaps_rollup is refused (kernel/ptrace.c, PTRACE_MODE_READ_FSCREDS)."""
    reasons = []
    if others := told.others_of - told.others:
        reasons.append(f"{others} of other users show theirs to CAP_SYS_PTRACE only")
    if own := told.own_of - told.own:
        reasons.append(f"{own} of our own user cannot be dumped, or a security module keeps them")
    return "; ".join(reasons) + "; RES counts shared pages in each process"


def check_schedstat(seen: Seen) -> Finding:
    """Say whether quiet processes need not be read at each refresh."""
    if not seen.live:
        return not_in_files("schedstat", "whether quiet processes can be skipped")
    if counts_runs(seen.roots):
        means = "in use: processes that did not run are not read again at each refresh"
        return Finding("schedstat", OK, means)
    means = "not in use: every process is read at each refresh, which costs more CPU"
    why = "/proc/PID/schedstat counts nothing here"
    return Finding("schedstat", LIMITED, means, why, "a kernel with CONFIG_SCHED_INFO")


def check_descriptors(seen: Seen) -> Finding:
    """Say how many descriptors memtui may keep open to look at processes cheaply."""
    if not seen.live:
        return not_in_files("descriptors", "how many descriptors may be kept")
    import resource

    limit = seen.quota.limit
    room = descriptor_room(limit.bytes if limit else None)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    facts = {"open_files": files, "kept_at_most": room}
    means = f"at most {room} of {files} open files are kept, one per process"
    count = len(procfs.list_pids(seen.roots)) if procfs.is_there(seen.roots) else 0
    if room >= count:
        return Finding("descriptors", OK, means, facts=facts)
    why = f"there are {_count(count)}; those beyond are opened anew at each refresh"
    grant = "a higher limit of open files (ulimit -n), or a larger memory limit"
    return Finding("descriptors", LIMITED, means, why, grant, facts)
