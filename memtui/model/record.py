"""An OOM event as a document, and back: what memtui keeps of a kill. Pure.

Victims have the keys of `memtui oom --json`, and some of memtui's own; unknown is null. What is
read back was perhaps written by somebody else: every value is checked, every text made safe.
"""

from __future__ import annotations

from typing import Any, TypeVar

from memtui.kernel.levels import Events, Level, Parts
from memtui.model.checked import (
    MOST,
    Doc,
    as_doc,
    bool_of,
    int_of,
    items,
    lines_of,
    need,
    one_of,
    path_of,
    text_of,
    time_of,
)
from memtui.model.known import RECORDED, Known, spoken
from memtui.model.scene import Scene
from memtui.model.snapshot import Host, Limit, Pressure, Proc, Quota
from memtui.model.victims import LOG, NONE, STATUS, VANISHED, OomEvent, Victim

SCHEMA = "memtui.kill/1"
_PROCS, _POINTS, _LEVELS, _VICTIMS = 15, 240, 64, 64
_NAME, _COMMAND, _RECORD = 256, 512, 1 << 15  # characters

_SCOPES = ("cgroup", "elsewhere", "gone")
_KINDS = ("oom", "sigkill")
_CAUSES = ("limit", "above", "host", "")
_EVIDENCE = (LOG, STATUS, VANISHED, NONE)
_JSON_SCOPE = {"limit": "memcg", "above": "memcg", "host": "global"}

_Ints = TypeVar("_Ints", Events, Parts)


# -- to a document


def to_record(event: OomEvent) -> dict[str, Any]:
    """Return the event as a JSON document; long texts are cut, the biggest processes are kept."""
    return {
        "schema": SCHEMA,
        "id": event.id,
        "time": round(event.time, 3),
        "count": event.count,
        "cgroup": event.cgroup,
        "scope": event.scope,
        "before_start": event.before_start,
        "evidence": event.evidence,
        "kind": event.kind,
        "killer": event.killer[:_NAME],
        "cause": event.cause,
        "limit_cgroup": event.limit_cgroup,
        "limit_bytes": event.limit_bytes,
        "group_kill": event.group_kill,
        "last_looked": event.last_looked,
        "victims": [victim_json(event, v) for v in event.victims[:_VICTIMS]],
        "others": [victim_json(event, v) for v in event.others[:_VICTIMS]],
        "record": event.record[:_RECORD],
        "scene": None if event.scene is None else _scene_json(event.scene),
    }


def victim_json(event: OomEvent, victim: Victim) -> dict[str, Any]:
    """Return a victim with the keys of a kill of `memtui.oom/1`, and with our own."""
    oom = event.kind == "oom"
    return {
        "time": round(event.time, 3),
        "log_time": None,
        "pid": victim.pid,
        "comm": victim.name[:_NAME],
        "uid": None,
        "scope": _JSON_SCOPE.get(event.cause) if oom else None,
        "constraint": None,
        "oom_memcg": event.limit_cgroup if oom else None,
        "task_memcg": victim.cgroup or event.cgroup,
        "invoked_by": None,
        "total_vm": None,
        "anon_rss": None,
        "file_rss": None,
        "shmem_rss": None,
        "pgtables": None,
        "oom_score_adj": victim.adj,
        "group_kill": (event.group_kill or None) if oom else None,
        "evidence": victim.evidence,
        "start": victim.start,
        "command": victim.command[:_COMMAND],
        "user": victim.user[:_NAME],
        "rss": victim.rss,
        "swap": victim.swap,
        "cgroup": victim.cgroup,
        "parent": victim.parent[:_NAME],
        "last_seen": victim.last_seen,
        "restarted": victim.restarted,
        "what": victim.what[:_NAME] or None,
    }


def _scene_json(scene: Scene) -> dict[str, Any]:
    points = scene.points[-_POINTS:]
    return {
        "time": round(scene.time, 3),
        "count": scene.count,
        "processes": [
            {
                "pid": p.pid,
                "start": p.start,
                "ppid": p.ppid,
                "uid": p.uid,
                "user": p.user[:_NAME],
                "rss": p.rss,
                "name": p.name[:_NAME],
                "command": p.command[:_COMMAND],
                "cgroup": p.cgroup,
                "badness": scene.badness.get(p.identity),
                "what": spoken(p.who)[:_NAME] or None,
            }
            for p in scene.procs[:_PROCS]
        ],
        "points": [[round(at, 2), used] for at, used in points],
        "quota": _quota_json(scene.quota),
    }


def _quota_json(quota: Quota) -> dict[str, Any]:
    return {
        "version": quota.version,
        "hybrid": quota.hybrid,
        "cgroup": quota.cgroup,
        "limit": None if quota.limit is None else quota.limit._asdict(),
        "binding": None if quota.binding is None else quota.binding._asdict(),
        "high": quota.high,
        "peak": quota.peak,
        "swap_limit": quota.swap_limit,
        "swap_usage": quota.swap_usage,
        "parts": quota.parts._asdict(),
        "levels": [
            {
                "path": lv.path,
                "directory": lv.directory,
                "limit": lv.limit,
                "limit_file": lv.limit_file,
                "limit_known": lv.limit_known,
                "usage": lv.usage,
                "peak": lv.peak,
                "events": lv.events._asdict(),
            }
            for lv in quota.levels[:_LEVELS]
        ],
        "host": dict(zip(Host._fields[:4], quota.host[:4], strict=True)),
    }


# -- back


def from_record(doc: object) -> OomEvent:
    """Return the event that a document tells of. Raises ValueError where it is not one of ours."""
    d = as_doc(doc)
    if d.get("schema") != SCHEMA:
        raise ValueError("not a record of memtui's")
    scene = d.get("scene")
    return OomEvent(
        id=need(int_of(d, "id", -MOST)),
        time=time_of(d, "time"),
        count=need(int_of(d, "count")),
        cgroup=path_of(d, "cgroup"),
        scope=one_of(d, "scope", _SCOPES),
        before_start=bool_of(d, "before_start"),
        victims=tuple(map(_victim, items(d, "victims", _VICTIMS))),
        others=tuple(map(_victim, items(d, "others", _VICTIMS))),
        evidence=one_of(d, "evidence", _EVIDENCE),
        kind=one_of(d, "kind", _KINDS),
        killer=text_of(d, "killer", _NAME),
        cause=one_of(d, "cause", _CAUSES),
        limit_cgroup=path_of(d, "limit_cgroup"),
        limit_bytes=int_of(d, "limit_bytes"),
        group_kill=bool_of(d, "group_kill"),
        last_looked=None if d.get("last_looked") is None else time_of(d, "last_looked"),
        record=lines_of(d, "record", _RECORD),
        scene=None if scene is None else _scene(as_doc(scene)),
    )


def _victim(doc: object) -> Victim:
    d = as_doc(doc)
    return Victim(
        pid=need(int_of(d, "pid")),
        start=int_of(d, "start"),
        name=text_of(d, "comm", _NAME),
        command=text_of(d, "command", _COMMAND),
        user=text_of(d, "user", _NAME),
        rss=int_of(d, "rss"),
        last_seen=None if d.get("last_seen") is None else time_of(d, "last_seen"),
        evidence=one_of(d, "evidence", _EVIDENCE),
        swap=int_of(d, "swap"),
        adj=int_of(d, "oom_score_adj", -MOST),
        cgroup=path_of(d, "cgroup"),
        parent=text_of(d, "parent", _NAME),
        restarted=int_of(d, "restarted"),
        what=_what(d),
    )


def _what(d: Doc) -> str:
    """What a process is called; earlier versions did not write it."""
    return "" if d.get("what") is None else text_of(d, "what", _NAME)


def _scene(d: Doc) -> Scene:
    found = [as_doc(p) for p in items(d, "processes", _PROCS)]
    procs = [_proc(p) for p in found]
    weights = zip(procs, (int_of(p, "badness") for p in found), strict=True)
    points = []
    for point in items(d, "points", _POINTS):
        at, used = point if isinstance(point, list) and len(point) == 2 else (None, None)
        points.append((time_of({"": at}, ""), int_of({"": used}, "")))
    badness = {p.identity: n for p, n in weights if n is not None}
    count = need(int_of(d, "count"))
    return Scene(time_of(d, "time"), procs, count, _quota(as_doc(d.get("quota"))), points, badness)


def _proc(d: Doc) -> Proc:
    return Proc(
        pid=need(int_of(d, "pid")),
        start=need(int_of(d, "start")),
        ppid=need(int_of(d, "ppid")),
        uid=int_of(d, "uid"),
        user=text_of(d, "user", _NAME),
        state="?",
        threads=0,
        nice=0,
        kernel_thread=False,
        virt=0,
        rss=need(int_of(d, "rss")),
        shr=0,
        cpu_time=0.0,
        cpu_pct=None,
        majflt=0,
        comm=b"",
        argv=b"",
        name=text_of(d, "name", _NAME),
        command=text_of(d, "command", _COMMAND),
        cgroup=path_of(d, "cgroup"),
        who=Known(RECORDED, what, "a record") if (what := _what(d)) else None,
    )


def _quota(d: Doc) -> Quota:
    host = as_doc(d.get("host"))
    levels = tuple(_level(as_doc(lv)) for lv in items(d, "levels", _LEVELS))
    return Quota(
        version=int_of(d, "version"),
        hybrid=bool_of(d, "hybrid"),
        cgroup=path_of(d, "cgroup"),
        limit=_limit(d.get("limit"), len(levels)),
        binding=_limit(d.get("binding"), len(levels)),
        high=int_of(d, "high"),
        peak=int_of(d, "peak"),
        swap_limit=int_of(d, "swap_limit"),
        swap_usage=int_of(d, "swap_usage"),
        parts=_ints(Parts, as_doc(d.get("parts"))),
        events=Events(),
        host_oom_kill=None,
        pressure=Pressure(),
        levels=levels,
        host=Host(
            int_of(host, "total"),
            int_of(host, "available"),
            int_of(host, "swap_total"),
            int_of(host, "swap_free"),
        ),
        declared={},
    )


def _level(d: Doc) -> Level:
    return Level(
        path=path_of(d, "path") or "",
        directory=path_of(d, "directory") or "",
        limit=int_of(d, "limit"),
        limit_file=path_of(d, "limit_file") or "",
        usage=int_of(d, "usage"),
        peak=int_of(d, "peak"),
        events=_ints(Events, as_doc(d.get("events"))),
        limit_known=bool_of(d, "limit_known"),
    )


def _limit(doc: object, levels: int) -> Limit | None:
    if doc is None:
        return None
    d = as_doc(doc)
    level = int_of(d, "level")
    if level is not None and level >= levels:
        raise ValueError("a limit of a level that is not there")
    usage, working_set, hard = (int_of(d, key) for key in ("usage", "working_set", "hard"))
    return Limit(
        need(int_of(d, "bytes")), path_of(d, "path") or "", usage, working_set, hard, level
    )


def _ints(kind: type[_Ints], d: Doc) -> _Ints:
    return kind(*(int_of(d, key) for key in kind._fields))
