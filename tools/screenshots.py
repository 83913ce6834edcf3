"""Pictures of real runs of memtui, for the README and to look at: `python -m tools.screenshots`.

A small world is made first: a memory cgroup with a limit, and in a PID namespace of their own
(nothing of this machine shows) a few jobs that fill it, one of which the kernel kills. memtui
runs in a pseudo-terminal there, keys are pressed, and the screen is drawn. Needs root, unshare
and a cgroup v1 memory hierarchy; `--run` pictures any program, without all that.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.cgroups import MIB, Group, missing_v1, v1_group
from tests.support.terminal import Terminal
from tools.picture import FontsMissingError, find_fonts, render_png

OUT = Path(__file__).resolve().parents[1] / "screenshots"
LIMIT = 1000 * MIB

_JOB = """
import sys, time
mib, pause, top = int(sys.argv[-2]), float(sys.argv[-1]), time.monotonic() + 240
held = [bytearray(b"x" * (1 << 20)) for _ in range(mib)]
while time.monotonic() < top:
    if pause:
        held.append(bytearray(b"x" * (1 << 20)))
    time.sleep(pause or 1)
"""
_JOBS = (
    "train.py 290 0",
    "serve.py 96 0",
    "notebook.py 58 0",
    "worker.py --queue=mail 14 0",
    "worker.py --queue=thumbnails 22 0",
    "worker.py --queue=search 9 0",
    "watch_files.py 4 0",
    "metrics.py --port=9100 6 0",
    "sync.py --every=60 3 0",
)
_VICTIM = "join_tables.py 1100 0"  # the biggest when the limit is met: the kernel ends it
_GROWING = "features.py 250 0.9"
_WORLD = """
mount -t proc proc /proc; hostname quota 2>/dev/null
echo 0 >"$1" || exit 125; shift
{before}
job() {{ PYTHONHOME={home} exec -a python3 "$0" $1; }}
for each in {jobs}; do job "$each" & sleep 0.1; done
(sleep 6; (job "{victim}"); sleep 1; job "{growing}") 2>/dev/null &
exec "$@"
"""


_LEFT = (
    "mount -t tmpfs tmpfs /dev/shm; head -c 180M /dev/zero >/dev/shm/features.parquet;"
    " head -c 90M /dev/zero >/dev/shm/psm_4f1c0a2b; touch -d '-3 hours' /dev/shm/psm_*"
)


class Scene(NamedTuple):
    """One picture: a size, what to type, and what must be on the screen before it is taken."""

    name: str
    cols: int
    rows: int
    keys: Sequence[str] = ()
    wait: str = ""
    history_s: float = 14.0  # before the keys: long enough for the kill, and for a graph
    options: Sequence[str] = ()
    before: str = ""  # run in the small world, inside its limit


SCENES = (
    Scene("main-dark", 120, 40, history_s=45),
    Scene("main-light", 120, 40, history_s=45, options=("--theme", "light")),
    Scene("main-80x24", 80, 24, history_s=30),
    Scene("main-200x60", 200, 60, history_s=45),
    Scene("kill", 120, 36, ("F9",), "SIGTERM"),
    Scene("limits", 120, 36, ("i",), "binds"),
    Scene("oom", 120, 40, ("o",), "join_tables"),
    Scene("post-mortem", 120, 40, ("o", "Enter"), "what to do next", history_s=30),
    Scene("details", 120, 40, ("Enter",), "rlimit", history_s=20),
    Scene("tree", 120, 36, ("F5",)),
    Scene("explain", 100, 34, ("x",), "as of", history_s=20, before=_LEFT),
    Scene("explain-80x24", 80, 24, ("x",), "in use", history_s=20, before=_LEFT),
    Scene("columns", 120, 36, ("F2",)),
    Scene("charts", 120, 36, ("g",), history_s=45),
    Scene("help", 120, 36, ("F1",)),
)


def shoot(term: Terminal, scene: Scene, out: Path, title: str) -> Path:
    """Press the scene's keys, wait for what it promises, and write the picture."""
    time.sleep(scene.history_s)
    for key in scene.keys:
        term.send(key)
        time.sleep(0.5)
    if scene.wait:
        term.wait_for(scene.wait, 30)
    path = out / f"{scene.name}.png"
    render_png(term.cells(), path, title)
    return path


@contextlib.contextmanager
def world() -> Iterator[tuple[Group, Path]]:
    """A limited cgroup, and a folder with the scripts of the jobs."""
    with v1_group(LIMIT, "project-") as group, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".venv").symlink_to(sys.prefix)  # no path of this machine in a picture
        for job in (*_JOBS, _VICTIM, _GROWING):
            (Path(folder) / job.split()[0]).write_text(_JOB, encoding="utf-8")
        yield group, Path(folder)


def inside(group: Group, argv: Sequence[str], before: str = "") -> list[str]:
    """Return the command line that runs `argv` among the jobs, in a world of its own."""
    jobs = " ".join(map(shlex.quote, _JOBS))
    home = shlex.quote(sys.base_prefix)  # a job called plain "python3" cannot find it by itself
    script = _WORLD.format(home=home, jobs=jobs, victim=_VICTIM, growing=_GROWING, before=before)
    alone = ["unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child"]
    enter = [*alone, "/bin/bash", "-c", script, sys.executable, str(group.dir / "cgroup.procs")]
    return [*enter, *argv]


def scenes(names: Sequence[str], out: Path) -> None:
    """Take the named pictures (all where none is named), each in a fresh world."""
    for scene in SCENES:
        if names and scene.name not in names:
            continue
        memtui = [".venv/bin/python", "-m", "memtui", *scene.options]
        with world() as (group, folder):
            argv = inside(group, memtui, scene.before)
            state = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("STATE", "CONFIG")}
            with Terminal(argv, scene.cols, scene.rows, state, str(folder)) as term:
                term.wait_for("train.py", 60)
                print(shoot(term, scene, out, "memtui"), flush=True)


def any_program(line: str, size: str, keys: Sequence[str], path: Path) -> None:
    """Picture a program of the caller's choice."""
    cols, rows = map(int, size.split("x"))
    scene = Scene(path.stem, cols, rows, keys, history_s=3)
    with Terminal(shlex.split(line), cols, rows) as term:
        print(shoot(term, scene, path.parent, shlex.split(line)[0]))


def main() -> int:
    """Parse the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("scene", nargs="*", help="one of: " + ", ".join(s.name for s in SCENES))
    parser.add_argument("--out", type=Path, default=OUT, help="the folder for the pictures")
    parser.add_argument("--run", metavar="COMMAND", help="picture this program, not memtui")
    parser.add_argument("--size", default="120x40", help="columns x rows, for --run")
    parser.add_argument("--keys", nargs="*", default=[], help="keys to press, for --run")
    args = parser.parse_args()
    try:
        find_fonts()
        if args.run:
            any_program(args.run, args.size, args.keys, args.out / "program.png")
            return 0
        if reason := missing_v1():
            parser.exit(1, f"no world for the pictures: {reason}\n")
        scenes(args.scene, args.out)
    except FontsMissingError as e:
        parser.exit(1, f"{e}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
