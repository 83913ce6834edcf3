"""The main screen: quota, processes, OOM events, the last two minutes, and the keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from memtui.model.pools import mount_point, why_not
from memtui.model.query import Order
from memtui.model.victims import OomEvent
from memtui.render.events import event_at, events_panel, graph_panel
from memtui.render.frame import (
    MIN_HEIGHT,
    MIN_WIDTH,
    Shown,
    geometry,
    graph_title,
    key_at,
    keys_line,
    title_line,
)
from memtui.render.quota import quota_lines
from memtui.render.spans import Line
from memtui.services.jobs import Jobs
from memtui.text import elide
from memtui.tui.acting import Acting
from memtui.tui.state import State
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.table import ProcessTable

if TYPE_CHECKING:
    from memtui.tui.app import MemtuiApp

_SAID_S = 8.0  # seconds that a message stands in place of the key bar


class KeyBar(Lines):
    """The function-key bar; a click on a label is that key."""

    def on_click(self, event: events.Click) -> None:
        """Do what the label clicked says; a message that stands there is only put away."""
        screen = cast("MainScreen", self.screen)
        if screen.hush():
            return
        if action := key_at(event.x, self.size.width):
            screen.call_later(screen.run_action, action)


class EventsPanel(Lines):
    """The OOM events; a click on one opens its post-mortem, one on the title opens them all."""

    def on_click(self, event: events.Click) -> None:
        """Open what was clicked."""
        screen = cast("MainScreen", self.screen)
        if event.y == 0:
            screen.action_oom()
            return
        state = screen.state
        if found := event_at(state.events, state.snapshot.quota, event.y):
            screen.open_event(found)


class MainScreen(Screen[None]):
    """Everything at one look. Draws the state; computes nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("M", "sort('rss')", "by memory", id="sort.memory"),
        Binding("P", "sort('cpu')", "by CPU", id="sort.cpu"),
        Binding("T", "sort('time')", "by time", id="sort.time"),
        Binding("N", "sort('pid')", "by PID", id="sort.pid"),
        Binding("I,R", "invert", "invert the order", id="sort.invert"),
        Binding(
            "f6,<,>,comma,full_stop", "sort_menu", "choose the column to sort by", id="sort.menu"
        ),
        Binding("up,ctrl+p,alt+k", "move(-1)", "one process up", id="move.up"),
        Binding("down,ctrl+n,alt+j", "move(1)", "one process down", id="move.down"),
        Binding("pageup", "page(-1)", "one page up", id="move.page_up"),
        Binding("pagedown", "page(1)", "one page down", id="move.page_down"),
        Binding("home", "first", "first process", id="move.first"),
        Binding("end", "last", "last process", id="move.last"),
        Binding("left,alt+h", "pan(-8)", "command line to the left", id="move.left"),
        Binding("right,alt+l", "pan(8)", "command line to the right", id="move.right"),
        Binding("space", "tag", "tag the process, move down, refresh at once", id="tag"),
        Binding("U", "untag", "untag all", id="untag"),
        Binding("k,f9", "kill", "send a signal to the process, or to all tagged", id="kill"),
        Binding("r", "run", "run a command under a memory limit", id="run"),
        Binding("j", "toggle_job", "output of the command that runs / graph", id="job"),
        Binding("g", "charts", "charts", id="charts"),
        Binding("o", "oom", "all OOM events, and the post-mortem of each", id="oom"),
        Binding("i", "limits", "every limit, and the file that says so", id="limits"),
        Binding("f2,C,S", "columns", "choose the columns", id="columns"),
        Binding("m", "toggle_pools", "memory of no process: show / hide", id="pools"),
        Binding("B", "toggle_totals", "bottom line with totals: show / hide", id="totals"),
        Binding("enter", "open", "what is in a tmpfs", id="open"),
        Binding("f1,h,question_mark", "help", "help", id="help"),
        Binding("ctrl+l", "redraw", "draw the screen anew", id="redraw"),
        Binding("q,f10", "app.quit", "quit", id="quit"),
    ]

    def __init__(self, state: State, order: Order, jobs: Jobs, shown: Shown | None = None) -> None:
        super().__init__()
        self.state = state
        self.table = ProcessTable(state.snapshot.procs, order, state.view, shown)
        self.table.count = state.snapshot.count
        self.acting = Acting(self, jobs)
        self._title = Lines(self._title_lines, id="title")
        self._quota = Lines(self._quota_lines, id="quota")
        self._events = EventsPanel(self._event_lines, id="events")
        self._graph = Lines(self._graph_lines, id="graph")
        self._keys = KeyBar(self._key_lines, id="keys")
        self._small = Static("", id="small")
        self._said: tuple[str, str, float] | None = None

    @property
    def memtui(self) -> MemtuiApp:
        """The app, by its own type."""
        return cast("MemtuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Lay out the parts; their heights follow the terminal's size."""
        yield self._title
        yield self._quota
        yield self.table
        with Horizontal(id="bottom"):
            yield self._events
            yield self._graph
        yield self._keys
        yield self._small

    def on_mount(self) -> None:
        """Take the terminal's size at once: the first painting is the right one."""
        self._arrange(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        """Give every part its height anew."""
        self._arrange(event.size)

    def _arrange(self, size: Size) -> None:
        width, height = size
        small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(small, "-small")
        if small:
            text = f"memtui needs {MIN_WIDTH}x{MIN_HEIGHT}, this is {width}x{height}"
            self._small.update(Content(text))
            return
        g = geometry(width, height)
        self._quota.styles.height = g.quota
        self.query_one("#bottom").styles.height = g.bottom
        self._events.styles.width = g.left
        self._graph.styles.width = g.right

    def on_screen_resume(self) -> None:
        """Draw what happened while another screen stood before this one."""
        self.show_state()

    # -- drawing

    def show_state(self) -> None:
        """Draw the state; parts that say what they said before cost nothing."""
        if self.app.screen is self and self.is_mounted:
            with self.app.batch_update():
                self.table.jobs = self.acting.job_pids()
                snapshot = self.state.snapshot
                self.table.count = snapshot.count
                self.table.set_procs(snapshot.procs, self.state.view, snapshot.pools)
                self.memtui.sampler.want(self.table.needs, self.table.in_view)
                for part in (self._title, self._quota, self._events, self._graph, self._keys):
                    part.draw()
        self.acting.check()

    def _title_lines(self, width: int, _: int) -> list[Line]:
        state = self.state
        return [title_line(state.snapshot, state.kills, state.earlier_kills, width)]

    def _quota_lines(self, width: int, height: int) -> list[Line]:
        snapshot = self.state.snapshot
        return quota_lines(snapshot.quota, width, height, snapshot.trend)

    def _event_lines(self, width: int, height: int) -> list[Line]:
        state, now = self.state, self.state.snapshot
        return events_panel(state.events, now.quota, state.kills, width, height, now.log)

    def _graph_lines(self, width: int, height: int) -> list[Line]:
        panel = self.acting.job_panel(width, height)
        if panel is not None:
            return panel
        values = self.state.recent.grid(2 * (width - 2))
        return graph_panel(values, self.state.limit, graph_title(), width, height)

    def _key_lines(self, width: int, _: int) -> list[Line]:
        if self._said is not None and time.monotonic() > self._said[2]:
            self._said = None
        if self._said is None:
            return [keys_line(width)]
        text, role, _until = self._said
        return [[(" " + elide(text, width - 2), role)]]

    def say(self, text: str, role: str = "accent") -> None:
        """Show one sentence in place of the key bar for some seconds, or until the next key."""
        self._said = text, role, time.monotonic() + _SAID_S
        if self.is_mounted:
            self._keys.draw()

    def hush(self) -> bool:
        """Let the key bar come back; whether a message stood in its place."""
        said, self._said = self._said, None
        if said is not None:
            self._keys.draw()
        return said is not None

    def on_key(self) -> None:
        """Let the key bar come back."""
        self.hush()

    def close(self) -> None:
        """End what this screen started: commands run under a limit."""
        self.acting.close()

    # -- actions

    def action_sort(self, key: str) -> None:
        """Sort by a column, in its natural direction."""
        self._sort(Order(key))

    def _sort(self, order: Order) -> None:
        self.table.set_order(order)
        self.memtui.sampler.want(self.table.needs, self.table.in_view)

    def on_process_table_header_clicked(self, message: ProcessTable.HeaderClicked) -> None:
        """Sort by the header clicked; again inverts."""
        self._sort(self.table.order.by(message.key))

    def action_invert(self) -> None:
        """Turn the order round."""
        order = self.table.order
        self.table.set_order(order._replace(inverted=not order.inverted))

    def action_sort_menu(self) -> None:
        """Choose the column from a list."""
        from memtui.tui.screens.sort import SortMenu

        def chosen(key: str | None) -> None:
            if key is not None:
                self._sort(Order(key))

        self.app.push_screen(SortMenu(self.table.order), chosen)

    def action_columns(self) -> None:
        """Choose the columns, and save them."""
        from memtui.tui.screens.columns import ColumnsDialog

        def chosen(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                self._show(self.table.shown._replace(columns=keys))
                why = self.memtui.keep_shown()
                self.say(why or "columns saved", "crit" if why else "accent")

        self.app.push_screen(ColumnsDialog(self.table.shown.columns), chosen)

    def on_process_table_header_asked(self) -> None:
        """Choose the columns: a header was clicked with the right button."""
        self.action_columns()

    def _show(self, shown: Shown) -> None:
        self.table.set_shown(shown)
        self.memtui.sampler.want(self.table.needs, self.table.in_view)

    def action_toggle_pools(self) -> None:
        """Show or hide the rows for memory that belongs to no process."""
        shown = self.table.shown
        self._show(shown._replace(pools=not shown.pools))
        self.say(f"memory of no process is {'hidden' if shown.pools else 'shown'}")

    def action_toggle_totals(self) -> None:
        """Show or hide the line of totals."""
        shown, height = self.table.shown, self.app.size.height
        self._show(shown._replace(totals=not shown.has_totals(height)))
        if not shown.has_totals(height) and not self.table.shown.has_totals(height):
            self.say("there is no room for totals: the screen is too low", "warn")

    def action_open(self) -> None:
        """Show what is in the tmpfs under the cursor."""
        pool = self.table.pool
        if pool is None:
            return
        point = mount_point(pool)
        if point is None:
            self.say(why_not(pool))
            return
        from memtui.tui.screens.tmpfs import TmpfsScreen

        self.app.push_screen(TmpfsScreen(point))

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.move(rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.table.move(pages * self.table.page)

    def action_first(self) -> None:
        """Go to the first process."""
        self.table.move_to(0)

    def action_last(self) -> None:
        """Go to the last process."""
        self.table.move_to(len(self.table.rows))

    def action_pan(self, cells: int) -> None:
        """Scroll the command lines sideways."""
        self.table.pan(cells)

    def action_tag(self) -> None:
        """Tag the process, move down, and sample at once."""
        if self.table.pool is not None:
            self.say(f"not tagged: {why_not(self.table.pool)}", "warn")
        self.table.tag()
        self.memtui.sampler.refresh()

    def action_untag(self) -> None:
        """Untag all."""
        self.table.tagged.clear()
        self.table.draw()

    def action_redraw(self) -> None:
        """Draw everything anew and sample at once."""
        self.refresh(layout=True)
        self.memtui.sampler.refresh()

    def action_kill(self) -> None:
        """Open the dialog that sends a signal."""
        if self.table.pool is not None and not self.table.tagged:
            self.say(f"nothing to send a signal to: {why_not(self.table.pool)}", "warn")
            return
        self.acting.kill()

    def action_run(self) -> None:
        """Open the dialog that runs a command under a limit."""
        self.acting.run()

    def action_toggle_job(self) -> None:
        """Show the graph in place of the command's output, or the reverse."""
        self.acting.toggle_panel()

    def action_charts(self) -> None:
        """Open the charts; plotext is imported only now."""
        from memtui.tui.screens.charts import ChartsScreen

        self.app.push_screen(ChartsScreen(self.state))

    def action_oom(self) -> None:
        """List the OOM events."""
        from memtui.tui.screens.oom import OomScreen

        self.app.push_screen(OomScreen(self.state))

    def open_event(self, event: OomEvent) -> None:
        """Show the post-mortem of an event."""
        from memtui.tui.screens.oom import PostmortemScreen

        self.app.push_screen(PostmortemScreen(self.state, event))

    def action_limits(self) -> None:
        """Show every level's limit and the file it comes from."""
        from memtui.tui.screens.pages import LimitsScreen

        self.app.push_screen(LimitsScreen(self.state))

    def action_help(self) -> None:
        """Show every key and column."""
        from memtui.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen([*self.BINDINGS, *self.app.BINDINGS]))
