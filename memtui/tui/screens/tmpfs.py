"""What is in a tmpfs: its biggest files, which are memory until they are deleted, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from memtui.model.advice.terms import File
from memtui.render.spans import Line, fitted
from memtui.services.bigfiles import Listing, biggest
from memtui.services.deleting import delete
from memtui.services.evidence import as_file, holders_of
from memtui.text import cells, elide, elide_left, fit, safe
from memtui.tui.screens.confirm import ConfirmScreen
from memtui.tui.screens.pages import DrawnScreen, keys_of
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.scrolling import Scrolling
from memtui.units import duration, size

if TYPE_CHECKING:
    from memtui.tui.app import MemtuiApp

_FILES = 200
_SAID_S = 8.0  # seconds that a message stands in place of the keys
_HELD = 24  # cells of who has a file open
_HEAD = f" {'SIZE':>6}  {'USER':<10} {'CHANGED':>8}  {'OPEN IN':<{_HELD}}  FILE"


class Files(Scrolling):
    """Files, the biggest first, with a cursor."""

    class Opened(Message):
        """A row was clicked twice."""

    def __init__(self) -> None:
        super().__init__(id="files")
        self.files: list[File] = []
        self._now = 0.0

    @property
    def current(self) -> File | None:
        """The file under the cursor."""
        return self.files[self.cursor] if self.files else None

    @property
    def length(self) -> int:
        """How many files there are."""
        return len(self.files)

    def set_files(self, files: list[File], now: float) -> None:
        """Show these; the cursor stays on its file where that is still there."""
        held = self.current
        self.files, self._now = files, now
        nodes = [(f.device, f.inode) for f in files]
        if held is not None and (held.device, held.inode) in nodes:
            self.cursor = nodes.index((held.device, held.inode))
        self.settle()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the visible files."""
        if not self.files:
            return [], None
        shown = self.files[self.top : self.top + self.page]
        lines: list[Line] = [[(fit(_HEAD, width), "head")]]
        lines += [_row(f, width, self._now) for f in shown]
        return lines, self.cursor - self.top + 1

    def on_click(self, event: events.Click) -> None:
        """Select the file clicked; a double click asks whether to delete it."""
        at = self.top + event.y - 1
        if event.y > 0 and at < len(self.files):
            self.move_to(at)
            if event.chain > 1:
                self.post_message(self.Opened())


class TmpfsScreen(DrawnScreen):
    """The biggest files below a mount point, looked for off the UI thread."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f10", "leave", "leave", id="tmpfs.leave"),
        Binding("f5,r", "look", "look again", id="tmpfs.look"),
        Binding("up,k", "by(-1)", "up", id="tmpfs.up"),
        Binding("down,j", "by(1)", "down", id="tmpfs.down"),
        Binding("pageup", "by_page(-1)", "page up", id="tmpfs.page_up"),
        Binding("pagedown,space", "by_page(1)", "page down", id="tmpfs.page_down"),
        Binding("home", "go(0)", "first", id="tmpfs.first"),
        Binding("end", "go(1000000)", "last", id="tmpfs.last"),
        Binding("delete,d,f8", "delete", "delete this file; asks first", id="tmpfs.delete"),
    ]

    def __init__(self, point: str) -> None:
        super().__init__(classes="page")
        self._point = point
        self._found: Listing | None = None
        self._title = Lines(id="page-title")
        self._head = Lines(self._head_lines, id="tmpfs-head")
        self._files = Files()
        self._keys = Lines(id="page-keys")
        self._said = "", "", 0.0

    @property
    def memtui(self) -> MemtuiApp:
        """The app, by its own type."""
        return cast("MemtuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Put the files between a title and the keys."""
        yield self._title
        yield self._head
        yield self._files
        yield self._keys

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_look()

    def action_look(self) -> None:
        """Look again."""
        self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        found = biggest(self._point, _FILES)
        self.app.call_from_thread(self._show, found, [as_file(f) for f in found.files])
        procs, roots = self.memtui.state.snapshot.procs, self.memtui.sampler.roots
        holders, _, _, _ = holders_of(roots, procs, [self._point], mapped=False)
        files = [as_file(f, holders) for f in found.files]
        self.app.call_from_thread(self._show, found, files)

    def _show(self, found: Listing, files: list[File]) -> None:
        self._found = found
        if self.is_mounted:
            self._files.set_files(files, time.time())
            self.show_state()

    def show_state(self) -> None:
        """Draw everything but the files."""
        if not self.is_mounted or self.app.screen is not self:
            return
        self._title.show([[(" Files in memory", "accent")]])
        self._head.draw()
        self._files.draw()
        said, role, until = self._said
        if time.monotonic() < until:
            self._keys.show([fitted([(" " + said, role)], self.size.width)])
            return
        keys = [("Esc", "back"), ("↑ ↓", "select")]
        keys += [("d", "delete (asks first)")] if self._files.files else []
        self._keys.show([keys_of([*keys, ("F5", "look again")], self.size.width)])

    def _head_lines(self, width: int, _: int) -> list[Line]:
        where: Line = [(" tmpfs ", "muted"), (safe(self._point), "bold")]
        words = "looking…" if self._found is None else _summary(self._found)
        return [where, [(" " + elide(words, width - 2), "muted")]]

    # -- actions

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_by(self, rows: int) -> None:
        """Move the cursor."""
        self._files.move(rows)

    def action_by_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.action_by(pages * self._files.page)

    def action_go(self, index: int) -> None:
        """Go to the first, or the last."""
        self._files.move_to(index)

    def on_files_opened(self) -> None:
        """Ask whether to delete the file that was clicked twice."""
        self.action_delete()

    def action_delete(self) -> None:
        """Ask whether to delete the file under the cursor, and no other."""
        file = self._files.current
        if file is None:
            return
        ask_delete(self.memtui, file, self._deleted)

    def _deleted(self, text: str, role: str) -> None:
        self._say(text, role)
        self.action_look()

    def _say(self, text: str, role: str) -> None:
        self._said = text, role, time.monotonic() + _SAID_S
        self.show_state()

    def on_key(self) -> None:
        """Let the keys come back."""
        self._said = "", "", 0.0
        self.call_after_refresh(self.show_state)


def ask_delete(memtui: MemtuiApp, file: File, tell: Callable[[str, str], None]) -> None:
    """Ask whether to delete a file in memory, and do so; `tell` gets the outcome and its role."""
    forbidden = memtui.actions.forbidden("nothing is deleted")
    if forbidden is not None:
        tell(forbidden.text, "warn")
        return

    def answered(yes: bool | None) -> None:
        if yes:
            outcome = delete(memtui.actions, file)
            memtui.sampler.refresh()
            tell(outcome.text, "accent" if outcome.sent else "crit")

    memtui.push_screen(ConfirmScreen("Delete", _question(file), "delete it"), answered)


def _question(file: File) -> str:
    """Return the question before a file is deleted; safe to display."""
    held = f"\nOpen in {', '.join(map(safe, file.holders[:3]))}." if file.holders else ""
    return f"Delete {elide_left(safe(file.path), 200)}?\n{size(file.bytes)}, of {file.user}.{held}"


def _summary(found: Listing) -> str:
    noun = "file takes" if found.seen == 1 else "files take"
    words = f"{found.seen} {noun} {size(found.total)}"
    if not found.whole:
        words += ", and there are more than were looked at"
    if found.unreadable:
        words += f"; {found.unreadable} directories are not readable for you"
    return words + "; deleted files that are still open have no name here"


def _row(file: File, width: int, now: float) -> Line:
    left = f" {size(file.bytes):>6}  {fit(file.user, 10)} "
    left += f"{duration(max(0.0, now - file.modified)):>8}  "
    more = f" +{len(file.holders) - 1}" if len(file.holders) > 1 else ""
    held = safe(file.holders[0]) + more if file.holders else "·"
    mid = f"{fit(held, _HELD)}  "
    room = max(8, width - cells(left) - cells(mid))
    return [
        (left, ""),
        (mid, "" if file.holders else "muted"),
        (elide_left(safe(file.path), room), "bold"),
    ]
