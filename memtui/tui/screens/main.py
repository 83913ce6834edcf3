"""The main screen: quota, processes, OOM events, the last two minutes, and the keys."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from memtui.model.listing import Narrowing
from memtui.model.pools import mount_point, why_not
from memtui.model.query import Order
from memtui.model.scopes import CGROUPS, SUMMED
from memtui.model.victims import OomEvent
from memtui.render.events import events_panel, graph_panel
from memtui.render.frame import (
    MIN_HEIGHT,
    MIN_WIDTH,
    Shown,
    geometry,
    graph_title,
    keys_line,
    title_line,
)
from memtui.render.quota import quota_lines
from memtui.render.spans import Line
from memtui.render.tabs import scopes_line
from memtui.services.jobs import Jobs
from memtui.text import elide
from memtui.tui.acting import Acting
from memtui.tui.advising import Advising
from memtui.tui.detailing import Detailing
from memtui.tui.jobbed import Jobbed
from memtui.tui.keys import MAIN
from memtui.tui.limiting import Limiting
from memtui.tui.running import Running
from memtui.tui.state import State
from memtui.tui.widgets.bars import EventsPanel, GraphPanel, KeyBar, ScopeLine
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.table import ProcessTable

_SAID_S = 8.0  # seconds that a message stands in place of the key bar


class MainScreen(Jobbed):
    """Everything at one look. Draws the state; computes nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = MAIN

    def __init__(
        self,
        state: State,
        order: Order,
        jobs: Jobs,
        shown: Shown | None = None,
        narrowing: Narrowing = Narrowing(),  # noqa: B008 - immutable
    ) -> None:
        super().__init__(state, order, shown, narrowing)
        self.acting = Acting(self)
        self.limiting = Limiting(self)
        self.running = Running(self, jobs)
        self.detailing = Detailing(self)
        self.advising = Advising(self)
        self._title = Lines(self._title_lines, id="title")
        self._quota = Lines(self._quota_lines, id="quota")
        self._scopes = ScopeLine(self._scope_lines, id="scopes")
        self._events = EventsPanel(self._event_lines, id="events")
        self._graph = GraphPanel(self._graph_lines, id="graph")
        self._keys = KeyBar(self._key_lines, id="keys")
        self._small = Static("", id="small")
        self._said: tuple[str, str, float] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the parts; their heights follow the terminal's size."""
        yield self._title
        yield self._quota
        yield self._scopes
        with Horizontal(id="middle"):
            yield self.table
            yield self.groups
            yield self.detailing.panel
        with Horizontal(id="bottom"):
            yield self._events
            yield self._graph
        yield self._keys
        yield self.prompt
        yield self._small

    def on_mount(self) -> None:
        """Take the terminal's size at once: the first painting is the right one."""
        self.place_parts()

    def on_resize(self) -> None:
        """Give every part its height anew."""
        self.place_parts()

    def place_parts(self) -> None:
        """Give every part its size, or say that there is no room."""
        width, height = self.app.size
        small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(small, "-small")
        if small:
            text = f"memtui needs {MIN_WIDTH}x{MIN_HEIGHT}, this is {width}x{height}"
            self._small.update(Content(text))
            return
        g = geometry(width, height, self.table.shown)
        self._quota.styles.height = g.quota
        self._scopes.styles.height = g.scopes
        self.query_one("#bottom").styles.height = g.bottom
        self._events.styles.width = g.left
        self._graph.styles.width = g.right
        self.arrange_details()

    def on_screen_resume(self) -> None:
        """Draw what happened while another screen stood before this one."""
        self.show_state()

    # -- drawing

    def show_state(self) -> None:
        """Draw the state; parts that say what they said before cost nothing."""
        if self.app.screen is self and self.is_mounted:
            with self.app.batch_update():
                self.table.jobs = self.running.look()
                self.show_rows()
                self._quota.draw()
                if not self.paused:
                    self._graph.draw()
                for part in (self._title, self._scopes, self._events, self._keys):
                    part.draw()
        self.acting.check()
        self.detailing.tick()

    def _title_lines(self, width: int, _: int) -> list[Line]:
        state = self.state
        words = [] if geometry(*self.app.size).scopes else self.words()
        return [title_line(self.snapshot, state.kills, state.earlier_kills, width, words)]

    def _scope_lines(self, width: int, _: int) -> list[Line]:
        return [scopes_line(self.there, self.scope, self.words(), width)]

    def show_words(self) -> None:
        """Draw what names the scope and what narrows it."""
        self._scopes.draw()
        self._title.draw()

    def _quota_lines(self, width: int, height: int) -> list[Line]:
        snapshot = self.snapshot
        return quota_lines(snapshot.quota, width, height, snapshot.trend)

    def _event_lines(self, width: int, height: int) -> list[Line]:
        state, now = self.state, self.state.snapshot
        return events_panel(state.events, now.quota, state.kills, width, height, now.log)

    def _graph_lines(self, width: int, height: int) -> list[Line]:
        panel = self.running.panel(width, height)
        if panel is not None:
            return panel
        values = self.state.recent.grid(2 * (width - 2))
        return graph_panel(values, self.state.limit, graph_title(), width, height)

    def _key_lines(self, width: int, _: int) -> list[Line]:
        return [self.said_line(width) or keys_line(width)]

    def said_line(self, width: int) -> Line | None:
        """Return the sentence that stands in place of the key bar, while one does."""
        if self._said is None or time.monotonic() > self._said[2]:
            self._said = None
            return None
        text, role, _until = self._said
        return [(" " + elide(text, width - 2), role)]

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

    def on_key(self, event: events.Key) -> None:
        """Let the key bar come back; take what is typed."""
        self.hush()
        if self.typed(event):
            event.stop()
            event.prevent_default()

    def close(self) -> None:
        """End what this screen started: commands run under a limit."""
        self.running.close()
        self.acting.close()
        self.detailing.close()

    # -- actions

    def action_sort(self, key: str) -> None:
        """Sort by a column, in its natural direction."""
        if self.scope in SUMMED:
            keys = {"rss": "usage" if self.scope == CGROUPS else "rss", "pid": "name"}
            if not self.groups.sort_by(keys.get(key, key)):
                self.say("there is no such column here")
            return
        self._sort(Order(key))

    def _sort(self, order: Order) -> None:
        self.table.set_order(order)
        self.want()

    def on_process_table_header_clicked(self, message: ProcessTable.HeaderClicked) -> None:
        """Sort by the header clicked; again inverts."""
        self._sort(self.table.order.by(message.key))

    def action_invert(self) -> None:
        """Turn the order round."""
        if self.scope in SUMMED:
            self.groups.invert()
            return
        order = self.table.order
        self.table.set_order(order._replace(inverted=not order.inverted))

    def action_sort_menu(self) -> None:
        """Choose the column from a list; of sums, sort by the next one."""
        if self.scope in SUMMED:
            self.say(f"sorted by {self.groups.sort_next()}")
            return
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
                self.show_as(self.table.shown._replace(columns=keys))
                why = self.memtui.keep_shown()
                self.say(why or "columns saved", "crit" if why else "accent")

        self.app.push_screen(ColumnsDialog(self.table.shown.columns), chosen)

    def on_process_table_header_asked(self) -> None:
        """Choose the columns: a header was clicked with the right button."""
        self.action_columns()

    def on_process_table_opened(self) -> None:
        """Show the details of the row that was clicked twice."""
        self.action_open()

    def action_toggle_pools(self) -> None:
        """Show or hide the rows for memory that belongs to no process."""
        shown = self.table.shown
        self.show_as(shown._replace(pools=not shown.pools))
        self.say(f"memory of no process is {'hidden' if shown.pools else 'shown'}")

    def action_toggle_totals(self) -> None:
        """Show or hide the line of totals."""
        shown, height = self.table.shown, self.app.size.height
        self.show_as(shown._replace(totals=not shown.has_totals(height)))
        if not shown.has_totals(height) and not self.table.shown.has_totals(height):
            self.say("there is no room for totals: the screen is too low", "warn")

    def action_open(self) -> None:
        """Show what is below a row: details of a process, those of a sum, files of a tmpfs."""
        if self.scope in SUMMED:
            self.open_group()
            return
        pool = self.table.pool
        if pool is None:
            self.memtui.sampler.refresh()
            self.detailing.open()
            return
        point = mount_point(pool)
        if point is None:
            self.say(why_not(pool))
            return
        from memtui.tui.screens.tmpfs import TmpfsScreen

        self.app.push_screen(TmpfsScreen(point))

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.rows_shown.move(rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.rows_shown.move(pages * self.rows_shown.page)

    def action_first(self) -> None:
        """Go to the first process, and stay with whoever is the first."""
        self.rows_shown.rest()

    def action_last(self) -> None:
        """Go to the last process."""
        self.rows_shown.move_to(self.rows_shown.length)

    def action_pan(self, cells: int) -> None:
        """Scroll the command lines sideways."""
        self.table.pan(cells)

    def action_pan_to_end(self) -> None:
        """Scroll so that the end of the longest command line in view is seen."""
        self.table.pan_to_end()

    def action_roll(self, rows: int) -> None:
        """Scroll; the cursor stays on its process."""
        self.rows_shown.roll(rows)

    def action_tag(self) -> None:
        """Tag the process, move down, and sample at once."""
        if self.no_process():
            return
        if self.scope in SUMMED and self.here is not None:
            self.table.tagged ^= {self.here.identity}
            self.groups.move(1)
            self.groups.draw()
            self.show_words()
            self.memtui.sampler.refresh()
            return
        if self.table.thread is not None:
            self.say("not tagged: it is a thread, signals go to processes", "warn")
        if self.table.pool is not None:
            self.say(f"not tagged: {why_not(self.table.pool)}", "warn")
        self.table.tag()
        self.show_words()
        self.memtui.sampler.refresh()

    def action_tag_family(self) -> None:
        """Tag the process and everybody below it."""
        if not self.no_process() and (number := self.table.tag_family()):
            self.show_words()
            self.say(f"tagged with all below it: {number}")

    def action_untag(self) -> None:
        """Untag all."""
        self.table.tagged.clear()
        self.rows_shown.draw()
        self.show_words()

    def action_redraw(self) -> None:
        """Draw everything anew and sample at once."""
        self.refresh(layout=True)
        self.memtui.sampler.refresh()

    def action_kill(self) -> None:
        """Open the dialog that sends a signal."""
        if self.table.tagged or (self.scope in SUMMED and not self.no_process()):
            self.acting.kill()
        elif self.scope in SUMMED:
            return
        elif (thread := self.table.thread) is not None:
            self.say(f"{thread.pid} is a thread of {thread.ppid}: signals go to processes", "warn")
        elif self.table.pool is not None:
            self.say(f"nothing to send a signal to: {why_not(self.table.pool)}", "warn")
        else:
            self.acting.kill()

    def action_limit(self) -> None:
        """Open the dialog that limits the process under the cursor."""
        if self.no_process():
            return
        if self.table.thread is not None or self.here is None:
            self.say("a limit is for a process: choose one first", "warn")
            return
        self.limiting.ask(self.here)

    def action_adjust(self, by: int) -> None:
        """Let the OOM killer take the process later (-1) or sooner (1): oom_score_adj."""
        self.acting.adjust(by)

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

    def action_explain(self) -> None:
        """Say how memory stands, and what to do about it."""
        self.advising.open()

    def action_limits(self) -> None:
        """Show every level's limit and the file it comes from."""
        from memtui.tui.screens.pages import LimitsScreen

        self.app.push_screen(LimitsScreen(self.state))

    def action_help(self) -> None:
        """Show every key and column."""
        from memtui.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen([*self.BINDINGS, *self.app.BINDINGS]))
