"""All commands under a limit: a list, and of the chosen one its bar, memory over time, output."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from memtui.model.job import JobView
from memtui.render.course import course_graph
from memtui.render.jobs import detail_lines, jobs_key_at, jobs_keys
from memtui.render.spans import Line, rule
from memtui.render.transcript import KEPT_LINES
from memtui.text import elide
from memtui.tui.running import Running
from memtui.tui.screens.pages import DrawnScreen
from memtui.tui.widgets.joblist import JobList, OutputView
from memtui.tui.widgets.lines import Lines
from memtui.units import duration

_SAID_S = 8.0  # seconds that a message stands in place of the keys
_WIDE = 140  # cells from which graph and output stand side by side


class _Keys(Lines):
    """The bar of keys; a click on one is that key."""

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        screen = cast("JobsScreen", self.screen)
        if screen.hush():
            return
        if action := jobs_key_at(event.x, self.size.width, screen.current is not None):
            screen.call_later(screen.run_action, action)


class JobsScreen(DrawnScreen):
    """Draws what `Running` knows; everything that is done to a command is done there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,J,f10", "leave", "back", id="jobs.leave"),
        Binding("up", "by(-1)", "command above", id="jobs.up"),
        Binding("down", "by(1)", "command below", id="jobs.down"),
        Binding("r", "run", "run a command under a memory limit", id="jobs.run"),
        Binding("R,enter", "again", "run it again, with this limit or another", id="jobs.again"),
        Binding("k,f9", "stop", "stop it: SIGTERM; again: SIGKILL", id="jobs.stop"),
        Binding("z,p", "pause", "pause it / let it go on", id="jobs.pause"),
        Binding("l", "limit", "another limit while it runs", id="jobs.limit"),
        Binding("x,delete", "remove", "take one that has ended from the list", id="jobs.remove"),
        Binding("y", "copy", "copy its output", id="jobs.copy"),
        Binding("s", "save", "keep its output in a file", id="jobs.save"),
        Binding("pageup", "page(-1)", "output: page up", id="jobs.page_up"),
        Binding("pagedown,space", "page(1)", "output: page down", id="jobs.page_down"),
        Binding("home", "go(False)", "output: first line that is kept", id="jobs.top"),
        Binding("end", "go(True)", "output: follow", id="jobs.bottom"),
        Binding("left", "pan(-8)", "output: to the left", id="jobs.left"),
        Binding("right", "pan(8)", "output: to the right", id="jobs.right"),
        Binding("f1,h,question_mark", "help", "help", id="jobs.help"),
    ]  # fmt: skip

    def __init__(self, running: Running) -> None:
        super().__init__(classes="page")
        self._runs = running
        self._list = JobList()
        self._list.earlier = running.earlier
        self._title = Lines(self._title_lines, id="page-title")
        self._detail = Lines(self._detail_lines, id="jobdetail")
        self._course = Lines(self._course_lines, id="course")
        self._output = OutputView(lambda number: running.jobs.output(number, KEPT_LINES))
        self._keys = _Keys(self._key_lines, id="page-keys")
        self._said = "", "", 0.0

    @property
    def current(self) -> JobView | None:
        """The command under the cursor."""
        return self._list.current

    def compose(self) -> ComposeResult:
        """Put the list above what is known of one."""
        yield self._title
        yield self._list
        yield self._detail
        with Container(id="jobbelow"):
            yield self._course
            yield self._output
        yield self._keys

    def on_mount(self) -> None:
        """Take the size at once: the first painting is the right one."""
        self.show_state()

    def show_state(self) -> None:
        """Draw the commands as they stand now."""
        if not self.is_mounted:
            return
        with self.app.batch_update():
            self._list.set_views(self._runs.jobs.views)
            self._arrange()
            for part in (self._title, self._detail, self._course, self._keys):
                part.draw()
            self._output.set_view(self.current)

    def _arrange(self) -> None:
        """Give every part its height; where it is wide, graph and output stand side by side."""
        width, height = self.app.size
        wide = width >= _WIDE
        self.set_class(wide, "-wide")
        count = len(self._list.views)
        self._list.styles.height = 1 + min(count, max(3, height // 4)) if count else "1fr"
        view = self.current
        for part in (self._detail, self._course, self._output):
            part.display = view is not None
        self.query_one("#jobbelow").display = view is not None
        if view is not None:
            self._detail.styles.height = len(detail_lines(view, width))
            self._course.styles.height = "1fr" if wide else max(6, min(14, height // 3))

    # -- drawing

    def _title_lines(self, width: int, _: int) -> list[Line]:
        views = self._list.views
        runs = sum(v.result is None for v in views)
        words = f"  {runs} running, {len(views) - runs} ended" if views else ""
        return [[(" commands under a limit", "accent"), (words, "muted")]]

    def _detail_lines(self, width: int, _: int) -> list[Line]:
        view = self.current
        return detail_lines(view, width) if view else []

    def _course_lines(self, width: int, height: int) -> list[Line]:
        view = self.current
        if view is None:
            return []
        title: Line = [("memory", "bold"), (f", {duration(view.seconds)}", "muted")]
        if view.per_process:
            title = [("memory of the largest process", "bold"), title[1]]
        graph = course_graph(view.course, view.limits, view.seconds, width - 1, height - 1)
        return [rule(title, width, [("┄", "warn"), (" limit", "muted")]), *graph]

    def _key_lines(self, width: int, _: int) -> list[Line]:
        text, role, until = self._said
        if time.monotonic() < until:
            return [[(" " + elide(text, width - 2), role)]]
        return [jobs_keys(width, self.current is not None)]

    def say(self, text: str, role: str = "accent") -> None:
        """Show one sentence in place of the keys for some seconds, or until the next key."""
        self._said = text, role, time.monotonic() + _SAID_S
        self._keys.draw()

    def hush(self) -> bool:
        """Let the keys come back; whether a message stood in their place."""
        said = time.monotonic() < self._said[2]
        self._said = "", "", 0.0
        self._keys.draw()
        return said

    def on_key(self) -> None:
        """Let the keys come back."""
        self.hush()

    def on_job_list_selected(self) -> None:
        """Show the command that the mouse chose."""
        self.show_state()

    # -- actions

    def action_leave(self) -> None:
        """Go back to the main screen."""
        self.dismiss(None)

    def action_by(self, rows: int) -> None:
        """Choose another command."""
        self._list.choose(self._list.cursor + rows)

    def action_run(self) -> None:
        """Run another command."""
        self._runs.ask()

    def _with(self, act: Callable[[JobView], None]) -> None:
        if self.current is not None:
            act(self.current)
            self.show_state()

    def action_again(self) -> None:
        """Run the chosen one again."""
        self._with(self._runs.ask)

    def action_stop(self) -> None:
        """Stop the chosen one."""
        self._with(self._runs.stop)

    def action_pause(self) -> None:
        """Pause the chosen one, or let it go on."""
        self._with(self._runs.pause)

    def action_limit(self) -> None:
        """Give the chosen one another limit."""
        self._with(self._runs.limit)

    def action_remove(self) -> None:
        """Take the chosen one from the list."""
        self._with(self._runs.remove)

    def action_copy(self) -> None:
        """Copy the output of the chosen one."""
        if self.current is not None:
            text = self._runs.text(self.current)
            self.app.copy_to_clipboard(text)
            self.say(f"{text.count(chr(10))} lines sent to the terminal's clipboard (OSC 52)")

    def action_save(self) -> None:
        """Keep the output of the chosen one in a file."""
        self._with(self._runs.save)

    def action_page(self, pages: int) -> None:
        """Scroll the output by pages."""
        self._output.page(pages)

    def action_go(self, down: bool) -> None:
        """Go to the first line of the output, or follow it."""
        self._output.go(down)

    def action_pan(self, cells: int) -> None:
        """Scroll the output sideways."""
        self._output.pan(cells)

    def action_help(self) -> None:
        """Show every key of this screen."""
        from memtui.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.BINDINGS))
