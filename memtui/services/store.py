"""What memtui remembers from one run to the next: OOM counters as last seen, and every kill.

Both lie in the state directory, $XDG_STATE_HOME/memtui or ~/.local/state/memtui, for the user
alone. Nothing here raises OSError: without a place to write memtui works as well, remembers
nothing, and says why (`problem`). Several memtui may run at once: they take turns by flock(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from memtui.model.checked import as_doc, int_of, items, need, time_of
from memtui.model.record import from_record, to_record
from memtui.model.victims import OomEvent
from memtui.services import atomic

BASELINES, KILLS, LOCK = "baselines.json", "kills.jsonl", "lock"
MOST_BYTES = 4 << 20
"""Of each file; kills are in two, the older one is dropped when both are full."""

_LINE = 1 << 20
_FEW = 8  # victims of an event that is too long
_BOOTS = 8
_GROUPS = 2000  # of each boot
_WAIT_S = 1.0  # for the lock
_SCHEMA = "memtui.baselines/1"

Key = tuple[str, int]
"""(cgroup path, inode of its directory): a new group of the same name has another inode."""


class Baseline(NamedTuple):
    """A cgroup's OOM counter as it was when somebody last looked."""

    kills: int
    looked_at: float  # seconds since the epoch


def state_directory(environ: Mapping[str, str]) -> str | None:
    """Return where memtui's state belongs, as the XDG Base Directory Specification says it.

    None where there is no home. A relative $XDG_STATE_HOME does not count.
    """
    given = environ.get("XDG_STATE_HOME", "")
    if given.startswith("/"):
        return given.rstrip("/") + "/memtui"
    home = environ.get("HOME", "")
    return home.rstrip("/") + "/.local/state/memtui" if home.startswith("/") else None


class _Refused(OSError):
    """There is a place, but it is not to be written to; the message says why."""


class StateDir:
    """The files of the state directory: whole or not at all, whoever else writes them."""

    def __init__(self, path: str | None = None) -> None:
        """Use `path`, else what the environment says. Nothing is made before it is needed."""
        self.path = path or state_directory(os.environ)
        self.problem = ""
        """Why the last act failed, or what was set aside, in a sentence; "" where all is well."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes, none where it is not there or cannot be read."""
        try:
            fd = os.open(self._at(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(fd, "rb") as file:
                return file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return b""
        except OSError as e:
            self._fail("cannot be read", name, e)
            return b""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory where needed and hold its lock. Raises OSError."""
        self._make()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._at(LOCK), flags, 0o600)
        try:
            _lock(fd)
            yield
        finally:
            os.close(fd)  # and lets go of the lock

    def replace(self, name: str, data: bytes) -> None:
        """Put a new file in place of the old one, in one step. Raises OSError. Needs the lock."""
        atomic.replace(self._at(name), data, beside=self._at(name) + ".new")
        self._sync()

    def create(self, name: str) -> int:
        """Make a new file and return its descriptor, open to be written. Raises OSError."""
        self._make()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self._at(name), flags, 0o600)

    def append(self, name: str, line: bytes) -> None:
        """Add a line, on the disk when this returns. Raises OSError. Needs the lock.

        A line that somebody was interrupted in stays a line of its own. A full file becomes NAME.1.
        """
        path = self._at(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(path, flags, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and size + len(line) > MOST_BYTES:
                os.replace(path, path + ".1")
                os.close(fd)
                fd, size = os.open(path, flags, 0o600), 0
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            data = b"\n" + line if torn else line
            try:
                if os.write(fd, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(fd)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)

    def set_aside(self, name: str, why: str) -> None:
        """Keep a file that makes no sense under another name, and say so."""
        with contextlib.suppress(OSError), self.locked():
            os.replace(self._at(name), self._at(name) + ".bad")
        self.problem = f"{self.path}/{name} {why}; it is {name}.bad now, and memtui begins anew"

    def fail(self, what: str, error: OSError) -> None:
        """Remember why nothing could be written."""
        reason = str(error) if isinstance(error, _Refused) else error.strerror or str(error)
        self.problem = f"{what} not kept in {self.path or 'any place'}: {reason}"

    def _fail(self, what: str, name: str, error: OSError) -> None:
        if self.path is not None:
            self.problem = f"{self.path}/{name} {what}: {error.strerror or error}"

    def _at(self, name: str) -> str:
        if self.path is None:
            raise _Refused("neither HOME nor XDG_STATE_HOME names a directory")
        return f"{self.path}/{name}"

    def _make(self) -> None:
        """Make the directory for us alone; raise OSError where it is not ours to use."""
        path = os.path.dirname(self._at(""))
        if not os.path.lexists(path):
            _refuse_foreign_home(path)
            os.makedirs(path, 0o700, exist_ok=True)
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise _Refused("it is no directory")
        if found.st_uid != os.geteuid():
            raise _Refused("the directory belongs to another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.chmod(path, 0o700)

    def _sync(self) -> None:
        """Let the new name reach the disk, too; where that cannot be done the file is there."""
        with contextlib.suppress(OSError):
            fd = os.open(self._at(""), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _refuse_foreign_home(path: str) -> None:
    """Let root make nothing in somebody's home, as with sudo: its owner could not use it."""
    parent = path
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if os.geteuid() == 0 and os.stat(parent).st_uid != 0:
        raise _Refused(f"{parent} belongs to another user, and memtui runs as root")


def _lock(fd: int) -> None:
    """Take the lock; whoever holds it does so for milliseconds. Raises OSError."""
    end = time.monotonic() + _WAIT_S
    while not _try_lock(fd):
        if time.monotonic() > end:
            raise _Refused("another memtui holds the lock")
        time.sleep(0.005)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Baselines:
    """The OOM counters of every cgroup, by boot, as they were when somebody last looked."""

    def __init__(self, directory: StateDir | None = None) -> None:
        self.directory = directory or StateDir()

    def load(self, boot: str) -> dict[Key, Baseline]:
        """Return what was known of this boot's groups; nothing where nothing is.

        `boot` is the kernel's boot_id. A file that makes no sense is set aside.
        """
        return self._read().get(boot, {})

    def save(self, boot: str, groups: Mapping[Key, Baseline]) -> bool:
        """Remember these groups beside those that others saved; of one group the newest look.

        Costs an fsync: to be called when a counter moved, and at the end. False where it could
        not be written: `directory.problem` says why.
        """
        try:
            with self.directory.locked():
                known = self._read(locked=True)
                mine = {**known.pop(boot, {})}
                for key, seen in groups.items():
                    if key not in mine or seen.looked_at >= mine[key].looked_at:
                        mine[key] = seen
                boots = {boot: _newest(mine), **known}
                self.directory.replace(BASELINES, _dump(boots))
        except OSError as e:
            self.directory.fail("OOM counters are", e)
            return False
        return True

    def _read(self, locked: bool = False) -> dict[str, dict[Key, Baseline]]:
        data = self.directory.read(BASELINES)
        try:
            return _parse(data) if data else {}
        except (ValueError, RecursionError):
            if not locked:  # else it is about to be replaced
                self.directory.set_aside(BASELINES, "makes no sense")
            return {}


def _newest(groups: Mapping[Key, Baseline]) -> dict[Key, Baseline]:
    kept = sorted(groups.items(), key=lambda item: (item[1].looked_at, item[1].kills))
    return dict(kept[-_GROUPS:])


def _dump(boots: Mapping[str, Mapping[Key, Baseline]]) -> bytes:
    """The boots, the newest first; the oldest are dropped."""
    doc = {
        "schema": _SCHEMA,
        "boots": [
            {"boot": boot, "groups": [[*key, *seen] for key, seen in groups.items()]}
            for boot, groups in list(boots.items())[:_BOOTS]
        ],
    }
    return json.dumps(doc, separators=(",", ":")).encode("ascii") + b"\n"


def _parse(data: bytes) -> dict[str, dict[Key, Baseline]]:
    doc = as_doc(json.loads(data))
    if doc.get("schema") != _SCHEMA:
        raise ValueError("not memtui's")
    found: dict[str, dict[Key, Baseline]] = {}
    for each in items(doc, "boots", _BOOTS):
        boot = as_doc(each)
        groups = found[str(boot.get("boot"))] = {}
        for group in items(boot, "groups", _GROUPS):
            if not isinstance(group, list) or len(group) != 4 or not isinstance(group[0], str):
                raise ValueError("not a group")
            path, *numbers = group
            named = dict(zip(("inode", "kills", "looked_at"), numbers, strict=True))
            inode, kills = need(int_of(named, "inode")), need(int_of(named, "kills"))
            groups[path, inode] = Baseline(kills, time_of(named, "looked_at"))
    return found


class KillLog:
    """memtui's own record of kills: kills.jsonl, one document a line, and kills.jsonl.1."""

    def __init__(self, directory: StateDir | None = None) -> None:
        self.directory = directory or StateDir()
        self.skipped = 0
        """Lines that the last `read` could make nothing of, as one that somebody died in."""
        self._session = secrets.token_hex(8)

    def append(self, event: OomEvent) -> bool:
        """Write an event; one with the same id, written later in this run, replaces it.

        Costs an fsync. Best called when the event is closed, and what is before_start never. False
        where it could not be written: `directory.problem` says why.
        """
        doc = {**to_record(event), "session": self._session}
        try:
            with self.directory.locked():
                self.directory.append(KILLS, _line(doc))
        except OSError as e:
            self.directory.fail("kills are", e)
            return False
        return True

    def read(self, most: int = 1000) -> list[OomEvent]:
        """Return recorded events, newest first, each once; their ids are negative.

        So they never are those of this run. Lines of others' making are skipped and counted.
        """
        self.skipped = 0
        found: dict[object, OomEvent] = {}
        for name in (KILLS + ".1", KILLS):
            for line in self.directory.read(name).split(b"\n"):
                if line.strip():
                    self._take(line, found)
        events = sorted(found.values(), key=lambda e: e.time, reverse=True)[:most]
        return [e._replace(id=-i) for i, e in enumerate(events, 1)]

    def _take(self, line: bytes, found: dict[object, OomEvent]) -> None:
        try:
            doc = as_doc(json.loads(line[:_LINE]))
            event = from_record(doc)
        except (ValueError, RecursionError):
            self.skipped += 1
            return
        found[str(doc.get("session")), event.id] = event


def _line(doc: Mapping[str, Any]) -> bytes:
    """A document as a line; where it is too long, without what is told least for most bytes."""
    few = {"others": [], "victims": doc["victims"][:_FEW]}
    for less in ({}, {"record": "", "scene": None}, {"record": "", "scene": None, **few}):
        line = json.dumps({**doc, **less}, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) <= _LINE:
            break
    return line
