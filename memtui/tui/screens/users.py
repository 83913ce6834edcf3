"""The list of users, at the left as in htop: whose processes are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from memtui.model.groups import Group
from memtui.text import fit
from memtui.units import size


class UsersMenu(ModalScreen[str]):
    """Users with how many processes they have and their RES; "" is all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f10,u", "leave", "leave", id="users.leave")
    ]
    CSS = """
    UsersMenu { align: left middle; }
    UsersMenu .dialog { width: 44; }
    UsersMenu OptionList { max-height: 20; }
    """

    def __init__(self, users: Sequence[Group], now: str | None) -> None:
        super().__init__()
        self._users = sorted(users, key=lambda g: -g.rss.value)
        self._now = now

    def compose(self) -> ComposeResult:
        """List the users, the one with most memory first."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Show processes of"
            box.border_subtitle = "Enter show   Esc leave"
            total = sum(g.number for g in self._users)
            options = [self._line("all users", total, sum(g.rss.value for g in self._users))]
            options += [self._line(g.key, g.number, g.rss.value) for g in self._users]
            yield OptionList(*map(Option, options))

    @staticmethod
    def _line(name: str, number: int, rss: float) -> Content:
        numbers = f"{number:>6}  {size(round(rss)):>6} RES"
        return Content.assemble((fit(name, 18), "bold"), (numbers, "dim"))

    def on_mount(self) -> None:
        """Put the highlight on whoever is shown now."""
        options = self.query_one(OptionList)
        names = [g.key for g in self._users]
        options.highlighted = names.index(self._now) + 1 if self._now in names else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Close with the user chosen."""
        at = event.option_index
        self.dismiss(self._users[at - 1].key if at else "")

    def action_leave(self) -> None:
        """Close and change nothing."""
        self.dismiss(None)
