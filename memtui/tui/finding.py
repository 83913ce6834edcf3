"""How the main screen shows processes: tree, users, threads, following, pause, units."""

from __future__ import annotations

import time

from memtui.model.groups import by_user
from memtui.model.scopes import CGROUPS, SUMMED
from memtui.tui.asking import Asking
from memtui.tui.keys import ABSENT

_UNITS = {"": "K", "K": "M", "M": "G", "G": ""}


class Finding(Asking):
    """The keys that change how processes are shown."""

    # -- the tree

    def action_tree(self) -> None:
        """Show the tree, or the list."""
        if self.no_process():
            return
        shown = self.table.shown
        self.show_as(shown._replace(tree=not shown.tree))

    def action_fold(self, closed: bool | None = None) -> None:
        """Fold or unfold what is below the cursor."""
        if self.scope == CGROUPS:
            self.groups.fold(closed)
        elif self.table.shown.tree and self.scope not in SUMMED:
            self.table.fold(closed)
        elif closed is False:
            self.widen()
        else:
            self.say("there is no tree here: F5 shows one")

    def action_fold_all(self) -> None:
        """Fold or unfold everything."""
        if self.scope == CGROUPS:
            self.groups.fold_all()
        elif self.table.shown.tree and self.scope not in SUMMED:
            self.table.fold_all()
        else:
            self.say("there is no tree here: F5 shows one")

    def action_fold_parent(self) -> None:
        """Fold the parent of the process under the cursor, and go there."""
        if self.table.shown.tree and self.scope not in SUMMED:
            self.table.fold_parent()

    # -- users, threads, kernel threads, following, pause

    def action_users(self) -> None:
        """Choose whose processes are shown."""
        if self.no_process():
            return
        from memtui.tui.screens.users import UsersMenu

        def chosen(user: str | None) -> None:
            if user is not None:
                self.narrow(self.table.narrowing._replace(user=user or None))

        procs, now = self.snapshot.procs, self.table.narrowing.user
        self.app.push_screen(UsersMenu(by_user(procs), now), chosen)

    def action_threads(self) -> None:
        """Show the threads of processes, or hide them."""
        threads = self.memtui.threads
        threads.wanted = not threads.wanted
        self.memtui.sampler.refresh()
        if threads.wanted:
            self.say("threads stand in {} beside their process; signals go to processes")
        else:
            self.say("threads are hidden")

    def action_kernel(self) -> None:
        """Show kernel threads, or hide them."""
        shown = self.table.shown
        self.show_as(shown._replace(kernel=not shown.kernel))
        count = sum(p.kernel_thread for p in self.snapshot.procs)
        self.say(f"kernel threads are {'hidden' if shown.kernel else 'shown'}: {count}")

    def action_follow(self) -> None:
        """Keep the process in view through every scroll and sort, until it ends or F again."""
        if self.no_process() or self.table.current is None:
            return
        self.table.following = not self.table.following
        self.table.at_rest = False
        self.table.settle()
        self.show_words()

    def action_pause(self) -> None:
        """Let the display stand still, or go on; samples are taken and recorded all the same."""
        if self.frozen is None:
            snapshot = self.state.snapshot
            clock = time.strftime("%H:%M:%S", time.localtime(snapshot.time))
            self.frozen = snapshot, self.state.view, f"PAUSED {clock}"
        else:
            self.frozen = None
        self.show_state()

    # -- how it is shown

    def action_paths(self) -> None:
        """Leave out programs' directories; then show command lines in place of names; then all."""
        shown = self.table.shown
        if shown.names and shown.paths:
            self.show_as(shown._replace(paths=False))
            self.say("programs are shown without their directories")
        elif shown.names:
            self.show_as(shown._replace(names=False, paths=True))
            self.say("command lines are shown, of notebooks and the like too")
        else:
            self.show_as(shown._replace(names=True, paths=True))
            self.say("names are shown where there are some, else command lines")

    def action_units(self) -> None:
        """Write all sizes in one unit, the next one each time."""
        shown = self.table.shown
        self.show_as(shown._replace(unit=_UNITS[shown.unit]))
        unit = self.table.shown.unit
        self.say(f"sizes in {unit}iB" if unit else "sizes in the unit that fits each")

    def action_wrapped(self) -> None:
        """Show the whole command line of the process under the cursor."""
        row = self.table.current or self.table.thread
        if self.no_process() or row is None:
            return
        from memtui.tui.screens.command import CommandScreen

        self.app.push_screen(CommandScreen(row))

    def action_absent(self, number: int) -> None:
        """Say why a key of htop's or top's does nothing here."""
        self.say(ABSENT[number][1])

    def action_tell_narrowing(self) -> None:
        """Say what narrows the table."""
        self.say("; ".join(self.words()) or "nothing narrows the table: all processes are shown")
