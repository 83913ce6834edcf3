"""What of the main screen decides which rows are shown: scopes, and what narrows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from textual.screen import Screen

from memtui.model.fields import needs
from memtui.model.filter import ALL as EVERYBODY
from memtui.model.filter import parse_filter
from memtui.model.groups import Group, by_cgroup, by_notebook, by_program, by_user, idle_kernels
from memtui.model.listing import Narrowing
from memtui.model.query import Order
from memtui.model.scopes import (
    ALL,
    CGROUPS,
    MINE,
    NOTEBOOKS,
    PROGRAMS,
    SUMMED,
    TITLES,
    USERS,
    my_cgroup,
    scopes,
)
from memtui.model.snapshot import Proc, Snapshot
from memtui.render.frame import Shown, narrow_words
from memtui.render.rows import View
from memtui.text import elide_left
from memtui.tui.state import State
from memtui.tui.widgets.groups import GroupTable
from memtui.tui.widgets.table import ProcessTable
from memtui.units import size

if TYPE_CHECKING:
    from memtui.tui.app import MemtuiApp


class Came(NamedTuple):
    """From where Enter led to processes: Esc leads back."""

    scope: str
    narrowing: Narrowing


class Listed(Screen[None]):
    """The tables of the main screen, and which rows are in them."""

    def __init__(
        self, state: State, order: Order, shown: Shown | None, narrowing: Narrowing
    ) -> None:
        super().__init__()
        self.state = state
        self.table = ProcessTable(state.snapshot.procs, order, state.view, shown, narrowing)
        self.table.count = state.snapshot.count
        self.groups = GroupTable()
        self.groups.tagged = self.table.tagged  # one set, changed in place
        self.scope = ALL
        self.there: tuple[str, ...] = (ALL,)  # the scopes that show something of their own
        self.frozen: tuple[Snapshot, View, str] | None = None
        self._came: Came | None = None

    @property
    def memtui(self) -> MemtuiApp:
        """The app, by its own type."""
        return cast("MemtuiApp", self.app)

    def say(self, text: str, role: str = "accent") -> None:
        """Show one sentence."""
        raise NotImplementedError

    def show_state(self) -> None:
        """Draw the state."""
        raise NotImplementedError

    # -- what is shown

    @property
    def rows_shown(self) -> ProcessTable | GroupTable:
        """The table that is on the screen."""
        return self.groups if self.scope in SUMMED else self.table

    @property
    def paused(self) -> bool:
        """Whether the display stands still."""
        return self.frozen is not None

    @property
    def snapshot(self) -> Snapshot:
        """The sample that is shown: the newest, or that of the pause."""
        return self.frozen[0] if self.frozen else self.state.snapshot

    def show_rows(self) -> None:
        """Give the newest sample to the tables."""
        snapshot = self.snapshot
        view = self.frozen[1] if self.frozen else self.state.view
        self.there = scopes(snapshot.procs, snapshot.quota, self.scope)
        if self.scope not in self.there:
            self._enter(ALL)
        self.table.count = snapshot.count
        tasks = self.memtui.threads.found
        self.table.set_procs(snapshot.procs, view, snapshot.pools, tasks)
        if self.scope in SUMMED:
            found = self._groups(snapshot.procs, view.level)
            self.groups.set_groups(self.scope, found, view.limit)
        self.want()

    def _groups(self, procs: list[Proc], level: str | None) -> list[Group]:
        if not self.table.shown.kernel:
            procs = [p for p in procs if not p.kernel_thread]
        if self.scope == NOTEBOOKS:
            return by_notebook(procs, self.snapshot.time, level)
        if self.scope == USERS:
            return by_user(procs, level)
        if self.scope == PROGRAMS:
            return by_program(procs, level)
        return by_cgroup(procs, self.memtui.cgroups.found)

    def want(self) -> None:
        """Tell the sampler what is to be read."""
        if self.scope in SUMMED:
            self.memtui.sampler.want(needs(("pss", "uss", "swap")) if self.scope != CGROUPS else 0)
        else:
            self.memtui.sampler.want(self.table.needs, self.table.in_view)

    def words(self) -> list[str]:
        """What narrows the table, and what else is not as usual, in words."""
        table, found = self.table, []
        narrowing = table.narrowing
        if self.frozen:
            found.append(self.frozen[2])
        if self.scope not in SUMMED:
            count = self.snapshot.count
            if narrowing.filter.text:
                found += narrow_words(narrowing.filter.text, table.matched, count)
            if narrowing.user is not None:
                found.append(f"user {narrowing.user}")
            if narrowing.cgroup is not None:
                found.append(elide_left(narrowing.cgroup, 32))
            if narrowing.narrows and not narrowing.filter.text:
                found.append(f"{table.matched} of {count}")
            found += ["threads"] * self.memtui.threads.wanted
            if table.shown.unit:
                found.append(f"sizes in {table.shown.unit}iB")
            if table.following and table.current is not None:
                found.append(f"following {table.current.pid}")
        if table.tagged:
            found.append(f"{len(table.tagged)} tagged")
        return found

    def narrow(self, narrowing: Narrowing) -> None:
        """Show only those processes from now on."""
        self.table.narrow(narrowing)
        self.want()
        self.show_words()

    def show_words(self) -> None:
        """Draw what names the scope and what narrows it."""
        raise NotImplementedError

    def show_as(self, shown: Shown) -> None:
        """Show these columns, a tree or a list, from now on."""
        self.table.set_shown(shown)
        self.want()
        self.show_words()

    def no_process(self) -> bool:
        """Whether no process is under the cursor because sums are shown; then say so.

        A notebook stands for its kernel.
        """
        none = self.scope in SUMMED and self.here is None
        if none:
            self.say("choose a process first: Enter shows those of the row", "warn")
        return none

    @property
    def here(self) -> Proc | None:
        """The process under the cursor; of a notebook its kernel."""
        return self.groups.kernel if self.scope in SUMMED else self.table.current

    def action_tag_idle(self) -> None:
        """Tag every kernel shown that has done nothing for so long; the kill key halts them."""
        minutes = self.memtui.kept.idle_minutes
        procs = self.snapshot.procs if self.scope in SUMMED else self.table.listed
        found = idle_kernels(procs, minutes, self.snapshot.time)
        kernels = sum(p.who is not None and p.who.is_kernel for p in procs)
        if not found:
            none = f"none of {kernels} kernels is" if kernels else "no kernel is here that is"
            self.say(f"{none} known to be idle for {minutes:g} min", "warn")
            return
        self.table.tagged |= {p.identity for p in found}
        roots = {p.identity for p in found}
        held = sum(p.rss for p in procs if p.who is not None and p.who.root in roots)
        self.table.draw()
        self.groups.draw()
        self.show_words()
        which = "kernel" if len(found) == 1 else "kernels"
        self.say(
            f"tagged {len(found)} of {kernels} {which}, idle for {minutes:g} min or longer, "
            f"RES {size(held)}; k halts them, U untags"
        )

    # -- scopes

    def action_scope(self, step: int) -> None:
        """Show the next scope, or the one before."""
        at = self.there.index(self.scope) if self.scope in self.there else 0
        self.go_scope(self.there[(at + step) % len(self.there)])

    def go_scope(self, scope: str) -> None:
        """Show a scope."""
        self._came = None
        self._enter(scope)
        self.show_state()
        if scope == CGROUPS:
            self.memtui.sampler.refresh()

    def _enter(self, scope: str) -> None:
        self.scope = scope
        self.memtui.cgroups.wanted = scope == CGROUPS
        self.set_class(scope in SUMMED, "-sums")
        group = my_cgroup(self.snapshot.quota) if scope == MINE else None
        self.table.narrow(self.table.narrowing._replace(cgroup=group))

    def on_group_table_chosen(self) -> None:
        """Show the processes of the group that was double-clicked."""
        self.open_group()

    def open_group(self) -> None:
        """Show the processes of the group under the cursor; Esc leads back."""
        group = self.groups.current
        if group is None:
            return
        came = Came(self.scope, self.table.narrowing)
        self._enter(ALL)
        kernel = self.table.shown.kernel
        self.table.narrow(Narrowing(parse_filter(group.filter), kernel=kernel))
        self.table.rest()
        self._came = came
        self.show_state()
        self.say(f"Esc leads back to {TITLES[came.scope]}")

    def action_back(self) -> None:
        """Go back where Enter led from; else end following, filter and user."""
        if self.table.following:
            self.table.following = False
            self.show_words()
        elif self._came is not None:
            came, self._came = self._came, None
            self._enter(came.scope)
            self.table.narrow(came.narrowing)
            self.show_state()
        elif self.scope in SUMMED:
            self.go_scope(ALL)
        else:
            self.widen()

    def widen(self) -> None:
        """Show everybody again: no filter, no user."""
        self._came = None
        narrowing = self.table.narrowing
        self.narrow(narrowing._replace(filter=EVERYBODY, user=None))
