"""The signals of this machine: names, numbers, what people type, and what each one is for."""

from __future__ import annotations

import signal
from signal import Signals
from typing import NamedTuple

_COMMON = (
    Signals.SIGTERM,
    Signals.SIGKILL,
    Signals.SIGINT,
    Signals.SIGHUP,
    Signals.SIGQUIT,
    Signals.SIGSTOP,
    Signals.SIGCONT,
    Signals.SIGUSR1,
    Signals.SIGUSR2,
)
_ENDING = frozenset((1, 2, 3, 6, 9, 15))  # what people send to end a process
_UNSTOPPABLE = frozenset((Signals.SIGKILL, Signals.SIGSTOP, Signals.SIGCONT))


_MEANING = {
    15: "ask it to end, so that it can save and clean up",
    9: "end it at once: it cannot save anything",
    2: "interrupt, as Ctrl-C does",
    1: "hang up; many daemons read their settings anew",
    3: "quit, perhaps with a core dump",
    int(Signals.SIGSTOP): "Pause: its memory stays in use",
    int(Signals.SIGCONT): "Resume: go on after a pause",
}


class Sig(NamedTuple):
    """One line of a signal list."""

    number: int
    name: str

    @property
    def meaning(self) -> str:
        """What people send it for; empty for the rarer ones."""
        return _MEANING.get(self.number, "")


def name_of(number: int) -> str:
    """Return `SIGTERM`, `SIGRTMIN+3`, or the number itself where it has no name."""
    low = int(signal.SIGRTMIN)
    if low < number < int(signal.SIGRTMAX):
        return f"SIGRTMIN+{number - low}"
    try:
        return Signals(number).name
    except ValueError:
        return str(number)


def signals() -> list[Sig]:
    """Return every signal of this machine, those that people use first."""
    rest = sorted(int(s) for s in signal.valid_signals() if s not in _COMMON)
    return [Sig(n, name_of(n)) for n in [*map(int, _COMMON), *rest]]


def parse_signal(text: str) -> int:
    """Return the number that `9`, `KILL`, `SIGKILL`, `kill` or `RTMIN+3` means.

    Raises ValueError with a sentence for the user.
    """
    word = text.strip().upper()
    names = {name: number for number, name in signals()}
    names |= {"SIGPAUSE": int(Signals.SIGSTOP), "SIGRESUME": int(Signals.SIGCONT)}
    names |= {"SIGIOT": 6, "SIGCLD": int(Signals.SIGCHLD), "SIGPOLL": int(Signals.SIGIO)}
    if word.isdecimal() and word.isascii():
        number = int(word) if len(word) < 4 else 0
        if number in names.values():
            return number
    elif (found := names.get("SIG" + word.removeprefix("SIG"))) is not None:
        return found
    raise ValueError(f"{text!r} is not a signal: write a number or a name, as 9, KILL or SIGTERM")


def is_ending(number: int) -> bool:
    """Whether people send this signal to end a process: TERM, KILL, INT, HUP, QUIT, ABRT."""
    return number in _ENDING


def waits_for_continue(number: int) -> bool:
    """Whether a stopped process acts on this signal only when it is continued."""
    return number not in _UNSTOPPABLE
