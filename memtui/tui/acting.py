"""What the main screen does to processes: signals and their outcome, oom_score_adj."""

from __future__ import annotations

from collections.abc import Sequence
from signal import SIGKILL, SIGTERM
from threading import Thread
from typing import TYPE_CHECKING

from memtui.model.snapshot import Proc
from memtui.services.kernels import INTERRUPT, Chosen, Kernels, KernelWatch, act, meant
from memtui.services.killtree import Sent, now_ticks, send_all, send_tree
from memtui.services.signals import name_of
from memtui.services.target import Outcome, Target, named
from memtui.tui.following import Following
from memtui.tui.screens.kill import KillDialog, Signal

if TYPE_CHECKING:
    from memtui.services.adjust import Adjuster
    from memtui.tui.screens.main import MainScreen

_PATIENCE_S = 10.0  # for who still gives signals out when memtui ends


class Acting:
    """The main screen's hands. Nothing here reads the kernel: services do."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._following = Following(screen, self._kill_left)
        self._sending: Thread | None = None
        self._adjuster: Adjuster | None = None
        self._kernels: Kernels = {}  # who of the targets belongs to a notebook

    # -- signals

    def targets(self) -> list[Proc]:
        """Return the tagged processes, or the one under the cursor."""
        table = self._screen.table
        if table.tagged:
            return table.marked
        here = self._screen.here
        return [here] if here is not None else []

    def kill(self, procs: Sequence[Proc] = (), signal: int = SIGTERM) -> None:
        """Open the signal dialog on targets, frozen from now on; on the tagged if on none.

        `signal` is the one that is chosen at first.
        """
        procs = procs or self.targets()
        if not procs:
            self._screen.say("no process to send a signal to", "warn")
            return
        targets = [Target.open(p) for p in procs]
        for target, proc in zip(targets, procs, strict=True):
            if proc.who is not None and proc.who.is_kernel:
                target.command = f"{proc.who.label}  {target.command}"
        everybody = self._screen.state.snapshot.procs
        self._kernels = {p.identity: p.who for p in everybody if p.who is not None and p.who.root}
        dialog = KillDialog(targets, self._closed(procs), self._kernels, signal)
        self._screen.app.push_screen(dialog, self._send)

    def _closed(self, procs: Sequence[Proc]) -> bool:
        """Whether those are trees: several, and with each all that is below it."""
        tagged = {p.pid for p in procs}
        kin = [p for p in self._screen.state.snapshot.procs if p.ppid in tagged]
        return bool(kin) and all(p.pid in tagged for p in kin)

    def _send(self, signal: Signal | None) -> None:
        if signal is None:
            return
        actions, usage = self._screen.memtui.actions, self._screen.state.usage
        targets, number = signal.targets, signal.number
        self._screen.action_untag()
        if signal.verb:
            self._do(signal, usage)
            return
        if not signal.whole:
            self._sent(send_all(actions, targets, number, signal.confirmed), signal, usage)
            return

        def work() -> None:
            sent = send_tree(actions, targets, number, signal.since, signal.confirmed)
            self._screen.call_later(self._sent, sent, signal, usage)

        self._screen.say(f"sending {name_of(number)} to {named(targets)}")
        self._sending = Thread(target=work, name="sending", daemon=True)
        self._sending.start()

    def _sent(self, sent: Sent, signal: Signal, usage: int | None) -> None:
        self._screen.say(sent.text, "accent" if sent.sent else "crit")
        took = {t.identity for t in sent.targets}
        for target in signal.targets:
            if target.identity not in took:
                target.close()
        if sent.targets:
            self._following.add(sent.targets, signal.number, usage)

    def _do(self, signal: Signal, usage: int | None) -> None:
        """Halt, restart or interrupt kernels."""
        actions = self._screen.memtui.actions
        chosen = meant(signal.targets, self._kernels)
        kernels = [t for t, _ in chosen]

        def work() -> None:
            done, refused = act(actions, chosen, signal.verb, signal.confirmed)
            self._screen.call_later(self._done, done, refused, signal, usage)

        for target in signal.targets:
            if target not in kernels:  # it goes with its kernel
                target.close()
        self._screen.say(f"{signal.verb}: {', '.join(w.label for _, w in chosen[:3])} …")
        self._sending = Thread(target=work, name="sending", daemon=True)
        self._sending.start()

    def _done(
        self, done: Chosen, refused: list[Outcome], signal: Signal, usage: int | None
    ) -> None:
        self._screen.memtui.sampler.hurry()
        ended = [t for t, _ in done] if signal.verb != INTERRUPT else []
        for target in signal.targets:
            if target not in ended:
                target.close()
        if refused:
            more = f" (and {len(refused) - 1} more not)" if len(refused) > 1 else ""
            self._screen.say(refused[0].text + more, "crit")
        elif not ended:
            names = ", ".join(w.label for _, w in done[:3])
            self._screen.say(f"{names} told to stop what it computes; its memory stays")
        if ended:
            self._following.watch(KernelWatch(done, signal.verb, usage))

    def _kill_left(self, targets: list[Target]) -> None:
        """SIGKILL those that another signal did not end; that was confirmed."""
        if targets:
            whole = len(targets) > 1
            self._send(Signal(targets, SIGKILL, True, whole, now_ticks()))

    # -- the OOM killer's choice

    def adjust(self, by: int) -> None:
        """Raise or lower oom_score_adj of the tagged processes, or of the one at the cursor."""
        from memtui.services.adjust import STEP, Adjuster

        screen = self._screen
        procs = self.targets()
        if not procs:
            screen.say("no process to change oom_score_adj of", "warn")
            return
        self._adjuster = self._adjuster or Adjuster(screen.memtui.actions)
        doomed = screen.state.snapshot.doomed
        outcome = self._adjuster.shift(procs, by * STEP, doomed.total if doomed else None)
        screen.say(outcome.text, "accent" if outcome.sent else "crit")
        screen.memtui.sampler.reread(p.identity for p in procs)

    def check(self) -> None:
        """Tell what became of signals that were sent; called after each snapshot."""
        self._following.check()

    def close(self) -> None:
        """Give out the signals that are on their way, and let go of their targets."""
        if self._sending is not None:
            self._sending.join(_PATIENCE_S)  # or who was halted would stay so
        self._following.close()
